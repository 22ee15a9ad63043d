package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// requestCount is the number of requests that a portal received, without those to its
// authorization server.
func requestCount(p *emulator.Portal) (n int) {
	for method, count := range p.Stats().Requests {
		if method != "oauth.token" && method != "oauth.authorize" {
			n += count
		}
	}
	return n
}

// leadReads is how often single leads were read.
func leadReads(p *emulator.Portal) int { return p.Stats().Commands["crm.lead.get"] }

// increase is what was added to counters.
func increase(before, after map[string]int) map[string]int {
	more := map[string]int{}
	for name, n := range after {
		if n > before[name] {
			more[name] = n - before[name]
		}
	}
	return more
}

// caughtUp tells whether a pass over changed leads is completed, and no other one under way.
func (s *testServer) caughtUp(t *testing.T, db *repo.DB) bool {
	t.Helper()
	runs, err := db.Runs(t.Context(), s.member(), 100)
	if err != nil {
		t.Fatal(err)
	}
	changed := slices.ContainsFunc(runs, func(r leads.Run) bool { return r.Mode == leads.RunChanged && r.State == leads.RunCompleted })
	return changed && !slices.ContainsFunc(runs, func(r leads.Run) bool { return r.State == leads.RunRequested || r.State == leads.RunRunning })
}

// undisturbed tells whether one owner served the portal, without an outage, since the log was
// that long. On a machine that is so slow that a lease was lost, that a database did not
// answer in time, or that an acknowledgement did not reach NATS, leadsync asks for more: then
// numbers of requests say nothing.
func (s *testServer) undisturbed(t *testing.T, length int) bool {
	t.Helper()
	log := s.log.String()[length:]
	for said, most := range map[string]int{"took over portal": 1, "part of a portal's work failed": 0, "no process served the portal": 0, "notice will come again": 0, "NATS does not answer": 0} {
		if n := strings.Count(log, said); n > most {
			t.Logf("the number of requests is not judged: the log says %q %d times", said, n)
			return false
		}
	}
	return true
}

// The service sends few requests, with the portal's limits on: for an import, a backlog and a
// busy lead.
func TestRequestsAreSpentSparingly(t *testing.T) {
	measures(t)
	t.Parallel()
	count, setUp := 1_500, 15
	if os.Getenv("LEADSYNC_TEST_SCALE") != "" {
		count = 10_000 // make test-scale
	}
	p := startEmulator(t, emulator.Config{Leads: count, Seed: 5})
	s := startServe(t, p, nil)
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	if n, limit := requestCount(p), (count+2499)/2500+1+setUp; s.undisturbed(t, 0) && n > limit {
		t.Errorf("the import took %d requests, at most %d are allowed: %v", n, limit, p.Stats().Requests)
	}
	t.Logf("import of %d leads: %v", count, p.Stats().Requests)

	// Nobody owns a portal that needs a person; its callbacks are taken all the same.
	if err := db.SetPortalState(t.Context(), s.member(), leads.PortalNeedsAuthorization); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its owner leaves", func() bool { return s.status(t, "/readyz") == 503 })
	time.Sleep(2 * time.Second)
	logged := len(s.log.String())
	p.MassEdit(count)
	if err := p.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	// However long this machine took for that, it was no outage: after one a pass over
	// the ids comes on top.
	if _, err := db.Beat(t.Context(), s.member()); err != nil {
		t.Fatal(err)
	}
	before, was := requestCount(p), p.Stats()
	if err := db.SetPortalState(t.Context(), s.member(), leads.PortalActive); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	within(t, 8*time.Minute, "the backlog is read", func() bool { // a disk syncs each of 10,000 acknowledgements
		time.Sleep(500 * time.Millisecond)
		return strings.Contains(s.metrics(t), "leadsync_notices_waiting 0\n") && s.caughtUp(t, db)
	})
	if !s.equal(t, db) {
		t.Errorf("the mirror differs; callbacks: %+v\n%s", p.Stats(), s.log)
	}
	// One request for 2,500 callbacks; for the changed leads one page, then one request for
	// 2,500, one for the end, and one for the definitions of custom fields: 11 requests for 10,000 leads.
	// What the service asks a while after it takes a portal, and then every hour, is not counted: bindings, plan,
	// CRM mode, a test event, and one batch about the offline queue.
	more, commands := increase(was.Requests, p.Stats().Requests), increase(was.Commands, p.Stats().Commands)
	n, limit := requestCount(p)-before-min(commands["event.bind"], 1), (count+2499)/2500+1+(count-50+2499)/2500+2
	for _, method := range []string{"event.get", "event.test", "app.info", "crm.settings.mode.get"} {
		n -= more[method]
	}
	if s.undisturbed(t, logged) && n > limit {
		t.Errorf("%d queued callbacks took %d requests, at most %d are allowed", count, n, limit)
	}
	t.Logf("%d queued callbacks: %d requests within %s %v, their commands %v", count, n, time.Since(begin).Round(time.Second),
		more, commands)

	id, _ := p.RandomID()
	before = leadReads(p)
	begin = time.Now()
	for range 100 {
		if err := p.Edit(id, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := p.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	took := time.Since(begin)
	eventually(t, "the last edit arrives", func() bool { return s.equal(t, db) })
	// Reads begin at least 300 ms apart, the first as early as the first callback and one more
	// after the last. A pass that catches up meanwhile lists, it does not get.
	if n, limit := leadReads(p)-before, int(took/(300*time.Millisecond))+2; n > limit {
		t.Errorf("100 edits within %s took %d reads, at most %d are allowed", took, n, limit)
	}
	t.Logf("100 edits of one lead within %s: %d reads", took, leadReads(p)-before)
	if r := p.Stats().Refusals; len(r) > 0 {
		t.Errorf("the portal refused %v", r)
	}
}
