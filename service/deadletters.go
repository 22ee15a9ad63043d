package service

import (
	"context"
	"errors"

	"leadsync/events"
	"leadsync/journal"
	"leadsync/leads"
)

// errNoNATS says that NATS is not there yet.
var errNoNATS = errors.New("NATS is not ready; /readyz and the log say what it waits for")

// DeadLetters returns all dead letters of a portal, or of all with "", the oldest first.
func (b *Backend) DeadLetters(ctx context.Context, memberID string) ([]events.DeadLetter, error) {
	bus := b.Bus()
	if bus == nil {
		return nil, errNoNATS
	}
	return events.DeadLetters(ctx, bus, memberID)
}

// ReplayDead has a lead read again. The failures are forgotten first and the letter last:
// whatever is cut off between costs an attempt, never the letter.
func (b *Backend) ReplayDead(ctx context.Context, letter events.DeadLetter) error {
	bus := b.Bus()
	if bus == nil {
		return errNoNATS
	}
	if err := b.DB.ForgetFailures(ctx, letter.Ref.MemberID, []int64{letter.Ref.LeadID}); err != nil {
		return err
	}
	if err := events.PublishNotice(ctx, bus, letter.Notice); err != nil {
		return err
	}
	b.Journal.Add(journal.Entry{At: b.Config.Now(), Kind: journal.Replayed, MemberID: letter.Ref.MemberID, LeadID: letter.Ref.LeadID, Event: letter.Event})
	return events.DropDead(ctx, bus, letter.Ref)
}

// DropDead forgets a letter and the failures counted for it.
func (b *Backend) DropDead(ctx context.Context, ref leads.Ref) error {
	bus := b.Bus()
	if bus == nil {
		return errNoNATS
	}
	if err := b.DB.ForgetFailures(ctx, ref.MemberID, []int64{ref.LeadID}); err != nil {
		return err
	}
	return events.DropDead(ctx, bus, ref)
}
