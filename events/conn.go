package events

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Connect connects to an external NATS server or cluster. url is nats://host:4222, or
// a list of such separated by commas; token may be "". While the connection is down,
// publishing fails at once instead of being buffered, because a buffer in memory loses
// callbacks that were answered 200.
func Connect(url, token string, more ...nats.Option) (*nats.Conn, error) {
	nc, err := nats.Connect(url, append(externally(token), more...)...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w (is the server running there, with JetStream on?)", WithoutPassword(url), err)
	}
	return nc, nil
}

// ConnectLater is Connect for a service that can work without NATS for a while: it keeps
// trying if no server can be reached yet, and publishing fails at once until then.
func ConnectLater(url, token string) (*nats.Conn, error) {
	nc, err := nats.Connect(url, append(externally(token), nats.RetryOnFailedConnect(true))...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", WithoutPassword(url), err)
	}
	return nc, nil
}

func externally(token string) []nats.Option {
	opts := append(Options(), nats.Timeout(5*time.Second))
	if token != "" {
		opts = append(opts, nats.Token(token))
	}
	return opts
}

// Options are the options of all our connections.
func Options() []nats.Option {
	return []nats.Option{
		nats.Name("leadsync"),
		nats.MaxReconnects(-1),
		nats.ReconnectBufSize(-1),
		nats.ReconnectWait(250 * time.Millisecond),
	}
}

// answerLimit is how long JetStream may take for an answer where the caller sets no limit:
// on a busy disk, making a stream takes seconds.
const answerLimit = 20 * time.Second

// JetStream opens JetStream on a connection.
func JetStream(nc *nats.Conn) (jetstream.JetStream, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256), jetstream.WithDefaultTimeout(answerLimit))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	return js, nil
}

// notConnectedError is a client that has no connection at the moment. nats.go says "outbound
// buffer limit exceeded", because we let it buffer nothing.
type notConnectedError struct{ error }

func (notConnectedError) Error() string { return "not connected to NATS" }

// Unwrap is the client's own error.
func (e notConnectedError) Unwrap() error { return e.error }

// named says in words what the client's error means.
func named(err error) error {
	if errors.Is(err, nats.ErrReconnectBufExceeded) {
		return notConnectedError{err}
	}
	return err
}

// Unavailable reports whether err says that NATS or its JetStream cannot be reached now,
// which passes without anybody changing anything. The end of the caller's own context is
// not such an error, but its deadline is: nobody answered in time.
func Unavailable(err error) bool {
	for _, target := range []error{
		nats.ErrNoResponders, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded, nats.ErrTimeout,
		nats.ErrDisconnected, jetstream.ErrJetStreamNotEnabled, context.DeadlineExceeded,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// WithoutPassword strips what stands before @ in each server of a list.
func WithoutPassword(urls string) string {
	list := strings.Split(urls, ",")
	for i, url := range list {
		scheme, rest, ok := strings.Cut(url, "://")
		if _, host, secret := strings.Cut(rest, "@"); ok && secret {
			list[i] = scheme + "://" + host
		}
	}
	return strings.Join(list, ",")
}
