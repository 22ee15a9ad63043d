package events_test

import (
	"testing"

	"leadsync/events/eventstest"
	"leadsync/leads"
)

// A walk sees the newest change of each lead once. A server makes a consumer for each page, which takes long on a large
// stream: so there are few.
func TestAWalkAsksForManyChangesAtOnce(t *testing.T) {
	const count = 2500
	bus := eventstest.Bus(t)
	topic := openTopic(t, bus)
	announceAll(t, topic, revision(count, 1, leads.Added)...)
	announceAll(t, topic, revision(count/2, 2, leads.Changed)...)
	made := 0
	sub, err := bus.Conn().SubscribeSync("$JS.API.CONSUMER.CREATE.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := bus.Conn().Flush(); err != nil {
		t.Fatal(err)
	}
	seen := map[int64]int64{}
	err = topic.Walk(t.Context(), member, func(changes []leads.Change) error {
		for _, c := range changes {
			if seen[c.LeadID] != 0 {
				t.Errorf("lead %d comes twice", c.LeadID)
			}
			seen[c.LeadID] = c.Revision
		}
		return nil
	})
	if err != nil || len(seen) != count || seen[1] != 2 || seen[count] != 1 {
		t.Errorf("%d leads of %d, at revisions %d and %d: %v", len(seen), count, seen[1], seen[count], err)
	}
	for ; ; made++ {
		if n, _, err := sub.Pending(); err != nil || n == 0 {
			break
		}
		if _, err := sub.NextMsgWithContext(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if made == 0 || made > 6 {
		t.Errorf("%d consumers were made", made)
	}
}

func TestTheNewestChangeOfAPortal(t *testing.T) {
	topic := openTopic(t, eventstest.Bus(t))
	if _, ok, err := topic.Newest(t.Context(), member); ok || err != nil {
		t.Errorf("there is one on an empty topic: %v", err)
	}
	other := change(3, 9, leads.Added)
	other.MemberID = "another"
	announce(t, topic, change(1, 1, leads.Added), change(2, 1, leads.Added), change(1, 2, leads.Changed), other)
	if c, ok, err := topic.Newest(t.Context(), member); !ok || err != nil || c.LeadID != 1 || c.Revision != 2 {
		t.Errorf("got revision %d of lead %d, %v, %v", c.Revision, c.LeadID, ok, err)
	}
}
