package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/guide"
	"leadsync/leads"
	"leadsync/retry"
)

// NATS is leadsync's part of NATS, and the server where it is embedded in this process.
type NATS struct {
	cfg         Config
	data        *dataDir            // nil where a running service owns it
	subscribers []broker.Subscriber // of the embedded server
	setsUp      bool                // this process may make and change streams
	closing     func(func() error)  // takes what has to be closed
	log         *slog.Logger

	serviceToken leads.Secret             // of the embedded server
	side         atomic.Pointer[natsSide] // nil until there is a connection
}

// natsSide is the connection to NATS, and the server where it is embedded in this process.
type natsSide struct {
	nc     *nats.Conn
	bus    *events.Bus
	broker *broker.Broker
}

// steps are those of a start.
func (n *NATS) steps() []step {
	return []step{{name: "NATS", do: n.connect}, {name: "NATS", do: n.prepare}}
}

// connect connects to NATS, and starts the embedded server before that.
func (n *NATS) connect(ctx context.Context) (err error) {
	if n.side.Load() != nil {
		return nil
	}
	cfg := n.cfg
	var side natsSide
	switch {
	case cfg.NATSURL != Embedded && cfg.TolerateOutages:
		side.nc, err = events.ConnectLater(cfg.NATSServer())
	case cfg.NATSURL != Embedded:
		side.nc, err = events.Connect(cfg.NATSServer())
	case n.data == nil:
		side.nc, err = joinRunning(ctx, cfg.DataDir)
	default:
		side.broker, side.nc, err = n.startBroker()
	}
	if err != nil {
		return err
	}
	side.bus, err = events.Open(side.nc, cfg.NATSPrefix)
	if side.broker != nil {
		n.closing(func() error { side.broker.Close(); return nil })
	}
	n.closing(func() error { side.nc.Close(); return nil })
	if err != nil {
		return err
	}
	n.side.Store(&side)
	return nil
}

// prepare sets the streams up. A command on a server that others use only looks:
// its environment need not be that of the service.
func (n *NATS) prepare(ctx context.Context) error {
	if n.setsUp || n.side.Load().broker != nil {
		return events.Setup(ctx, n.Bus(), n.cfg.Replicas)
	}
	return events.Look(ctx, n.Bus())
}

// joinWait is how long a command waits for the NATS server of a service that is starting.
const joinWait = 30 * time.Second

// joinRunning connects to the NATS server of the service that owns the data directory.
func joinRunning(ctx context.Context, dir string) (nc *nats.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()
	loop := retry.Loop{
		Policy: retry.Policy{First: joinWait / 100, Max: joinWait / 100}, Final: func(err error) bool { return !errors.Is(err, errNATSStarts) },
	}
	failed := loop.Until(ctx, func(context.Context) error {
		r, readErr := readRunning(dir)
		if err = readErr; err == nil && r.NATSURL == "" {
			err = errNATSStarts
		}
		if err == nil {
			nc, err = events.Connect(events.Server{URL: r.NATSURL, Token: r.NATSToken})
		}
		return err
	})
	if failed != nil {
		return nil, err // the last one says more than that time is over
	}
	return nc, nil
}

func (n *NATS) brokerConfig() broker.Config {
	return broker.Config{
		Dir: n.data.file("nats"), Listen: n.cfg.NATSListen, Prefix: n.cfg.NATSPrefix, Subscribers: n.subscribers,
		ServiceToken: n.serviceToken.Reveal(), Logger: n.log,
	}
}

// checkListen finds out whether subscribers can be listened for.
func (n *NATS) checkListen() error {
	if err := broker.Check(n.brokerConfig()); err != nil {
		return guide.At(guide.Port, fmt.Errorf("LEADSYNC_NATS_LISTEN: %w", err))
	}
	return nil
}

func (n *NATS) startBroker() (*broker.Broker, *nats.Conn, error) {
	if err := n.checkListen(); err != nil {
		return nil, nil, err
	}
	n.serviceToken = leads.Secret(rand.Text())
	server, err := broker.Start(n.brokerConfig())
	if err != nil {
		return nil, nil, err
	}
	nc, err := server.Connect(events.Options()...)
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	return server, nc, nil
}

// Bus is leadsync's part of NATS; nil until a service that is starting has got it.
func (n *NATS) Bus() *events.Bus {
	if side := n.side.Load(); side != nil {
		return side.bus
	}
	return nil
}

// URL is where subscribers connect; "" until the embedded server has started.
func (n *NATS) URL() string {
	switch side := n.side.Load(); {
	case n.cfg.NATSURL != Embedded:
		return n.cfg.NATSURL
	case side != nil && side.broker != nil:
		return side.broker.URL()
	default:
		return ""
	}
}

// SubscriberToken is the token of the first subscriber of an embedded server; "" without one.
func (n *NATS) SubscriberToken() leads.Secret {
	if len(n.subscribers) == 0 {
		return ""
	}
	return leads.Secret(n.subscribers[0].Token)
}

// NotifyOwner leaves a notice for the portal's owner.
func (n *NATS) NotifyOwner(ctx context.Context, portal leads.Portal, event events.PortalEvent) error {
	return events.PublishPortal(ctx, n.Bus(), events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, At: n.cfg.Now().UTC(), Event: event,
	})
}

// publish puts an entry on its stream.
func (n *NATS) publish(ctx context.Context, e events.Entry) (sequence uint64, err error) {
	bus := n.Bus()
	if bus == nil {
		return 0, errStarting
	}
	return events.StoreEntry(ctx, bus, e)
}

// SetUpStreams sets the streams up on an external NATS server, for a command that may change
// them. It returns where that is; "" where NATS is embedded: then the service does it.
func SetUpStreams(ctx context.Context, cfg Config) (place string, err error) {
	if cfg.NATSURL == Embedded {
		return "", nil
	}
	nc, err := events.Connect(cfg.NATSServer())
	if err != nil {
		return "", err
	}
	defer nc.Close()
	bus, err := events.Open(nc, cfg.NATSPrefix)
	if err != nil {
		return "", err
	}
	return events.WithoutPassword(cfg.NATSURL), events.Setup(ctx, bus, cfg.Replicas)
}

// ConnectSubscriber connects to the service's NATS as one who only reads.
func ConnectSubscriber(cfg Config) (*nats.Conn, error) {
	if cfg.NATSURL != Embedded {
		return events.Connect(cfg.NATSServer())
	}
	r, err := readRunning(cfg.DataDir)
	switch {
	case err != nil:
		return nil, err
	case r.NATSURL == "":
		return nil, errNATSStarts
	}
	return events.Connect(events.Server{URL: r.NATSURL, Token: r.SubscriberToken})
}
