package events

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/guide"
)

// deniedFor is how long after a message was refused the server is taken to refuse such messages: who
// still needs to send it tries again within that time.
const deniedFor = time.Minute

// DeniedError says that the server does not let our user do something. The server answers no request
// for that: it tells the client beside it, and who asked gets no answer in time.
type DeniedError struct {
	What string // in the server's words

	at         time.Time
	connection uint64 // how often the client had connected again by then
	lasting    bool   // a subscription, which is tried once for each connection
}

// Error says what a person can do.
func (e *DeniedError) Error() string {
	return fmt.Sprintf("the server does not let leadsync's user do what it needs (%s); what leadsync cannot do waits: give it an account of its own and all rights in it, as deployments/nats/nats.conf does", e.What)
}

// Heading is where the error is explained.
func (e *DeniedError) Heading() guide.Heading { return guide.NATSLogIn }

// hear keeps what the server refuses; next is told everything else.
func (b *Bus) hear(next nats.ErrHandler) nats.ErrHandler {
	return func(nc *nats.Conn, sub *nats.Subscription, err error) {
		if !errors.Is(err, nats.ErrPermissionViolation) {
			if next != nil {
				next(nc, sub, err)
			}
			return
		}
		what := strings.TrimPrefix(err.Error(), nats.ErrPermissionViolation.Error()+": ")
		b.denied.Store(&DeniedError{What: what, at: time.Now(), connection: nc.Stats().Reconnects, lasting: strings.Contains(what, "Subscription")})
	}
}

// denial is what the server refuses at present; nil where nothing is known of that.
func (b *Bus) denial() *DeniedError {
	d := b.denied.Load()
	if d == nil || d.connection != b.Conn().Stats().Reconnects || !d.lasting && time.Since(d.at) > deniedFor {
		return nil
	}
	return d
}

// named says in words what the client's error means: also that nobody answered because the server
// refused the question.
func (b *Bus) named(err error) error {
	if denied := b.denial(); denied != nil && Unavailable(err) {
		return fmt.Errorf("%w: %w", denied, err)
	}
	return named(err)
}
