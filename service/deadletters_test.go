package service

import (
	"testing"
	"time"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo/repotest"
)

// Between the page and the click a lead may fail for another reason, or be stored.
func TestOnlyWhatWasShownIsDropped(t *testing.T) {
	b := &Backend{DB: repotest.Migrated(t), NATS: &NATS{}, Log: leadstest.Silent()}
	bus := eventstest.Bus(t)
	b.NATS.side.Store(&natsSide{bus: bus})
	d := &deadDesk{b: b}
	park := func(id int64, reason string) {
		letter := events.DeadLetter{Notice: events.Notice{Ref: leads.Ref{MemberID: "a223c6b3710f85df22e9377d6c4f7553", LeadID: id}}, Reason: reason, LastAt: time.Now()}
		if err := events.PublishDead(t.Context(), bus, letter); err != nil {
			t.Fatal(err)
		}
	}
	for id := range int64(3) {
		park(id+1, "the card is too large")
	}
	shown, err := d.All(t.Context())
	if err != nil || len(shown) != 3 {
		t.Fatal(shown, err)
	}
	park(2, "the phone number cannot be stored")
	if err := events.DropDead(t.Context(), bus, shown[2].Ref); err != nil {
		t.Fatal(err)
	}
	if n, err := d.Drop(t.Context(), shown); n != 1 || err != nil {
		t.Errorf("dropped %d, %v", n, err)
	}
	left, err := d.All(t.Context())
	if err != nil || len(left) != 1 || left[0].Reason != "the phone number cannot be stored" {
		t.Errorf("left: %v, %v", left, err)
	}
}

// A dead letter that lies ahead of now, because the clock was set back, is as old as nothing.
func TestDeadLettersOfTheFutureAreListed(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	letter := events.DeadLetter{LastAt: now.Add(time.Hour)}
	if !(DeadFilter{}).Fits(letter, now) || (DeadFilter{OlderThan: time.Second}).Fits(letter, now) {
		t.Error("without a least age it is to be listed, with one not")
	}
}
