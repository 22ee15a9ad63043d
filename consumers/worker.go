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
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/retry"
)

// batchMax is how many notices are taken together: what one request can read.
const batchMax = 2500

// readEvery is the least time between the beginnings of two reads of one portal. A lone
// edit is read at once; a stream of edits costs four reads a second, however many they are.
const readEvery = 300 * time.Millisecond

// renewEvery is how often the consumer gets the settings that leadsync gave it: one that somebody has
// paused, or told to leave notices out, says nothing and looks like one without notices.
const renewEvery = 30 * time.Second

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

// Mirror is what a worker needs of the database.
type Mirror interface {
	Applier
	Failures
	Callbacks
}

// Worker takes a portal's notices, one batch at a time: fetch, read, apply, acknowledge.
// A batch whose read or write fails is given back and comes again. Only the portal's
// owner runs one.
type Worker struct {
	MemberID string
	Bus      *events.Bus
	Reader   Reader
	Mirror   Mirror
	// ReadOrder is held from before a read is sent until its result is written, so that
	// reads of one portal reach the mirror in the order of their tickets.
	ReadOrder sync.Locker
	// RetryPolicy says when a lead that failed is tried again; nil is DefaultRetryPolicy.
	RetryPolicy func(attempts int) (wait time.Duration, again bool)
	Now         func() time.Time
	Stats       *Stats
	Wake        func() // called when there is something to relay
	// Report is called with the error of each step that failed, and with nil after one that
	// did not; nil is nothing.
	Report func(error)
	// Heard is called before each read with the time at which the last callback came that
	// the read is for; nil is nothing.
	Heard   func(receivedAt time.Time)
	Journal *journal.Journal // what was read; nil keeps nothing
	Log     *slog.Logger

	failing map[int64]leads.Failing // leads that could not be written, by id
	readAt  time.Time               // when the last read for notices began
	renewed time.Time               // when NATS was asked for the consumer
}

// Run works until the context ends or a person has to act on the portal.
func (w *Worker) Run(ctx context.Context) error {
	var consumer jetstream.Consumer
	loop := retry.Loop{
		Policy: retry.Standard, Final: leads.Final,
		Failed: func(err error, _ int, pause time.Duration) {
			consumer = nil // it may be what fails
			w.Log.WarnContext(ctx, "cannot process notices, retrying", "member_id", w.MemberID, "error", err, "pause", pause)
		},
	}
	return loop.Run(ctx, func(ctx context.Context) error {
		err := w.step(ctx, &consumer)
		if w.Report != nil && ctx.Err() == nil {
			w.Report(err)
		}
		return err
	})
}

// step deals with one batch of notices, then with failed leads whose time has come.
func (w *Worker) step(ctx context.Context, consumer *jetstream.Consumer) (err error) {
	if w.failing == nil {
		if err := w.loadFailures(ctx); err != nil {
			return err
		}
	}
	if now := w.Now(); *consumer == nil || now.Sub(w.renewed) >= renewEvery || now.Before(w.renewed) {
		if *consumer, err = events.Notices(ctx, w.Bus, w.MemberID); err != nil {
			return err
		}
		w.renewed = now
	}
	msgs, err := w.fetch(ctx, *consumer)
	if len(msgs) > 0 {
		err = errors.Join(err, w.handle(ctx, msgs))
	}
	if err != nil {
		return fmt.Errorf("%d notices: %w", len(msgs), err)
	}
	return w.retryFailed(ctx)
}

// fetch waits up to a second for a first notice and takes all that wait then: a backlog is
// read in full batches. Where the last read began only just now, others may join before.
func (w *Worker) fetch(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	msgs, err := events.Next(ctx, consumer)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	if pause := untilNextRead(w.readAt, w.Now()); pause > 0 {
		_ = retry.Wait(ctx, pause) // where it is cut short, what was taken is finished
	}
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

// untilNextRead is how long a read has to wait after the one that began at last. A clock
// that was set back makes nobody wait longer than that.
func untilNextRead(last, now time.Time) time.Duration {
	if last.IsZero() || now.Before(last) {
		return 0
	}
	return max(0, readEvery-now.Sub(last))
}

// handle reads what a batch of notices names, writes it, and acknowledges the batch.
// It finishes although a stop was asked for.
func (w *Worker) handle(ctx context.Context, msgs []jetstream.Msg) error {
	ctx, cancel := finishing(ctx)
	defer cancel()
	stop := events.KeepWorking(msgs)
	notices := w.parse(ctx, msgs)
	w.hear(notices)
	err := w.work(ctx, notices)
	if err == nil {
		err = w.noteCallbacks(ctx, notices)
	}
	stop()
	if err != nil {
		w.Journal.Add(journal.Entry{At: w.Now(), Kind: journal.Troubled, MemberID: w.MemberID, Count: int64(len(msgs)), Text: journal.Plain(err.Error())})
		events.GiveBack(msgs)
		return err
	}
	w.acknowledge(ctx, msgs)
	w.Stats.Taken.Add(int64(len(msgs)))
	return nil
}

// hear reports the last callback among notices.
func (w *Worker) hear(notices map[int64]events.Notice) {
	var last time.Time
	for _, n := range notices {
		if n.Cause == leads.CauseEvent && n.ReceivedAt.After(last) {
			last = n.ReceivedAt
		}
	}
	if w.Heard != nil && !last.IsZero() {
		w.Heard(last)
	}
}

// work reads leads and writes them; those that fail alone are counted.
func (w *Worker) work(ctx context.Context, notices map[int64]events.Notice) error {
	outcomes, snaps, err := w.readAndApply(ctx, notices)
	if err != nil {
		return err
	}
	return w.settle(ctx, notices, outcomes, snaps)
}

// parse keeps the last notice of each lead. What is no notice of ours is logged and
// acknowledged with the rest.
func (w *Worker) parse(ctx context.Context, msgs []jetstream.Msg) map[int64]events.Notice {
	notices := make(map[int64]events.Notice, len(msgs))
	for _, msg := range msgs {
		n, err := events.ParseNotice(msg)
		if err != nil {
			w.Log.ErrorContext(ctx, "message is not a notice, skipping it", "subject", msg.Subject(), "error", err)
			continue
		}
		if earlier, ok := notices[n.Ref.LeadID]; ok && earlier.Event == leads.EventDeleted {
			n.Event = leads.EventDeleted
		}
		notices[n.Ref.LeadID] = n
	}
	return notices
}

// readAndApply holds ReadOrder from before the read is sent until its result is written,
// so that no other read of the portal can come between.
func (w *Worker) readAndApply(ctx context.Context, notices map[int64]events.Notice) ([]leads.Outcome, []leads.Snapshot, error) {
	if len(notices) == 0 {
		return nil, nil, nil
	}
	ids := make([]int64, 0, len(notices))
	for id := range notices {
		ids = append(ids, id)
	}
	w.ReadOrder.Lock()
	defer w.ReadOrder.Unlock()
	w.readAt = w.Now() // not before: a pass may have held ReadOrder for long
	started := time.Now()
	snaps, err := w.Reader.Leads(ctx, ids)
	if err != nil {
		return nil, nil, fmt.Errorf("read %d leads of %s: %w", len(ids), w.MemberID, err)
	}
	w.Stats.Read.Add(int64(len(snaps)))
	w.noteReads(snaps, notices, time.Since(started))
	for i := range snaps {
		n := notices[snaps[i].LeadID]
		snaps[i].MemberID, snaps[i].Cause = w.MemberID, n.Cause
		snaps[i].Proven, snaps[i].Force = n.Event == leads.EventDeleted, n.Force
	}
	outcomes, err := Write(ctx, w.Mirror, snaps)
	if err != nil {
		return nil, nil, fmt.Errorf("write %d leads of %s: %w", len(snaps), w.MemberID, err)
	}
	w.Stats.Count(outcomes)
	for _, o := range outcomes {
		w.Stats.wrote(o, notices[o.LeadID].ReceivedAt, w.Now())
	}
	w.Wake()
	w.Log.DebugContext(ctx, "notices handled", "member_id", w.MemberID, "leads", len(ids), "took", time.Since(started))
	return outcomes, snaps, nil
}

// noteReads writes into the journal what the portal answered.
func (w *Worker) noteReads(snaps []leads.Snapshot, notices map[int64]events.Notice, took time.Duration) {
	if w.Journal == nil {
		return
	}
	entries := make([]journal.Entry, len(snaps))
	for i, s := range snaps {
		n := notices[s.LeadID]
		word := [...]string{leads.Present: "present", leads.Absent: "absent", leads.Denied: "denied"}[s.Sight]
		if s.Err != nil {
			word = "unusable"
		}
		entries[i] = journal.Entry{
			At: s.ReadAt, Kind: journal.Read, MemberID: w.MemberID, LeadID: s.LeadID, Word: word, Event: n.Event, Cause: string(n.Cause),
			Sequence: n.Sequence, Ticket: int64(s.Ticket), Since: n.ReceivedAt, Waited: s.Waited, Took: max(0, took-s.Waited),
		}
	}
	w.Journal.Add(entries...)
}

// Write writes snapshots, except those whose answer was no lead: their outcome is Failed.
// Outcomes are in the order of the snapshots.
func Write(ctx context.Context, mirror Applier, snaps []leads.Snapshot) ([]leads.Outcome, error) {
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
func (w *Worker) acknowledge(ctx context.Context, msgs []jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	for i, msg := range msgs {
		ack := msg.Ack
		if i == len(msgs)-1 {
			ack = func() error { return msg.DoubleAck(ctx) }
		}
		if err := ack(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			w.Log.WarnContext(ctx, "notice will come again", "subject", msg.Subject(), "error", err)
		}
	}
}
