package service

import (
	"context"
	"errors"
	"time"

	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/repo"
)

// errNoNATS says that NATS is not there yet.
var errNoNATS = errors.New("NATS is not ready; /readyz and the log say what it waits for")

// DeadLetters is what can be done with leads that were given up.
type DeadLetters struct {
	db      *repo.DB
	nats    *NATS
	journal *journal.Journal
	now     func() time.Time
}

// DeadLetters are those of all portals.
func (b *Backend) DeadLetters() DeadLetters {
	return DeadLetters{b.DB, b.NATS, b.Journal, b.Config.Now}
}

// Of returns all dead letters of a portal, or of all with "", the oldest first.
func (d DeadLetters) Of(ctx context.Context, memberID string) ([]events.DeadLetter, error) {
	bus := d.nats.Bus()
	if bus == nil {
		return nil, errNoNATS
	}
	return events.DeadLetters(ctx, bus, memberID)
}

// Replay has a lead read again. The failures are forgotten first and the letter last:
// whatever is cut off between costs an attempt, never the letter.
func (d DeadLetters) Replay(ctx context.Context, letter events.DeadLetter) error {
	bus := d.nats.Bus()
	if bus == nil {
		return errNoNATS
	}
	if err := d.db.ForgetFailures(ctx, letter.Ref.MemberID, []int64{letter.Ref.LeadID}); err != nil {
		return err
	}
	if err := events.PublishNotice(ctx, bus, letter.Notice); err != nil {
		return err
	}
	d.journal.Add(journal.Entry{At: d.now(), Kind: journal.Replayed, MemberID: letter.Ref.MemberID, LeadID: letter.Ref.LeadID, Event: letter.Event})
	return events.DropDead(ctx, bus, letter.Ref)
}

// Drop forgets a letter and the failures counted for it.
func (d DeadLetters) Drop(ctx context.Context, ref leads.Ref) error {
	bus := d.nats.Bus()
	if bus == nil {
		return errNoNATS
	}
	if err := d.db.ForgetFailures(ctx, ref.MemberID, []int64{ref.LeadID}); err != nil {
		return err
	}
	return events.DropDead(ctx, bus, ref)
}
