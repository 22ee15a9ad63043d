// Package broker is the embedded NATS server with JetStream, for installations without
// one of their own. Subscribers may read the topic of leads; only the service itself,
// which knows its token, may do more. It knows nothing of leads beyond subject names.
package broker

import (
	"crypto/subtle"
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

// storeMax is more than any disk has, in bytes. Left to itself the server allows what is
// three quarters of the free room when it starts, its own store not counted: on a disk
// that is half full it would refuse everything after a restart.
const storeMax = 1 << 50

// startLimit is how long a start may take; recovering a large store takes seconds.
const startLimit = 60 * time.Second

// Config says where the server keeps its store and who may connect.
type Config struct {
	Dir    string // JetStream's store; one server at a time
	Listen string // host:port for subscribers, port 0 for any; "" listens nowhere
	// Token is what subscribers must present. It may be "" on a loopback address only.
	Token string
	// ServiceToken gives every right: the service connects with it, and commands that
	// run beside the service. Required.
	ServiceToken string
	Logger       *slog.Logger // nil is silent
}

// Broker is a running embedded server.
type Broker struct {
	server  *server.Server
	token   string
	listens bool

	store store
	stop  func() // ends the watch over the store, and waits for its end
}

// Start starts the server and waits until it is ready. Errors say what to do.
func Start(cfg Config) (*Broker, error) {
	if cfg.ServiceToken == "" {
		return nil, errors.New("embedded NATS server needs a service token")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	opts := &server.Options{
		ServerName: "leadsync", JetStream: true, StoreDir: cfg.Dir, SyncAlways: true, JetStreamMaxStore: storeMax,
		MaxPayload: maxPayload, NoSigs: true, NoSystemAccount: true, DontListen: cfg.Listen == "",
		CustomClientAuthentication: doorman{subscriber: cfg.Token, service: cfg.ServiceToken},
	}
	if cfg.Listen != "" {
		if err := listenOn(opts, cfg); err != nil {
			return nil, err
		}
	}
	ns, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the embedded NATS server: %w", err)
	}
	ns.SetLoggerV2(journal{cfg.Logger}, false, false, false)
	ns.Start()
	if !ns.ReadyForConnections(startLimit) {
		ns.Shutdown()
		return nil, fmt.Errorf("the embedded NATS server was not ready within %s; its store is %s", startLimit, cfg.Dir)
	}
	if !ns.JetStreamEnabled() {
		ns.Shutdown()
		return nil, fmt.Errorf("the embedded NATS server could not open its store %s", cfg.Dir)
	}
	b := &Broker{server: ns, token: cfg.ServiceToken, listens: cfg.Listen != "", store: store{ns, cfg}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		b.store.watch(stop)
	}()
	b.stop = sync.OnceFunc(func() { close(stop); <-stopped })
	return b, nil
}

// listenOn checks the address first: a server whose port is taken is never ready and
// does not say why.
func listenOn(opts *server.Options, cfg Config) error {
	host, text, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("embedded NATS server: %q is no host:port, such as 127.0.0.1:4222", cfg.Listen)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("embedded NATS server: %q is no host:port, such as 127.0.0.1:4222", cfg.Listen)
	}
	if ip := net.ParseIP(host); cfg.Token == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("embedded NATS server: listening on %s needs a token, since others can reach it", cfg.Listen)
	}
	probe, err := net.Listen("tcp", cfg.Listen) //nolint:noctx // closed at once: only asks whether the port is free
	if err != nil {
		return fmt.Errorf("embedded NATS server: cannot listen on %s: %w (choose another port, or 0 for any)", cfg.Listen, err)
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

// URL is where subscribers connect, "" where it listens nowhere.
func (b *Broker) URL() string {
	if !b.listens {
		return "" // the server would name a port that it does not listen on
	}
	return b.server.ClientURL()
}

// PrivateInbox is for connections with the service's token: replies to them, notices among
// these, go where subscribers may not listen.
func PrivateInbox() nats.Option { return nats.CustomInboxPrefix("_LEADSYNC") }

// Connect returns the service's own connection, in process and with every right.
func (b *Broker) Connect(opts ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect("", append(opts, nats.InProcessServer(b.server), nats.Token(b.token), PrivateInbox())...)
	if err != nil {
		return nil, fmt.Errorf("connect to the embedded NATS server: %w", err)
	}
	return nc, nil
}

// Close stops the server when what it was doing is on disk.
func (b *Broker) Close() {
	b.stop()
	b.server.Shutdown()
	b.server.WaitForShutdown()
}

// doorman tells the service from subscribers.
type doorman struct{ subscriber, service string }

// Check implements server.Authentication.
func (d doorman) Check(c server.ClientAuthentication) bool {
	token := c.GetOpts().Token
	if same(token, d.service) {
		c.RegisterUser(&server.User{Username: "leadsync"})
		return true
	}
	if d.subscriber != "" && !same(token, d.subscriber) {
		return false
	}
	c.RegisterUser(&server.User{Username: "subscriber", Permissions: subscriberRights()})
	return true
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// subscriberRights let a client read LEADS, live or through consumers of its own, and
// nothing else.
func subscriberRights() *server.Permissions {
	return &server.Permissions{
		Subscribe: &server.SubjectPermission{Allow: []string{"leads.>", "_INBOX.>"}},
		Publish: &server.SubjectPermission{Allow: []string{
			"$JS.API.INFO",
			"$JS.API.STREAM.INFO.LEADS",
			"$JS.API.STREAM.NAMES",
			"$JS.API.STREAM.LIST",
			"$JS.API.STREAM.MSG.GET.LEADS",
			"$JS.API.DIRECT.GET.LEADS",
			"$JS.API.DIRECT.GET.LEADS.>",
			"$JS.API.CONSUMER.CREATE.LEADS",
			"$JS.API.CONSUMER.CREATE.LEADS.>",
			"$JS.API.CONSUMER.DURABLE.CREATE.LEADS.>",
			"$JS.API.CONSUMER.INFO.LEADS.>",
			"$JS.API.CONSUMER.NAMES.LEADS",
			"$JS.API.CONSUMER.LIST.LEADS",
			"$JS.API.CONSUMER.MSG.NEXT.LEADS.>",
			"$JS.API.CONSUMER.DELETE.LEADS.>",
			"$JS.ACK.LEADS.>",
			"$JS.FC.LEADS.>",
		}},
	}
}
