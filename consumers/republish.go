package consumers

import (
	"context"
	"fmt"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// republishBatch is how many rows are compared with the topic together.
const republishBatch = 500

// Announcer is the part of the mirror that makes topic and rows agree.
type Announcer interface {
	// Range returns rows with ids above after, by id.
	Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error)
	// RaiseRevisions announces rows anew, above what the topic holds of them.
	RaiseRevisions(ctx context.Context, memberID string, topic []leads.OnTopic) (int, error)
	// Reannounce announces rows as they stand.
	Reannounce(ctx context.Context, memberID string, ids []int64, since time.Time) (int, error)
	Restorer
}

// Restorer gives leads that only the topic holds their rows back.
type Restorer interface {
	RestoreFromTopic(ctx context.Context, changes []leads.Change) (int, error)
}

// Republished says what was done to make a portal's topic and rows agree.
type Republished struct {
	Rows      int `json:"rows"`      // that were compared
	Announced int `json:"announced"` // the topic did not have them
	Raised    int `json:"raised"`    // the topic had another card, or a later revision
	Restored  int `json:"recalled"`  // only the topic had them
}

// Republish makes the topic say what the rows say: it fills one that was lost, and goes
// beyond one that knows more than a database that was lost or restored. What it announces
// goes through the outbox, so it needs no lease. Leads that only the topic has get their
// rows back: the next pass asks the portal for them, and only "Not found" deletes.
func Republish(ctx context.Context, mirror Announcer, topic *events.Topic, memberID string) (done Republished, err error) {
	for after := int64(0); ; {
		rows, err := mirror.Range(ctx, memberID, after, leads.MaxID, republishBatch)
		if err != nil || len(rows) == 0 {
			if err == nil {
				done.Restored, err = recall(ctx, mirror, topic, memberID)
			}
			return done, err
		}
		if err := done.level(ctx, mirror, topic, rows); err != nil {
			return done, err
		}
		after = rows[len(rows)-1].LeadID
	}
}

// level compares rows of one portal with the topic and announces those that differ.
func (d *Republished) level(ctx context.Context, mirror Announcer, topic *events.Topic, rows []leads.Row) error {
	var lacking []int64
	var ahead []leads.OnTopic
	for _, row := range rows {
		last, ok, err := topic.Last(ctx, row.Ref)
		if err != nil {
			return err
		}
		switch same := ok && sameAs(&last, &row); {
		case !ok || last.Revision < row.Revision:
			lacking = append(lacking, row.LeadID)
		case last.Revision > row.Revision || !same:
			ahead = append(ahead, leads.OnTopic{
				LeadID: row.LeadID, Revision: last.Revision, Deleted: last.Kind == leads.RemovedKind, Distinct: !same,
			})
		}
	}
	memberID := rows[0].MemberID
	d.Rows += len(rows)
	announced, err := mirror.Reannounce(ctx, memberID, lacking, time.Now().Add(-events.TombstoneLife))
	if err != nil {
		return err
	}
	raised, err := mirror.RaiseRevisions(ctx, memberID, ahead)
	d.Announced += announced
	d.Raised += raised
	return err
}

// sameAs tells whether a subscriber who has the change knows what the row says.
func sameAs(c *leads.Change, row *leads.Row) bool {
	if gone := c.Kind == leads.RemovedKind; gone || row.Deleted {
		return gone == row.Deleted
	}
	return c.Oversize || leads.SameCard(c.Lead, row.Raw)
}

func recall(ctx context.Context, mirror Restorer, topic *events.Topic, memberID string) (count int, err error) {
	err = topic.Walk(ctx, memberID, func(changes []leads.Change) error {
		n, err := mirror.RestoreFromTopic(ctx, changes)
		count += n
		return err
	})
	return count, err
}

// recall gives a database that is new the leads that the topic still holds, before the
// import compares them with the portal: revisions go on, and what was deleted meanwhile
// is found.
func (o *owner) recall(ctx context.Context) error {
	_, imported, err := o.Mirror.LastCompleted(ctx, o.memberID())
	if err != nil || imported {
		return err
	}
	topic, err := events.OpenTopic(ctx, o.JS)
	if err != nil {
		return err
	}
	count, err := recall(ctx, o.Mirror, topic, o.memberID())
	if err != nil {
		return fmt.Errorf("recall the leads of %s: %w", o.memberID(), err)
	}
	if count > 0 {
		o.Log.WarnContext(ctx, "the database is new, the topic is not: its leads were taken from there, until the import has seen them",
			"member_id", o.memberID(), "leads", count)
	}
	return nil
}
