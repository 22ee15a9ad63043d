package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/owner"
)

// storyDesk is what the pages know and do of single leads.
type storyDesk struct{ s *Service }

// Why implements console.Stories.
func (d storyDesk) Why(ctx context.Context, ref leads.Ref, since time.Time) (journal.Timeline, error) {
	portal, err := d.portal(ctx, ref)
	if err != nil {
		return journal.Timeline{}, err
	}
	b := d.s.Backend
	return Why(ctx, b.DB, b.Config, portal, ref.LeadID, Span{Since: since})
}

// portal is the portal of a lead.
func (d storyDesk) portal(ctx context.Context, ref leads.Ref) (leads.Portal, error) {
	portal, ok, err := d.s.Backend.DB.Portal(ctx, ref.MemberID)
	if err == nil && !ok {
		err = console.ErrNotFound
	}
	return portal, err
}

// Changes implements console.Stories.
func (d storyDesk) Changes(ctx context.Context, ref leads.Ref, limit int) ([]leads.Revised, error) {
	return d.s.Backend.DB.Changes(ctx, ref, limit)
}

// Compare implements console.Stories. Only the portal's owner knows what is left of the portal's
// limits, so another process does not read.
func (d storyDesk) Compare(ctx context.Context, ref leads.Ref) (console.Comparison, error) {
	portal, err := d.portal(ctx, ref)
	if err != nil {
		return console.Comparison{}, err
	}
	owners := d.s.owners.Load()
	if owners == nil {
		return console.Comparison{}, fmt.Errorf("%w: leadsync is starting", console.ErrConflict)
	}
	snap, err := owners.Look(ctx, ref)
	switch {
	case errors.Is(err, owner.ErrElsewhere):
		standing, _, _ := d.s.Backend.DB.Standing(ctx, ref.MemberID) // it only adds a name
		return console.Comparison{}, fmt.Errorf("%w: portal %s is not served by this process: ask the page of %s", console.ErrConflict, portal.Domain, cmp.Or(standing.Owner, "the one that serves it"))
	case err != nil:
		return console.Comparison{}, err
	}
	row, ok, err := d.s.Backend.DB.Row(ctx, ref)
	return compareRow(row, ok && !row.Deleted, &snap), err
}

// compareRow finds what differs between a row and the portal's answer.
func compareRow(row leads.Row, known bool, snap *leads.Snapshot) console.Comparison {
	c := console.Comparison{At: snap.ReadAt, Sight: snap.Sight, Known: known}
	switch {
	case snap.Err != nil:
		c.Problem = snap.Err.Error()
	case known && snap.Sight == leads.Present:
		differing := leads.FieldChanges(row.Differences(&snap.Lead))
		c.Fields = leads.WithValues(differing, cardOf(&row), &snap.Lead)
	}
	return c
}

// cardOf is a row as a card, with what its columns have.
func cardOf(row *leads.Row) *leads.Lead {
	card, err := leads.Parse(row.Raw)
	if err != nil { // an adopted row has no card
		card = leads.Lead{ID: row.LeadID}
	}
	card.Values, card.Contacts = row.Columns, row.Contacts
	return &card
}

// Repair implements console.Stories: whoever owns the portal reads the lead and writes it, even
// where the row's hash says that it is equal.
func (d storyDesk) Repair(ctx context.Context, ref leads.Ref) error {
	b := d.s.Backend
	portal, err := d.portal(ctx, ref)
	switch {
	case err != nil:
		return err
	case portal.State != leads.PortalActive:
		return fmt.Errorf("%w: portal %s is not active", console.ErrConflict, cmp.Or(portal.Domain, ref.MemberID))
	case b.NATS.Bus() == nil:
		return errNoNATS
	}
	if err := events.PublishNotice(ctx, b.NATS.Bus(), events.Notice{Ref: ref, Event: string(bitrix24.LeadUpdate), Cause: leads.CauseReconcile, Force: true}); err != nil {
		return err
	}
	b.Journal.Add(journal.Entry{At: b.Config.Now(), Kind: journal.Replayed, MemberID: ref.MemberID, LeadID: ref.LeadID, Event: string(bitrix24.LeadUpdate)})
	return nil
}
