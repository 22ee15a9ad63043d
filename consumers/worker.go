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
const finishLimit = 3 * time.Second

// bitrixDelete is the event after which "Not found" needs no second proof.
const bitrixDelete = "ONCRMLEADDELETE"

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

// worker takes a portal's notices, one batch at a time: fetch, read, apply, acknowledge.
// A batch whose read or write fails is not acknowledged and comes again.
type worker struct {
	memberID string
	js       jetstream.JetStream
	reader   Reader
	mirror   Applier
	turn     *sync.Mutex // held while a read's result is on its way into the mirror
	tally    *Tally
	wake     func() // there is something to relay
	log      *slog.Logger
}

// run works until the context ends or the portal needs a person.
func (w *worker) run(ctx context.Context) error {
	consumer, err := events.Notices(ctx, w.js, w.memberID)
	if err != nil {
		return err
	}
	for failures := 0; ctx.Err() == nil; {
		msgs, err := fetch(consumer)
		if err == nil && len(msgs) > 0 {
			err = w.handle(ctx, msgs)
		}
		switch judge(err) {
		case carryOn:
			failures = 0
		case giveUp:
			return err
		case tryLater:
			w.log.WarnContext(ctx, "notices wait", "member_id", w.memberID, "error", err, "notices", len(msgs))
			pause(ctx, delay(failures))
			failures++
		}
	}
	return nil
}

// fetch waits up to a second for a first notice, then fills the batch.
func fetch(consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	msgs, err := take(consumer, 1, time.Second)
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	more, err := take(consumer, batchMax-1, linger)
	return append(msgs, more...), err
}

func take(consumer jetstream.Consumer, count int, wait time.Duration) ([]jetstream.Msg, error) {
	batch, err := consumer.Fetch(count, jetstream.FetchMaxWait(wait))
	if err != nil {
		return nil, fmt.Errorf("fetch notices: %w", err)
	}
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if err := batch.Error(); err != nil {
		return msgs, fmt.Errorf("fetch notices: %w", err)
	}
	return msgs, nil
}

// handle reads what a batch of notices names, writes it, and acknowledges the batch.
// It finishes although a stop was asked for.
func (w *worker) handle(ctx context.Context, msgs []jetstream.Msg) error {
	defer events.KeepWorking(msgs)()
	ctx, cancel := finishing(ctx)
	defer cancel()
	notices := w.parse(ctx, msgs)
	outcomes, snaps, err := w.readAndApply(ctx, notices)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		if o.Verdict != leads.Failed {
			continue
		}
		if err := w.park(ctx, notices[o.LeadID], o, snaps[i].Lead.Raw); err != nil {
			return err
		}
	}
	w.acknowledge(ctx, msgs)
	return nil
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
		if earlier, ok := notices[n.Ref.LeadID]; ok && earlier.Event == bitrixDelete {
			n.Event = bitrixDelete
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
	w.tally.Read.Add(int64(len(snaps)))
	for i := range snaps {
		n := notices[snaps[i].LeadID]
		snaps[i].MemberID, snaps[i].Cause = w.memberID, n.Cause
		snaps[i].Proven = n.Event == bitrixDelete
	}
	outcomes, err := apply(ctx, w.mirror, snaps)
	if err != nil {
		return nil, nil, fmt.Errorf("write %d leads of %s: %w", len(snaps), w.memberID, err)
	}
	w.tally.Count(outcomes)
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

// park gives a lead's notice up: its payload goes to SQL, the notice to the dead
// letters, and the other leads go on.
func (w *worker) park(ctx context.Context, n events.Notice, o leads.Outcome, payload []byte) error {
	if err := w.mirror.RecordFailure(ctx, o.Ref, o.Err.Error(), payload); err != nil {
		return fmt.Errorf("record the failure of %s: %w", o.Ref, err)
	}
	now := time.Now().UTC()
	dead := events.DeadLetter{Notice: n, Reason: o.Err.Error(), Attempts: 1, FirstAt: now, LastAt: now}
	if err := events.PublishDead(ctx, w.js, dead); err != nil {
		return fmt.Errorf("park the notice of %s: %w", o.Ref, err)
	}
	w.tally.Parked.Add(1)
	w.log.ErrorContext(ctx, "lead cannot be written", "member_id", o.MemberID, "lead_id", o.LeadID, "error", o.Err)
	return nil
}

// acknowledge marks the batch as done. Where an acknowledgement is lost the notice comes
// again, which costs a read and changes nothing.
func (w *worker) acknowledge(ctx context.Context, msgs []jetstream.Msg) {
	for _, msg := range msgs {
		if err := msg.Ack(); err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			w.log.WarnContext(ctx, "notice will come again", "subject", msg.Subject(), "error", err)
		}
	}
}
