package leads_test

import (
	"encoding/json"
	"testing"
	"time"

	"leadsync/leads"
)

func TestBreakerOpensAboveItsLimit(t *testing.T) {
	for candidates, want := range map[int64]bool{99: false, 100: false, 101: true} {
		if got := (leads.Breaker{Candidates: candidates, Limit: 100}).Open(); got != want {
			t.Errorf("%d deletions of 100: open %v", candidates, got)
		}
	}
}

func TestChangesWithTheSameState(t *testing.T) {
	change := func(kind leads.ChangeKind, card string) *leads.Change {
		return &leads.Change{Kind: kind, Lead: json.RawMessage(card)}
	}
	removed := change(leads.RemovedKind, "")
	added := change(leads.Added, `{"ID":"1","TITLE":"a"}`)
	for _, c := range []struct {
		name  string
		other *leads.Change
		want  bool
	}{
		{"the same card", change(leads.Changed, `{"ID":"1","TITLE":"a"}`), true},
		{"an equal card", change(leads.Changed, `{"ID":1,"TITLE":"a","NAME":null}`), true},
		{"another card", change(leads.Changed, `{"ID":"1","TITLE":"b"}`), false},
		{"a card that cannot be read", change(leads.Changed, `{`), false},
		{"a deletion", removed, false},
	} {
		if got, back := added.SameState(c.other), c.other.SameState(added); got != c.want || back != c.want {
			t.Errorf("%s: %v, the other way round %v", c.name, got, back)
		}
	}
	if !removed.SameState(change(leads.RemovedKind, "")) {
		t.Error("two deletions leave different states")
	}
}

func TestIncidentCoversItsMargin(t *testing.T) {
	from := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	incident := leads.Incident{From: from, To: from.Add(time.Hour)}
	for after, want := range map[time.Duration]bool{
		-61 * time.Second: false, -time.Minute: true, 0: true, time.Hour: true,
		time.Hour + time.Minute: true, time.Hour + 61*time.Second: false,
	} {
		if got := incident.Covers(from.Add(after), time.Minute); got != want {
			t.Errorf("%s after its start: %v", after, got)
		}
	}
}

func TestRunSumsAndSummary(t *testing.T) {
	sums := leads.Sums{Missed: 1, Stale: 20, Phantom: 300, Unreadable: 4000, Inserted: 1, Updated: 20, Deleted: 300}
	if sums.Found() != 4321 || sums.Repaired() != 321 {
		t.Errorf("found %d, repaired %d", sums.Found(), sums.Repaired())
	}
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for state, want := range map[leads.RunState]bool{
		leads.RunRequested: false, leads.RunRunning: false, leads.RunPaused: false, leads.RunCompleted: true, leads.RunIncomplete: true,
	} {
		run := leads.Run{ID: "r", MemberID: "m", State: state, StartedAt: began}
		if got := run.Finished(); got != want {
			t.Errorf("%s: finished %v", state, got)
		}
		if got := run.Summary(); got.Seconds != 0 || got.Run != "r" || got.Portal != "m" || got.State != state {
			t.Errorf("before its end: %+v", got)
		}
		run.FinishedAt = began.Add(90 * time.Second)
		if got := run.Summary().Seconds; got != 90 {
			t.Errorf("it took %v seconds", got)
		}
		run.FinishedAt = began.Add(-time.Hour)
		if got := run.Summary().Seconds; got != 0 {
			t.Errorf("although the clock was set back, it took %v seconds", got)
		}
		run.StartedAt = time.Time{}
		if got := run.Summary().Seconds; got != 0 {
			t.Errorf("without a start it took %v seconds", got)
		}
	}
}

func TestRunSumsAdd(t *testing.T) {
	one := leads.Sums{
		Scanned: 1, Unchanged: 2, Missed: 3, Stale: 4, Phantom: 5, Unreadable: 6,
		Inserted: 7, Updated: 8, Deleted: 9, Requests: 10, Refused: 11, Unprocessable: 12,
	}
	two := one
	two.Add(one)
	if want := (leads.Sums{
		Scanned: 2, Unchanged: 4, Missed: 6, Stale: 8, Phantom: 10, Unreadable: 12,
		Inserted: 14, Updated: 16, Deleted: 18, Requests: 20, Refused: 22, Unprocessable: 24,
	}); two != want {
		t.Errorf("twice %+v is %+v", one, two)
	}
}

func TestParkedLeadsHaveNoNextAttempt(t *testing.T) {
	if !(leads.Failing{}).Parked() || (leads.Failing{NextAttemptAt: time.Now()}).Parked() {
		t.Error("a lead is parked exactly where it has no next attempt")
	}
}

func TestPortalsAreTheSameApartFromTheirTime(t *testing.T) {
	portal := leads.Portal{MemberID: "m", Domain: "a", UpdatedAt: time.Unix(1, 0)}
	later, moved := portal, portal
	later.UpdatedAt, moved.Domain = time.Unix(2, 0), "b"
	if !portal.Same(later) || portal.Same(moved) {
		t.Errorf("later: %v, moved: %v", portal.Same(later), portal.Same(moved))
	}
}

func TestRefNamesPortalAndLead(t *testing.T) {
	ref := leads.Change{MemberID: "m", LeadID: leads.MaxID}.Ref()
	if got := ref.String(); got != "m/2147483647" {
		t.Errorf("named %s", got)
	}
}

func TestAnswerWithoutLeadsIsAnEmptyList(t *testing.T) {
	text, err := json.Marshal(leads.NewAnswer(nil))
	if err != nil || string(text) != `{"count":0,"leads":[]}` {
		t.Errorf("%s, %v", text, err)
	}
}
