package owner

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
	"leadsync/repo"
)

// openSilent opens a session whose portal answers every request with 1.
func openSilent(t *testing.T, clock *leadstest.Clock) (*Session, *repo.DB) {
	t.Helper()
	bitrix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"result":1}`) }))
	t.Cleanup(bitrix.Close)
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db"), Now: clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := open(&Config{Mirror: mirrorOf(db), CallbackURL: "https://leads.example.com/bitrix24/events", Now: clock.Now, Log: leadstest.Silent()}, Ownership{
		Portal: leads.Portal{MemberID: "a223c6b3710f85df22e9377d6c4f7553", WebhookURL: leads.Secret(bitrix.URL + "/rest/")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, db
}

// The first callback ends the alarm about lost test events at once, and a callback that came
// while one was awaited is as good as it.
func TestACallbackEndsTheAlarmAboutTestEvents(t *testing.T) {
	t.Parallel()
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	s, _ := openSilent(t, clock)
	s.bindings.seenAt = clock.Now()
	look := func(after time.Duration) {
		t.Helper()
		clock.Advance(after)
		if err := s.heartbeat.check(t.Context(), clock.Now()); err != nil {
			t.Fatal(err)
		}
	}
	lose := func() {
		t.Helper()
		for range testTries + 1 {
			look(testAnswer)
		}
	}
	lose()
	if s.unreachable() == "" {
		t.Fatal("no alarm")
	}
	s.heard(clock.Now().Add(-2 * time.Hour))
	if s.unreachable() == "" {
		t.Error("a callback that waited in the spool ended the alarm")
	}
	clock.Advance(time.Second)
	s.heard(clock.Now())
	if problem := s.unreachable(); problem != "" {
		t.Errorf("a callback came: %s", problem)
	}
	look(time.Second)
	if s.heartbeat.losses != 0 {
		t.Errorf("%d losses are left", s.heartbeat.losses)
	}
	look(testEvery)
	for range 2 * testTries { // test events are lost, callbacks are not
		s.heard(clock.Now())
		look(testAnswer)
		look(testEvery)
	}
	if problem := s.unreachable(); problem != "" {
		t.Errorf("callbacks come: %s", problem)
	}
	lose()
	if s.unreachable() == "" {
		t.Error("no alarm the second time")
	}
	clock.Advance(-time.Hour)
	s.heard(clock.Now())
	if problem := s.unreachable(); problem != "" {
		t.Errorf("a callback came after the clock was set back: %s", problem)
	}
}

// The same for changes without a callback. What was changed before the callback belongs to
// the silence that it ended, also where the next pass or the queue finds it only then.
func TestACallbackEndsTheAlarmAboutChanges(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	s, db := openSilent(t, clock)
	pass := func(behind time.Duration) {
		t.Helper()
		run := leads.Run{MemberID: s.memberID(), Mode: leads.RunChanged}
		id, err := db.RequestRun(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		run, _, err = db.ClaimRun(t.Context(), s.memberID())
		if err != nil {
			t.Fatal(err)
		}
		var found []leads.Finding
		for i := range int64(silentChanges) {
			found = append(found, leads.Finding{
				RunID: id, Ref: leads.Ref{MemberID: s.memberID(), LeadID: i + 1}, Kind: leads.FindingStale, FoundAt: clock.Now(),
				Cause: reconcile.CauseSilent, Behind: behind, Repaired: leads.Updated,
			})
		}
		run.State, run.Stale, run.FinishedAt, run.Since = leads.RunCompleted, silentChanges, clock.Now(), clock.Now().Add(-time.Hour)
		if err := db.Settle(t.Context(), run, found); err != nil {
			t.Fatal(err)
		}
		if err := s.silence.judge(t.Context(), run); err != nil {
			t.Fatal(err)
		}
	}
	pass(time.Minute)
	if s.unreachable() == "" {
		t.Fatal("no alarm")
	}
	s.heard(clock.Now().Add(-time.Second))
	if s.unreachable() == "" {
		t.Error("an earlier callback ended the alarm")
	}
	clock.Advance(10 * time.Minute)
	ended := clock.Now()
	s.heard(ended)
	if problem := s.unreachable(); problem != "" {
		t.Errorf("a callback came: %s", problem)
	}
	if s.queue.reachable(); !s.queue.drainer.Since.Equal(ended) {
		t.Errorf("the queue counts from %s on, want %s", s.queue.drainer.Since, ended)
	}
	clock.Advance(5 * time.Minute)
	pass(8 * time.Minute)
	if problem := s.unreachable(); problem != "" {
		t.Errorf("changes before the callback: %s", problem)
	}
	pass(2 * time.Minute)
	if s.unreachable() == "" {
		t.Error("no alarm about changes after the callback")
	}
	clock.Advance(-24 * time.Hour)
	if s.queue.reachable(); s.queue.drainer.Since.After(clock.Now()) {
		t.Errorf("the queue counts from %s on, now it is %s", s.queue.drainer.Since, clock.Now())
	}
}
