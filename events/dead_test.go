package events_test

import (
	"fmt"
	"slices"
	"testing"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

const otherMember = "b223c6b3710f85df22e9377d6c4f7553"

// fillLetters parks that many notices of two portals in turn.
func fillLetters(tb testing.TB, bus *events.Bus, count int) {
	tb.Helper()
	for i := range count {
		of := []string{member, otherMember}[i%2]
		letter := events.DeadLetter{Notice: events.Notice{Ref: leads.Ref{MemberID: of, LeadID: int64(i + 1)}}, Reason: fmt.Sprintf("reason %d", i)}
		if err := events.PublishDead(tb.Context(), bus, letter); err != nil {
			tb.Fatal(err)
		}
	}
}

// More letters than are asked for together come in their order, and reading leaves nothing behind.
func TestDeadLettersAreReadInTheirOrder(t *testing.T) {
	bus := eventstest.Bus(t)
	const count = 2*1000 + 700
	fillLetters(t, bus, count)
	for of, want := range map[string]int{"": count, member: count / 2, otherMember: count / 2, "c223c6b3710f85df22e9377d6c4f7553": 0} {
		letters, err := events.DeadLetters(t.Context(), bus, of)
		if err != nil || len(letters) != want {
			t.Errorf("%d letters of %q, want %d: %v", len(letters), of, want, err)
		}
		if !slices.IsSortedFunc(letters, func(a, b events.DeadLetter) int { return int(a.Ref.LeadID - b.Ref.LeadID) }) {
			t.Errorf("the letters of %q are not in their order", of)
		}
	}
	if err := events.DropDead(t.Context(), bus, leads.Ref{MemberID: member, LeadID: 1}); err != nil {
		t.Fatal(err)
	}
	letters, err := events.DeadLetters(t.Context(), bus, "")
	if err != nil || len(letters) != count-1 || letters[0].Ref.LeadID != 2 || letters[0].Reason != "reason 1" {
		t.Errorf("after one was dropped: %d letters, %v", len(letters), err)
	}
}

// BenchmarkDeadLetters reads ten thousand, as a page of them does.
func BenchmarkDeadLetters(b *testing.B) {
	bus := eventstest.Bus(b)
	fillLetters(b, bus, 10_000)
	for b.Loop() {
		if letters, err := events.DeadLetters(b.Context(), bus, ""); err != nil || len(letters) != 10_000 {
			b.Fatal(len(letters), err)
		}
	}
}
