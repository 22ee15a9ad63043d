// Package broker is the embedded NATS server with JetStream, for installations without
// one of their own. The service has an account of its own; each subscriber has another,
// which sees of the service's what it may read. It knows nothing of leads beyond subject
// names.
package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// maxPayload lets even a lead with a very long comment travel whole, in bytes.
const maxPayload = 8 << 20

// storeMax is more than any disk has, in bytes. By default the server allows three quarters
// of the room that is free when it starts, its own store not counted: on a disk that is
// half full it would refuse everything after a restart.
const storeMax = 1 << 50

// startLimit is how long a start may take; recovering a large store takes seconds.
const startLimit = 60 * time.Second

// reconnectWait is how long the service's own connections wait between attempts to
// reconnect while the server restarts.
const reconnectWait = 250 * time.Millisecond

// Config says where the server keeps its store and who may connect.
type Config struct {
	Dir    string // JetStream's store; one server at a time
	Listen string // host:port for subscribers, port 0 for any; "" does not listen
	// Prefix is that of the service's streams and subjects, see events.Bus; "" for none.
	Prefix string
	// Subscribers may read leads; nobody else may connect but the service.
	Subscribers []Subscriber
	// ServiceToken gives every right: the service connects with it, and commands that
	// run beside the service. Required.
	ServiceToken string
	Logger       *slog.Logger // nil is silent
}

// Broker runs an embedded server, and restarts it when its store fails.
type Broker struct {
	cfg  Config
	port int    // where the server listens; 0 if it does not
	url  string // for subscribers; "" if it does not listen

	mu     sync.Mutex
	server *server.Server // the one that runs, or has run until a restart failed
	failed error          // why the last restart failed; nil if it did not

	stop func() // ends watch and waits for its end
}

// Check reports what is wrong with a configuration, a port that is taken included, without
// starting anything.
func Check(cfg Config) error {
	if cfg.Listen == "" {
		return nil
	}
	return listenOn(&server.Options{}, cfg, 0)
}

// Start starts the server and waits until it is ready. Errors say what to do.
func Start(cfg Config) (*Broker, error) {
	if cfg.ServiceToken == "" {
		return nil, errors.New("embedded NATS server: service token is empty, want a secret")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	ns, err := startServer(cfg, 0)
	if err != nil {
		return nil, err
	}
	b := &Broker{cfg: cfg, server: ns}
	if addr, ok := ns.Addr().(*net.TCPAddr); ok {
		b.port, b.url = addr.Port, ns.ClientURL()
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b.watch(stop)
	}()
	b.stop = sync.OnceFunc(func() { close(stop); <-stopped })
	return b, nil
}

// startServer starts a server that listens on port; 0 is the port of the configuration.
func startServer(cfg Config, port int) (*server.Server, error) {
	var names []string
	for _, s := range cfg.Subscribers {
		names = append(names, s.Name)
	}
	text, err := accountsOf(cfg.Prefix, names, false)
	if err != nil {
		return nil, fmt.Errorf("embedded NATS server: accounts: %w", err)
	}
	auth := &authenticator{service: cfg.ServiceToken, subscribers: cfg.Subscribers}
	opts := &server.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("embedded NATS server: accounts: %w", err)
	}
	opts.ServerName, opts.JetStream, opts.StoreDir, opts.SyncAlways, opts.JetStreamMaxStore = "leadsync", true, cfg.Dir, true, storeMax
	opts.MaxPayload, opts.NoSigs, opts.NoSystemAccount, opts.DontListen = maxPayload, true, true, cfg.Listen == ""
	opts.CustomClientAuthentication = auth
	if cfg.Listen != "" {
		if err := listenOn(opts, cfg, port); err != nil {
			return nil, err
		}
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w", err)
	}
	auth.accounts = ns.LookupAccount
	log := &serverLog{log: cfg.Logger}
	ns.SetLoggerV2(log, false, false, false)
	ns.Start()
	reason := log.fatal.Load()
	switch {
	case reason != nil: // it would never be ready
		err = fmt.Errorf("the embedded NATS server could not open its store %s: %s", cfg.Dir, *reason)
	case !ns.ReadyForConnections(startLimit):
		err = fmt.Errorf("the embedded NATS server was not ready within %s; its store is %s", startLimit, cfg.Dir)
	default:
		return ns, nil
	}
	ns.Shutdown()
	ns.WaitForShutdown()
	return nil, err
}

// listenOn checks the address first: a server whose port is taken never becomes ready and
// does not say why.
func listenOn(opts *server.Options, cfg Config, port int) error {
	host, text, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("embedded NATS server: address %q, want host:port such as 127.0.0.1:4222", cfg.Listen)
	}
	configured, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("embedded NATS server: address %q, want host:port such as 127.0.0.1:4222", cfg.Listen)
	}
	if port == 0 {
		port = configured
	}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	probe, err := net.Listen("tcp", address) //nolint:noctx // closed at once: only asks whether the port is free
	if err != nil {
		return fmt.Errorf("embedded NATS server: cannot listen on %s: %w (choose another port, or 0 for any)", address, err)
	}
	if err := probe.Close(); err != nil {
		return fmt.Errorf("embedded NATS server: %w", err)
	}
	opts.Host, opts.Port = host, port
	if port == 0 {
		opts.Port = server.RANDOM_PORT
	}
	return nil
}

// URL is where subscribers connect, "" if the server does not listen. A restart does not
// change it.
func (b *Broker) URL() string { return b.url }

// Connect returns the service's own connection, in process and with every right. It comes
// back by itself after a restart of the server.
func (b *Broker) Connect(opts ...nats.Option) (*nats.Conn, error) {
	own := []nats.Option{
		nats.InProcessServer(b), nats.Token(b.cfg.ServiceToken),
		nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait),
	}
	nc, err := nats.Connect("", append(opts, own...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Close stops the server, and returns when everything it did is on disk.
func (b *Broker) Close() {
	b.stop()
	b.stopServer()
}
