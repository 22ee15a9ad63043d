package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"leadsync/leads"
)

// How changes travel together.
const (
	atOnce     = 64              // look-ups or single messages under way at the same time
	batchLeast = 8               // below it a batch takes longer than its messages one by one
	batchMost  = 500             // messages; servers take up to 1,000
	batchBytes = 256 << 10       // or a single message more: callbacks and leases wait for it on the same connection
	batchWait  = 5 * time.Second // for the server to confirm, as for a single message; then they go one by one
)

// errRefused says that the server took nothing of a batch; errFew that there are too few
// changes for a batch.
var (
	errRefused = errors.New("batch was refused")
	errFew     = errors.New("too few for a batch")
)

// draft is a change on its way to the topic.
type draft struct {
	change leads.Change
	last   latest // what the topic holds of the lead, as far as we know
	on     leads.OnTopic
}

// PublishAll is Publish for many changes, those of one lead in their order, with an answer
// for each. It is many times faster where the server syncs a batch once, as NATS does from
// 2.15 on. After an error any of them may be on the topic.
func (t *Topic) PublishAll(ctx context.Context, changes []leads.Change) ([]leads.OnTopic, error) {
	drafts := make([]draft, len(changes))
	var waves [][]*draft
	next := map[leads.Ref]int{}
	for i, c := range changes {
		drafts[i].change = c
		n := next[c.Ref()] // a wave has one change of a lead
		next[c.Ref()]++
		if n == len(waves) {
			waves = append(waves, nil)
		}
		waves[n] = append(waves[n], &drafts[i])
	}
	for _, wave := range waves {
		if err := t.publishWave(ctx, wave); err != nil {
			return nil, err
		}
	}
	on := make([]leads.OnTopic, len(drafts))
	for i := range drafts {
		on[i] = drafts[i].on
	}
	return on, nil
}

// publishWave publishes changes of different leads. If a batch is refused, because of one
// of its messages or because the server does not take batches, each change is looked up and
// published alone. The same happens if a batch takes too long: it would the next time, too.
func (t *Topic) publishWave(ctx context.Context, wave []*draft) error {
	if err := each(ctx, wave, t.look); err != nil {
		return err
	}
	if !t.batches {
		return each(ctx, wave, t.publishLooked)
	}
	for len(wave) > 0 {
		count, err := t.publishBatch(ctx, wave)
		switch {
		case errors.Is(err, errFew):
			err = each(ctx, wave[:count], t.publishLooked)
		case errors.Is(err, errRefused), errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			err = each(ctx, wave[:count], func(ctx context.Context, d *draft) (err error) {
				d.on, err = t.Publish(ctx, d.change)
				return err
			})
		}
		if err != nil {
			return err
		}
		wave = wave[count:]
	}
	return nil
}

// look asks what the topic holds of a lead. For a lead's first revision it assumes that the
// topic holds nothing; if that is wrong, the server refuses the change.
func (t *Topic) look(ctx context.Context, d *draft) (err error) {
	if d.change.Revision > 1 {
		d.last, err = t.last(ctx, d.change.Ref())
	}
	return err
}

// publishLooked publishes a change that was looked up.
func (t *Topic) publishLooked(ctx context.Context, d *draft) (err error) {
	d.on, err = t.publish(ctx, d.change, d.last)
	return err
}

// publishBatch publishes the first changes of a wave as one batch, and returns how many. It
// skips those that the topic is known to have.
func (t *Topic) publishBatch(ctx context.Context, wave []*draft) (count int, err error) {
	var batch []*nats.Msg
	var sent []*draft
	for size := 0; count < len(wave) && len(batch) < batchMost && size < batchBytes; count++ {
		d := wave[count]
		msg, err := t.message(d.change)
		if err != nil {
			return count, err
		}
		if d.last.revision >= d.change.Revision {
			d.on = d.last.onTopic(d.change, msg)
			continue
		}
		expect(msg, d.last)
		msg.Header.Set(jetstream.MsgIDHeader, d.change.ID())
		d.on = published(d.change, 0)
		batch, sent, size = append(batch, msg), append(sent, d), size+len(msg.Data)
	}
	switch {
	case len(batch) == 0:
		return count, nil
	case len(batch) < batchLeast:
		return count, errFew
	}
	ctx, cancel := context.WithTimeout(ctx, t.batchLimit)
	defer cancel()
	last, err := t.bus.publishBatch(ctx, batch)
	if err != nil {
		return count, fmt.Errorf("publish %d changes from %s on: %w", len(batch), batch[0].Subject, err)
	}
	for i, d := range sent { // the server stores a batch without anything between
		if behind := uint64(len(sent) - i); last >= behind { //nolint:gosec // positive
			d.on.Sequence = last - behind + 1
		}
	}
	return count, nil
}

// each calls do for all drafts, many at the same time.
func each(ctx context.Context, drafts []*draft, do func(context.Context, *draft) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, d := range drafts {
		group.Go(func() error { return do(ctx, d) })
	}
	return group.Wait()
}
