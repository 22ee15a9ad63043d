package consumers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
)

// batchMax is how many notices are taken together: what one request can read.
const batchMax = 2500

// linger is how long a batch is filled after its first notice, and so the least time
// between two reads of one portal: 100 edits of a lead in a second cost four reads.
const linger = 300 * time.Millisecond

// finishLimit is how long work under way may go on after a stop was asked for.
const finishLimit = 2 * time.Second

// Reader reads leads from the portal, within its limits.
type Reader interface {
	// Leads returns one snapshot for each id.
	Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error)
}

// Applier writes what was read.
type Applier interface {
	Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error)
	// RecordFailure keeps the payload of a lead that cannot be written.
	RecordFailure(ctx context.Context, ref leads.Ref, reason string, payload []byte) error
}

// Callbacks keeps when leads had their last callback.
type Callbacks interface {
	NoteCallbacks(ctx context.Context, memberID string, callbacks []leads.LastCallback) error
}

// worker takes a portal's notices, one batch at a time: fetch, read, apply, acknowledge.
// A batch whose read or write fails is given back and comes again.
type worker struct {
	memberID string
	js       jetstream.JetStream
	reader   Reader
	mirror   Mirror
	turn     sync.Locker // held while a read's result is on its way into the mirror
	patience func(attempts int) (time.Duration, bool)
	now      func() time.Time
	stats    *Stats
	wake     func() // there is something to relay
	log      *slog.Logger

	failing map[int64]leads.Failing // leads that could not be written, by id
}

// run works until the context ends or the portal needs a person.
func (w *worker) run(ctx context.Context) error {
	var consumer jetstream.Consumer
	for failures := 0; ctx.Err() == nil; {
		count, err := w.step(ctx, &consumer)
		switch judge(err) {
		case carryOn:
			failures = 0
		case giveUp:
			return err
		case tryLater:
			consumer = nil // it may be what is ill
			if ctx.Err() == nil {
				w.log.WarnContext(ctx, "notices wait", "member_id", w.memberID, "error", err, "notices", count)
			}
			pause(ctx, delay(failures))
			failures++
		}
	}
	return nil
}

// step deals with one batch of notices, then with failed leads whose time has come.
func (w *worker) step(ctx context.Context, consumer *jetstream.Consumer) (count int, err error) {
	if w.failing == nil {
		if err := w.load(ctx); err != nil {
			return 0, err
		}
	}
	if *consumer == nil {
		if *consumer, err = events.Notices(ctx, w.js, w.memberID); err != nil {
			return 0, err
		}
	}
	msgs, err := fetch(ctx, *consumer)
	if len(msgs) > 0 {
		err = errors.Join(err, w.handle(ctx, msgs))
	}
	if err != nil {
		return len(msgs), err
	}
	return len(msgs), w.retry(ctx)
}

// fetch waits up to a second for a first notice, lets others join it, and takes all that
// wait then: a backlog is read in full batches, however slow this machine is.
func fetch(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	msgs, err := next(ctx, consumer)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	pause(ctx, linger)
	// Without a deadline: one that ends while notices are on their way loses them until
	// NATS sends them again.
	batch, err := consumer.FetchNoWait(batchMax - 1)
	if err != nil {
		return msgs, fmt.Errorf("fetch notices: %w", err)
	}
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if err := batch.Error(); err != nil {
		return msgs, fmt.Errorf("fetch notices: %w", err)
	}
	return msgs, nil
}

// next waits up to a second for one message; the end of the wait or of the context is no
// error.
func next(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	batch, err := consumer.Fetch(1, jetstream.FetchContext(limited))
	if limited.Err() != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetch a message: %w", err)
	}
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if err := batch.Error(); err != nil && limited.Err() == nil {
		return msgs, fmt.Errorf("fetch a message: %w", err)
	}
	return msgs, nil
}

// handle reads what a batch of notices names, writes it, and acknowledges the batch.
// It finishes although a stop was asked for.
func (w *worker) handle(ctx context.Context, msgs []jetstream.Msg) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	stop := events.KeepWorking(msgs)
	notices := w.parse(ctx, msgs)
	err := w.work(ctx, notices)
	if err == nil {
		err = w.note(ctx, notices)
	}
	stop()
	if err != nil {
		events.GiveBack(msgs)
		return err
	}
	w.acknowledge(ctx, msgs)
	w.stats.Taken.Add(int64(len(msgs)))
	return nil
}

// work reads leads and writes them; those that fail alone are counted.
func (w *worker) work(ctx context.Context, notices map[int64]events.Notice) error {
	outcomes, snaps, err := w.readAndApply(ctx, notices)
	if err != nil {
		return err
	}
	return w.settle(ctx, notices, outcomes, snaps)
}

// parse keeps the last notice of each lead. What is no notice of ours is logged and
// acknowledged with the rest.
func (w *worker) parse(ctx context.Context, msgs []jetstream.Msg) map[int64]events.Notice {
	notices := make(map[int64]events.Notice, len(msgs))
	for _, msg := range msgs {
		n, err := events.ParseNotice(msg)
		if err != nil {
			w.log.ErrorContext(ctx, "message is no notice", "subject", msg.Subject(), "error", err)
			continue
		}
		if earlier, ok := notices[n.Ref.LeadID]; ok && earlier.Event == leads.EventDeleted {
			n.Event = leads.EventDeleted
		}
		notices[n.Ref.LeadID] = n
	}
	return notices
}

// readAndApply holds the turn from before the read is sent until its result is written,
// so that no other read of the portal can come between.
func (w *worker) readAndApply(ctx context.Context, notices map[int64]events.Notice) ([]leads.Outcome, []leads.Snapshot, error) {
	if len(notices) == 0 {
		return nil, nil, nil
	}
	ids := make([]int64, 0, len(notices))
	for id := range notices {
		ids = append(ids, id)
	}
	w.turn.Lock()
	defer w.turn.Unlock()
	started := time.Now()
	snaps, err := w.reader.Leads(ctx, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("read %d leads of %s: %w", len(ids), w.memberID, err)
	}
	w.stats.Read.Add(int64(len(snaps)))
	for i := range snaps {
		n := notices[snaps[i].LeadID]
		snaps[i].MemberID, snaps[i].Cause = w.memberID, n.Cause
		snaps[i].Proven = n.Event == leads.EventDeleted
	}
	outcomes, err := apply(ctx, w.mirror, snaps)
	if err != nil {
		return nil, nil, fmt.Errorf("write %d leads of %s: %w", len(snaps), w.memberID, err)
	}
	w.stats.Count(outcomes)
	for _, o := range outcomes {
		w.stats.wrote(o, notices[o.LeadID].ReceivedAt, w.now())
	}
	w.wake()
	w.log.DebugContext(ctx, "notices handled", "member_id", w.memberID, "leads", len(ids), "took", time.Since(started))
	return outcomes, snaps, nil
}

// apply writes snapshots, but for those whose answer was no lead: their outcome is
// Failed. Outcomes are in the order of the snapshots.
func apply(ctx context.Context, mirror Applier, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	good := make([]leads.Snapshot, 0, len(snaps))
	for _, s := range snaps {
		if s.Err == nil {
			good = append(good, s)
		}
	}
	written, err := mirror.Apply(ctx, good)
	if err != nil {
		return nil, err
	}
	outcomes := make([]leads.Outcome, len(snaps))
	for i, s := range snaps {
		if s.Err != nil {
			outcomes[i] = leads.Outcome{Ref: s.Ref, Verdict: leads.Failed, Err: s.Err}
			continue
		}
		outcomes[i], written = written[0], written[1:]
	}
	return outcomes, nil
}

// settleLimit is how long NATS may take to note that a batch is done.
const settleLimit = 30 * time.Second

// acknowledge marks the batch as done. It waits until NATS has noted the last of it: what
// is fetched while the marks wait in a queue of the server may be what was just done.
// Where one is lost the notice comes again, which costs a read and changes nothing.
func (w *worker) acknowledge(ctx context.Context, msgs []jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for i, msg := range msgs {
		ack := msg.Ack
		if i == len(msgs)-1 {
			ack = func() error { return msg.DoubleAck(ctx) }
		}
		if err := ack(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			w.log.WarnContext(ctx, "notice will come again", "subject", msg.Subject(), "error", err)
		}
	}
}
