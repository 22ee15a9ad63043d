package consumers

import (
	"context"
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
	// RaiseRevisions announces rows again, with revisions above those on the topic.
	RaiseRevisions(ctx context.Context, memberID string, topic []leads.OnTopic) (int, error)
	// Reannounce announces rows as they stand.
	Reannounce(ctx context.Context, memberID string, ids []int64, since time.Time) (int, error)
	Restorer
}

// Restorer recreates the rows of leads that only the topic holds.
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
// goes through the outbox, so it needs no lease. It recreates the rows of leads that
// only the topic has: the next pass asks the portal for them, and only "Not found" deletes.
// compared is called with the rows so far.
func Republish(ctx context.Context, mirror Announcer, topic *events.Topic, memberID string, compared func(rows int)) (done Republished, err error) {
	for after := int64(0); ; {
		rows, err := mirror.Range(ctx, memberID, after, leads.MaxID, republishBatch)
		if err != nil || len(rows) == 0 {
			if err == nil {
				done.Restored, err = RestoreFromTopic(ctx, mirror, topic, memberID)
			}
			return done, err
		}
		if err := done.level(ctx, mirror, topic, rows); err != nil {
			return done, err
		}
		compared(done.Rows)
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

// RestoreFromTopic recreates the rows of leads that only the topic has, and returns how
// many.
func RestoreFromTopic(ctx context.Context, mirror Restorer, topic *events.Topic, memberID string) (count int, err error) {
	err = topic.Walk(ctx, memberID, func(changes []leads.Change) error {
		n, err := mirror.RestoreFromTopic(ctx, changes)
		count += n
		return err
	})
	return count, err
}
