package repotest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func failing(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	ref := leads.Ref{MemberID: member, LeadID: 7}
	later := m.clock.Now().Add(time.Minute)
	again := func(attempts int) time.Time {
		if attempts == 3 {
			return time.Time{}
		}
		return later
	}
	var f leads.Failing
	for i := range 3 {
		var err error
		if f, err = m.CountFailure(m.ctx, ref, "ONCRMLEADADD", "poem "+string(rune('a'+i)), again); err != nil {
			t.Fatal(err)
		}
		m.clock.Advance(time.Second)
	}
	want := leads.Failing{
		Ref: ref, Event: "ONCRMLEADADD", Reason: "poem c", Attempts: 3, FirstAt: start, LastAt: start.Add(2 * time.Second),
	}
	if diff := cmp.Diff(want, f); diff != "" || !f.Parked() {
		t.Errorf("after three failures (-want +got):\n%s", diff)
	}
	if _, err := m.CountFailure(m.ctx, leads.Ref{MemberID: member, LeadID: 8}, "", "", again); err != nil {
		t.Fatal(err)
	}
	kept, err := m.Failing(m.ctx, member)
	if err != nil || len(kept) != 2 || kept[0] != want || !kept[1].NextAttemptAt.Equal(later) {
		t.Errorf("kept %+v, %v", kept, err)
	}
	for _, want := range kept {
		one, ok, err := m.FailingOf(m.ctx, want.Ref)
		if diff := cmp.Diff(want, one); err != nil || !ok || diff != "" {
			m.t.Errorf("of %s: %v, %v (-want +got):\n%s", want.Ref, ok, err, diff)
		}
	}
	if none, ok, err := m.FailingOf(m.ctx, leads.Ref{MemberID: other, LeadID: kept[0].LeadID}); err != nil || ok {
		m.t.Errorf("of another portal: %+v, %v", none, err)
	}
	if none, err := m.Failing(m.ctx, other); err != nil || len(none) != 0 {
		t.Errorf("another portal has %d, %v", len(none), err)
	}
	if err := m.ForgetFailures(m.ctx, member, []int64{7, 9}); err != nil {
		t.Fatal(err)
	}
	if f, err = m.CountFailure(m.ctx, ref, "", "", again); err != nil || f.Attempts != 1 {
		t.Errorf("counted from one: %+v, %v", f, err)
	}
	for _, payload := range []string{"first", "last"} {
		if err := m.RecordFailure(m.ctx, ref, "a poem", []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok, err := m.FailedPayload(m.ctx, ref); got != "last" || !ok || err != nil {
		t.Errorf("payload %q, %v, %v", got, ok, err)
	}
	if _, ok, err := m.FailedPayload(m.ctx, leads.Ref{MemberID: other, LeadID: 7}); ok || err != nil {
		t.Errorf("another portal's payload: %v, %v", ok, err)
	}
}

func callbacks(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	for _, batch := range [][]leads.LastCallback{
		{{LeadID: 1, Event: "ONCRMLEADADD", ReceivedAt: at(1)}, {LeadID: 2, Event: "ONCRMLEADADD", ReceivedAt: at(5)}},
		{{LeadID: 1, Event: "ONCRMLEADUPDATE", ReceivedAt: at(2)}, {LeadID: 2, Event: "ONCRMLEADUPDATE", ReceivedAt: at(4)}},
		nil,
	} {
		if err := m.NoteCallbacks(m.ctx, member, batch); err != nil {
			t.Fatal(err)
		}
	}
	got, err := m.LastCallbacks(m.ctx, member, []int64{1, 2, 3})
	want := []leads.LastCallback{{LeadID: 1, Event: "ONCRMLEADUPDATE", ReceivedAt: at(2)}, {LeadID: 2, Event: "ONCRMLEADADD", ReceivedAt: at(5)}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if oldest, err := m.OutboxOldest(m.ctx); err != nil || !oldest.IsZero() {
		t.Errorf("oldest of an empty outbox: %s, %v", oldest, err)
	}
	m.verdict(leads.Inserted, present(t, 1, 1, "one"))
	m.clock.Advance(time.Hour)
	m.verdict(leads.Inserted, present(t, 2, 2, "two"))
	if oldest, err := m.OutboxOldest(m.ctx); err != nil || !oldest.Equal(start) {
		t.Errorf("oldest %s, %v", oldest, err)
	}
}
