package events_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
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

// The server that is asked for a page may not have heard yet of the consumer that another one just made for it.
func TestAPageComesALittleLater(t *testing.T) {
	bus := eventstest.Bus(t)
	announceAll(t, openTopic(t, bus), revision(10, 1, leads.Added)...)
	stream, err := bus.Stream(t.Context(), events.StreamLeads)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	page, err := events.ReadPage(t.Context(), &unheard{Consumer: consumer, times: 3})
	if err != nil || len(page) != 10 {
		t.Errorf("a page has %d of 10 messages: %v", len(page), err)
	}
}

// unheard is a consumer that the servers hear of after some questions.
type unheard struct {
	jetstream.Consumer
	times int
}

func (u *unheard) FetchNoWait(batch int) (jetstream.MessageBatch, error) {
	if u.times--; u.times >= 0 {
		return nobody{}, nil
	}
	return u.Consumer.FetchNoWait(batch)
}

// nobody is what comes where no server answers.
type nobody struct{}

func (nobody) Error() error { return nats.ErrNoResponders }

func (nobody) Messages() <-chan jetstream.Msg {
	none := make(chan jetstream.Msg)
	close(none)
	return none
}
