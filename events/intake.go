package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events/spool"
	"leadsync/journal"
)

// Limits that let a callback be answered in time.
const (
	publishLimit = time.Second     // how long a stream may take to acknowledge an entry
	directFor    = 5 * time.Second // after a time-out entries go straight into the spool for that long
	losingFor    = time.Minute     // how long Losing reports a lost entry if no later one is kept
)

// Intake stores callbacks: on their stream or, if that fails or takes too long, in a
// spool.
type Intake struct {
	// Publish returns when the stream has the entry on disk, and its sequence there.
	Publish func(context.Context, Entry) (sequence uint64, err error)
	// Verified keeps entries until their stream is back; Unverified keeps those that must be
	// verified first. They are separate so that forgeries, which anybody can send while the
	// database is down, can only fill a spool of their own. Both are opened with EntryTime.
	Verified   *spool.Spool
	Unverified *spool.Spool
	Now        func() time.Time
	Journal    *journal.Journal // what became of entries; nil keeps nothing
	Log        *slog.Logger

	// Entries that this process published, spooled and lost since it started.
	Published, Spooled, Lost atomic.Int64

	direct  atomic.Pointer[time.Time] // until when entries go straight into the spool; nil while NATS answers
	probing atomic.Bool               // one callback is trying whether NATS answers again
	full    atomic.Bool               // a full spool was logged
	losing  atomic.Pointer[time.Time] // when the last entry was lost; nil if it was kept
	refused atomic.Pointer[error]     // why the stream refused the last entry; nil if it did not
	doubts  doubts                    // lost entries that nobody could verify
}

// Take returns when the entry is on disk, on its stream or in a spool. After an error it
// is on neither: the callback must not be answered 200.
func (i *Intake) Take(ctx context.Context, e Entry) error {
	if e.TokenHash != "" {
		return i.spool(ctx, i.Unverified, e, nil)
	}
	if !i.tryStream() {
		return i.spool(ctx, i.Verified, e, nil)
	}
	refused := i.publish(ctx, e, journal.Received)
	i.probing.Store(false)
	if refused == nil {
		return nil
	}
	return i.spool(ctx, i.Verified, e, refused)
}

// tryStream reports whether to try the stream. Some time after a time-out, one callback at
// a time tries; the others do not wait for it.
func (i *Intake) tryStream() bool {
	until := i.direct.Load()
	return until == nil || !i.Now().Before(*until) && i.probing.CompareAndSwap(false, true)
}

func (i *Intake) publish(ctx context.Context, e Entry, as journal.Kind) error {
	// A client that hangs up must not stop what is about to be confirmed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	began := time.Now()
	sequence, err := i.Publish(ctx, e)
	switch {
	case err == nil:
		i.note(as, e, journal.Entry{Sequence: sequence, Took: time.Since(began)})
		i.Published.Add(1)
		i.direct.Store(nil)
		i.losing.Store(nil)
		i.refused.Store(nil)
	case errors.As(err, new(*jetstream.APIError)):
		i.refused.Store(&err)
	case ctx.Err() != nil:
		now := i.Now()
		until := now.Add(directFor)
		if before := i.direct.Swap(&until); before != nil && before.After(now) {
			break // another callback has logged it
		}
		i.Log.WarnContext(ctx, "NATS does not answer, callbacks go into the spool", "error", err, "for", directFor)
	}
	return err
}

// spool keeps the entry; refused is why its stream did not, nil if it was not tried.
func (i *Intake) spool(ctx context.Context, to *spool.Spool, e Entry, refused error) error {
	payload, err := json.Marshal(e)
	if err == nil {
		err = to.Append(context.WithoutCancel(ctx), payload, e.At)
	}
	if err == nil {
		i.note(journal.Spooled, e, journal.Entry{Word: unverified(e)})
		i.Spooled.Add(1)
		i.full.Store(false)
		i.losing.Store(nil)
		return nil
	}
	if errors.Is(err, spool.ErrFull) && !i.full.Swap(true) {
		i.Log.ErrorContext(ctx, "the spool is full: callbacks are lost until NATS and the database are back", "limit_bytes", to.Stats().Limit)
	}
	if refused == nil && e.TokenHash == "" {
		if refused = i.publish(ctx, e, journal.Received); refused == nil {
			return nil
		}
	}
	if e.TokenHash == "" || i.doubts.allow(i.Now()) {
		i.note(journal.Lost, e, journal.Entry{})
	}
	i.Lost.Add(1)
	now := i.Now()
	i.losing.Store(&now)
	return fmt.Errorf("%w; %w", errors.Join(refused), err)
}

// doubtsMost is how many lost entries that nobody could verify the journal keeps of a minute:
// anybody can send them, and they must not push everything else out of it.
const doubtsMost = 100

// doubts counts them.
type doubts struct {
	mu     sync.Mutex
	minute time.Time
	count  int
}

func (d *doubts) allow(now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if minute := now.Truncate(time.Minute); !minute.Equal(d.minute) {
		d.minute, d.count = minute, 0
	}
	d.count++
	return d.count <= doubtsMost
}

// Waiting sums up what waits in both spools.
func (i *Intake) Waiting() spool.Stats {
	sum := i.Verified.Stats()
	other := i.Unverified.Stats()
	sum.Entries += other.Entries
	sum.Bytes += other.Bytes
	sum.Limit += other.Limit
	if sum.Oldest.IsZero() || !other.Oldest.IsZero() && other.Oldest.Before(sum.Oldest) {
		sum.Oldest = other.Oldest
	}
	return sum
}

// Full reports whether callbacks are being lost because a spool has no room.
func (i *Intake) Full() bool { return i.full.Load() }

// Losing reports whether the last callback was lost less than a minute ago.
func (i *Intake) Losing() bool {
	at := i.losing.Load()
	return at != nil && i.Now().Sub(*at) < losingFor
}

// Avoiding reports whether entries go into the spool because the stream did not answer
// when it was last tried.
func (i *Intake) Avoiding() bool { return i.direct.Load() != nil }

// Refusal is why the stream refused the last entry that was put on it, as long as the spool has
// entries; nil if it took it. That the stream could not be asked is no refusal.
func (i *Intake) Refusal() error {
	if err := i.refused.Load(); err != nil && i.Verified.Stats().Entries > 0 {
		return *err
	}
	return nil
}

// Run drains the spools until the context ends. verify says whether an entry that could
// not be verified when it came is genuine; if it returns an error, it is asked again
// later.
func (i *Intake) Run(ctx context.Context, verify func(context.Context, Entry) (bool, error)) error {
	done := make(chan error, 1)
	go func() { done <- i.drain(ctx, i.Verified, i.deliver) }()
	err := i.drain(ctx, i.Unverified, func(ctx context.Context, e Entry) error {
		genuine, err := verify(ctx, e)
		if err != nil || !genuine {
			if err == nil {
				i.note(journal.Forged, e, journal.Entry{Since: e.At})
			}
			return err
		}
		return i.deliver(ctx, e)
	})
	return errors.Join(err, <-done)
}

// drain delivers the entries of a spool. It drops a record that is not an entry.
func (i *Intake) drain(ctx context.Context, from *spool.Spool, deliver func(context.Context, Entry) error) error {
	return from.Run(ctx, func(ctx context.Context, payload []byte) error {
		e, err := decodeEntry(payload)
		if err != nil {
			i.Log.ErrorContext(ctx, "spool holds a record that is not an entry, dropping it", "error", err)
			return nil
		}
		return deliver(ctx, e)
	})
}

func (i *Intake) deliver(ctx context.Context, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, 5*publishLimit)
	defer cancel()
	sequence, err := i.Publish(ctx, e)
	if err != nil {
		return err
	}
	i.note(journal.Drained, e, journal.Entry{Sequence: sequence, Since: e.At, Word: unverified(e)})
	i.Published.Add(1)
	i.direct.Store(nil) // NATS answers again, even if no callback comes to try it
	i.refused.Store(nil)
	return nil
}

// unverified is the journal's word for an entry that had to be verified first.
func unverified(e Entry) string {
	if e.TokenHash != "" {
		return journal.Unverified
	}
	return ""
}

// noticeSubjects is how subjects of leads' notices begin.
const noticeSubjects = "bitrix24.notices."

// note writes into the journal what became of a lead's callback.
func (i *Intake) note(kind journal.Kind, e Entry, about journal.Entry) {
	if i.Journal == nil || !strings.HasPrefix(e.Subject, noticeSubjects) {
		return
	}
	ref, err := parseRef(e.Subject)
	if err != nil {
		return
	}
	about.Kind, about.MemberID, about.LeadID = kind, ref.MemberID, ref.LeadID
	about.Event, about.Cause = word(e.Data, `"event":"`), word(e.Data, `"cause":"`)
	if about.At = e.At; kind == journal.Drained || kind == journal.Forged {
		about.At = i.Now()
	}
	i.Journal.Add(about)
}

// word is the text behind a name in the JSON of a notice; "" where there is none. Reading all of
// it would cost as much as the rest of the entry.
func word(data []byte, name string) string {
	_, rest, _ := bytes.Cut(data, []byte(name))
	text, _, _ := bytes.Cut(rest, []byte{'"'})
	if bytes.IndexByte(text, '\\') >= 0 {
		return ""
	}
	return string(text)
}
