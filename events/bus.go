package events

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/retry"
)

// answerLimit is how long JetStream may take for an answer where the caller sets no limit:
// on a busy disk, making a stream takes seconds.
const answerLimit = 20 * time.Second

// lookLimit is how long a look-up or a lease may take, also where the caller has more time: a
// cluster that is choosing a leader never answers some requests, and asked again it would.
const lookLimit = 5 * time.Second

// errNotChecked says that nobody knows yet whether the streams are leadsync's.
var errNotChecked = errors.New("the streams were not checked yet")

// Bus is what leadsync uses of a NATS account: its streams and its bucket of leases. With a
// prefix their names and subjects differ from those of other installations; everything else
// in this package names them without it.
type Bus struct {
	js     jetstream.JetStream
	prefix string
	// checked is set when the streams were found to be leadsync's. Until then nothing is
	// published, taken or removed: a stranger's stream could take a notice and say that it
	// has, and what we empty could be a stranger's.
	checked atomic.Bool
	foreign atomic.Pointer[ForeignError] // why they were not, when that was looked up last
	denied  atomic.Pointer[DeniedError]  // what the server refused last
	notices group                        // puts notices of leads on their stream
	handles sync.Map                     // jetstream.Stream by its name without the prefix, of those that handle has looked up
}

// Open uses a connection. prefix is "" or valid; see ValidPrefix.
func Open(nc *nats.Conn, prefix string) (*Bus, error) {
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(256), jetstream.WithDefaultTimeout(answerLimit))
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	b := &Bus{js: js, prefix: prefix}
	b.notices = group{bus: b, stream: StreamNotices}
	nc.SetErrorHandler(b.hear(nc.ErrorHandler()))
	return b, nil
}

var prefixForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ValidPrefix reports whether a prefix can stand in names of streams and in subjects. It is
// not the first word of subjects without a prefix: whoever subscribes to leads.> would hear
// leads.leads.>, too.
func ValidPrefix(prefix string) bool {
	return prefixForm.MatchString(prefix) && !slices.ContainsFunc(streams(), func(cfg jetstream.StreamConfig) bool {
		return strings.HasPrefix(cfg.Subjects[0], prefix+".")
	})
}

// Problem is the stranger's stream that was found in the way of ours, or what the server does not let
// us do; nil if there is neither.
func (b *Bus) Problem() error {
	if foreign := b.foreign.Load(); foreign != nil {
		return foreign
	}
	if denied := b.denial(); denied != nil {
		return denied
	}
	return nil
}

// Checked reports whether the streams were found to be leadsync's.
func (b *Bus) Checked() bool { return b.checked.Load() }

// settled notes how the streams were found.
func (b *Bus) settled(err error) error {
	var foreign *ForeignError
	if !errors.As(err, &foreign) {
		foreign = nil
	}
	b.foreign.Store(foreign)
	if err == nil {
		b.checked.Store(true)
		if denied := b.denied.Load(); denied != nil && denied.lasting { // there were answers
			b.denied.CompareAndSwap(denied, nil)
		}
	}
	return err
}

// Conn is the connection.
func (b *Bus) Conn() *nats.Conn { return b.js.Conn() }

// Name is how a stream or a bucket is called on the server: LEADS, or with the prefix
// "berlin" berlin_LEADS.
func (b *Bus) Name(name string) string {
	if b.prefix == "" {
		return name
	}
	return b.prefix + "_" + name
}

// Subject is a subject as the server sees it: leads.>, or with the prefix "berlin"
// berlin.leads.> there.
func (b *Bus) Subject(subject string) string {
	if b.prefix == "" {
		return subject
	}
	return b.prefix + "." + subject
}

// JetStream is all of it, for what this package does not wrap; it knows nothing of the
// prefix.
func (b *Bus) JetStream() jetstream.JetStream { return b.js }

// Stream is one of the streams, by its name without the prefix.
func (b *Bus) Stream(ctx context.Context, name string) (jetstream.Stream, error) {
	return soon(ctx, func(ctx context.Context) (jetstream.Stream, error) { return b.js.Stream(ctx, b.Name(name)) })
}

// handle is Stream, looked up once, for questions that each portal asks again and again: they
// are about the messages, and what the server says of the stream itself may be old.
func (b *Bus) handle(ctx context.Context, name string) (jetstream.Stream, error) {
	if known, ok := b.handles.Load(name); ok {
		if stream, ok := known.(jetstream.Stream); ok {
			return stream, nil
		}
	}
	stream, err := b.Stream(ctx, name)
	if err == nil {
		b.handles.Store(name, stream)
	}
	return stream, err
}

// forget has handle look the stream up again: it may be gone, or another one by now.
func (b *Bus) forget(name string) { b.handles.Delete(name) }

// soon asks the server something that it answers at once, if at all.
func soon[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	return ask(ctx)
}

// answered asks again while nobody is there to answer: right after a stream or a consumer was
// made, or its leader changed, each server of a cluster learns in its own time who answers.
// After answerSoon it is an outage, which the caller gets as it is.
func answered[T any](ctx context.Context, ask func(context.Context) (T, error)) (T, error) {
	for limit := time.Now().Add(answerSoon); ; {
		value, err := ask(ctx)
		if !errors.Is(err, nats.ErrNoResponders) || time.Now().After(limit) || retry.Wait(ctx, answerPause) != nil {
			return value, err
		}
	}
}

// lastMessage returns the newest message of a subject; [jetstream.ErrMsgNotFound] without one.
func lastMessage(ctx context.Context, stream jetstream.Stream, subject string) (*jetstream.RawStreamMsg, error) {
	return answered(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return stream.GetLastMsgForSubject(ctx, subject)
	})
}

const (
	answerSoon  = 2 * time.Second       // how long servers of a cluster get to learn who answers
	answerPause = 50 * time.Millisecond // the time between two questions
)

// ours returns an error until the streams were found to be leadsync's.
func (b *Bus) ours() error {
	if !b.checked.Load() {
		return errNotChecked
	}
	return nil
}

// purge removes messages of a subject from one of our streams.
func (b *Bus) purge(ctx context.Context, name, subject string) error {
	if err := b.ours(); err != nil {
		return err
	}
	stream, err := b.Stream(ctx, name)
	if err != nil {
		return err
	}
	return stream.Purge(ctx, jetstream.WithPurgeSubject(b.Subject(subject)))
}

// publish returns when the stream that the subject belongs to has the message on disk.
func (b *Bus) publish(ctx context.Context, subject string, data []byte, opts ...jetstream.PublishOpt) (sequence uint64, err error) {
	if err := b.ours(); err != nil {
		return 0, fmt.Errorf("publish %s: %w", subject, err)
	}
	opts = append(opts, jetstream.WithExpectStream(b.Name(streamOf(subject))))
	ack, err := b.js.Publish(ctx, b.Subject(subject), data, opts...)
	if err != nil {
		return 0, fmt.Errorf("publish %s: %w", b.Subject(subject), b.named(err))
	}
	return ack.Sequence, nil
}

// publishTogether is publish for messages of which many may arrive at the same time.
func (b *Bus) publishTogether(ctx context.Context, with *group, subject string, data []byte) (sequence uint64, err error) {
	if err = b.ours(); err == nil {
		sequence, err = with.publish(ctx, b.Subject(subject), data)
	}
	if err != nil {
		return 0, fmt.Errorf("publish %s: %w", b.Subject(subject), b.named(err))
	}
	return sequence, nil
}

// streamOf is the stream that keeps a subject.
func streamOf(subject string) string {
	for _, cfg := range streams() {
		family, _, _ := strings.Cut(cfg.Subjects[0], "*")
		if strings.HasPrefix(subject, family) {
			return cfg.Name
		}
	}
	return ""
}
