package owner

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"
)

// The queue is read by the timer, and after a signal of the portal; several signals within a
// short time cause one read.
func TestQueueIsReadWhenItIsDue(t *testing.T) {
	s := &Session{cfg: &Config{}}
	s.queue, s.heartbeat = newQueue(s), &heartbeat{s: s}
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s.queue.at = now.Add(drainEvery)
	for _, step := range []struct {
		after  time.Duration
		signal bool
		due    bool
	}{
		{0, false, false},
		{time.Second, true, false},
		{5 * time.Second, true, false},
		{signalDelay + time.Second, false, true},
		{signalDelay + 2*time.Second, false, false}, // one read for both signals
		{drainEvery, false, true},
	} {
		if step.signal {
			s.HandleSignal(events.Doorbell)
		}
		if due := s.queue.due(now.Add(step.after)); due != step.due {
			t.Errorf("after %s: due %v, want %v", step.after, due, step.due)
		}
	}
}

// Three lost test events in a row raise an alarm: a message, a metric and an incident that
// explains findings. One that arrives ends it. A portal that does not know the method raises
// no alarm.
func TestTestEventsProveThatCallbacksArrive(t *testing.T) {
	t.Parallel()
	asked, refuse := 0, false
	bitrix := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; !strings.HasSuffix(r.URL.Path, "/event.test") {
			t.Errorf("%s was called", r.URL.Path)
		}
		if refuse {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error":"ERROR_METHOD_NOT_FOUND","error_description":"Method not found!"}`)
			return
		}
		_, _ = io.WriteString(w, `{"result":1}`)
	}))
	defer bitrix.Close()
	db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	s, err := open(&Config{Mirror: mirrorOf(db), CallbackURL: "https://leads.example.com/bitrix24/events", Log: leadstest.Silent()}, Ownership{
		Portal: leads.Portal{MemberID: "a223c6b3710f85df22e9377d6c4f7553", WebhookURL: leads.Secret(bitrix.URL + "/rest/")},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.bindings.seenAt = now
	look := func(after time.Duration, wantAsked int, alarm bool) {
		t.Helper()
		now = now.Add(after)
		if err := s.heartbeat.check(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if asked != wantAsked || (s.unreachable() != "") != alarm {
			t.Errorf("asked %d times, want %d; alarm %q, want %v", asked, wantAsked, s.unreachable(), alarm)
		}
	}
	answer := func() { s.heartbeat.receivedAt.Store(now.UnixNano()) }
	look(0, 1, false)
	look(testAnswer/2, 1, false)
	answer()
	look(testAnswer, 1, false)
	look(testEvery-time.Second, 1, false)
	look(2*time.Second, 2, false)
	look(testAnswer, 3, false) // one lost
	look(testAnswer, 4, false)
	look(testAnswer, 5, true) // three lost
	began := now.Add(-3 * testAnswer)
	look(time.Hour, 6, true)
	answer()
	look(time.Second, 6, false)
	incidents, err := db.Incidents(t.Context(), s.memberID(), began.Add(-time.Hour))
	if err != nil || len(incidents) != 2 || incidents[1].Kind != leads.IncidentSilence || !incidents[1].Covers(began.Add(time.Minute), 0) || !incidents[1].Covers(now, time.Second) {
		t.Errorf("incidents %+v, %v", incidents, err)
	}
	refuse = true
	look(testEvery, 7, false)
	look(testAnswer, 7, false)
	look(testEvery, 8, false)
}
