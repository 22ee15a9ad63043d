package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

var (
	idlePortals = flag.String("idle-portals", "0", "numbers of portals of the test of idle portals, separated by commas; 0 skips it, 1,10,100 is what to judge by")
	// Owners look at everything once in five minutes, those of portals that came together within the same one: a
	// single minute has all of that or nothing.
	idleFor = flag.Duration("idle-for", 5*time.Minute, "how long TestIdlePortals watches them")
)

// idleStatements is how many statements a second one more idle portal may cost.
const idleStatements = 0.1

// idleCost is what a service with idle portals used in a while.
type idleCost struct {
	portals    int
	statements float64 // a second
	processor  float64 // seconds a minute
	goroutines float64
	memory     float64 // MB
	judged     bool    // nothing else happened meanwhile
}

// TestIdlePortals measures what portals cost at which nothing happens. Everything that a service
// asks of its own accord is paced by timers that begin when the last question is answered, so on
// a slow machine it asks less, not more. The database is SQLite and NATS a process of its own.
func TestIdlePortals(t *testing.T) {
	if *idlePortals == "0" {
		t.Skip("takes six to nine minutes for each number of portals: -idle-portals says how many")
	}
	var costs []idleCost
	for number := range strings.SplitSeq(*idlePortals, ",") {
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 {
			t.Fatalf("-idle-portals: %q is no number of portals, want numbers separated by commas", number)
		}
		t.Run(number, func(t *testing.T) { costs = append(costs, costOfIdle(t, n)) })
		if t.Failed() {
			return
		}
	}
	slices.SortFunc(costs, func(a, b idleCost) int { return a.portals - b.portals })
	for i, c := range costs {
		figure(t, "idle portals: statements", c.portals, c.statements, "a second")
		figure(t, "idle portals: processor", c.portals, c.processor, "s a minute")
		figure(t, "idle portals: goroutines", c.portals, c.goroutines, "")
		figure(t, "idle portals: memory", c.portals, c.memory, "MB")
		if i == 0 || c.portals == costs[i-1].portals {
			continue
		}
		was := costs[i-1]
		each := func(a, b float64) float64 { return (b - a) / float64(c.portals-was.portals) }
		t.Logf("from %d to %d portals, each one more costs %.3f statements and %.2f ms of processor a second, %.1f goroutines and %.2f MB", was.portals, c.portals,
			each(was.statements, c.statements), each(was.processor, c.processor)*1000/60, each(was.goroutines, c.goroutines), each(was.memory, c.memory))
		if more := each(was.statements, c.statements); c.judged && was.judged && more > idleStatements {
			t.Errorf("one more idle portal costs %.3f statements a second, %.2f are allowed", more, idleStatements)
		}
	}
}

// costOfIdle starts a service with that many portals and watches it when they are idle.
func costOfIdle(t *testing.T, count int) idleCost {
	t.Helper()
	var portals []*emulator.Portal
	var hosts []string
	for i := range count {
		p := startFullEmulator(t, emulator.Config{Leads: 5, Seed: uint64(i + 1)})
		portals = append(portals, p)
		hosts = append(hosts, host(p.Info().Portal), host(p.Info().OAuth))
	}
	dir, natsAt, httpAt := t.TempDir(), freeAddress(t), freeAddress(t)
	_, port, err := net.SplitHostPort(natsAt)
	if err != nil {
		t.Fatal(err)
	}
	broker := newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+filepath.Join(dir, "nats"))
	broker.start()
	database := "sqlite:" + filepath.Join(dir, "mirror.db")
	service := newChild(t, "serve", "LEADSYNC_DATA_DIR="+filepath.Join(dir, "data"), "LEADSYNC_HTTP_ADDR="+httpAt, "LEADSYNC_PUBLIC_URL=http://"+httpAt,
		"LEADSYNC_NATS_URL=nats://"+natsAt, "LEADSYNC_DATABASE_URL="+database, "LEADSYNC_RECONCILE_AT=03:00", "LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_B24_PORTALS=any",
		"LEADSYNC_B24_INSECURE_HOSTS="+strings.Join(hosts, ","))
	service.start()
	longEventually(t, "the service answers", 100*time.Millisecond, func() bool { return answers("http://" + httpAt + "/healthz") })
	db, err := repo.Open(t.Context(), repo.Config{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	longEventually(t, "the database is migrated", 100*time.Millisecond, func() bool { _, err := db.Portals(t.Context()); return err == nil })
	for _, p := range portals { // each has an application of its own
		info := p.Info()
		if err := db.SavePortal(t.Context(), leads.Portal{
			MemberID: info.MemberID, Domain: host(info.Portal), State: leads.PortalNeedsAuthorization, ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret),
		}); err != nil {
			t.Fatal(err)
		}
		install := func() bool {
			p.Install("http://"+httpAt+"/bitrix24/events", "http://"+httpAt+"/bitrix24/oauth/callback")
			for range 20 { // the service confirms it before it answers; the emulator does not wait for that
				if portal, _, err := db.Portal(t.Context(), info.MemberID); err == nil && portal.State == leads.PortalActive {
					return true
				}
				_ = retry.Wait(t.Context(), 100*time.Millisecond)
			}
			return false
		}
		// More than 30 installations at once are refused: then the form is saved again, as a person would.
		longEventually(t, "the portal is installed", 20*time.Second, install)
	}
	longEventually(t, "all portals are imported", time.Second, func() bool { return allImported(t, db, portals) })
	// A minute after it has taken a portal the service looks whether its events are bound and asks for
	// a test event; then it rests for an hour.
	longEventually(t, "the first checks are over", time.Second, func() bool {
		return !slices.ContainsFunc(portals, func(p *emulator.Portal) bool { return p.Stats().Requests["event.test"] == 0 })
	})
	longEventually(t, "no request counts any more", time.Second, func() bool {
		return !slices.ContainsFunc(portals, func(p *emulator.Portal) bool {
			standing, _, err := db.Standing(t.Context(), p.Info().MemberID)
			return err != nil || standing.Budget.Level > 0
		})
	})
	return service.idle(t, count)
}

func allImported(t *testing.T, db *repo.DB, portals []*emulator.Portal) bool {
	t.Helper()
	return !slices.ContainsFunc(portals, func(p *emulator.Portal) bool {
		run, ok, err := db.LastCompleted(t.Context(), p.Info().MemberID)
		return err != nil || !ok || run.Mode != leads.RunImport
	})
}

// idle watches a service while nothing happens.
func (c *child) idle(t *testing.T, portals int) idleCost {
	t.Helper()
	before, began := c.gauges(t), time.Now()
	if err := retry.Wait(t.Context(), *idleFor); err != nil {
		t.Fatal(err)
	}
	after, took := c.gauges(t), time.Since(began)
	increase := func(name string) float64 { return after[name] - before[name] }
	cost := idleCost{
		portals: portals, statements: increase("leadsync_database_statements_total") / took.Seconds(), processor: increase("process_cpu_seconds_total") / took.Minutes(),
		goroutines: after["go_goroutines"], memory: float64(c.memory()), judged: true,
	}
	log, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	// An installation gives the portal a new record, and so a second owner.
	for said, most := range map[string]int{"took over portal": 2 * portals, "part of a portal's work failed": 0, "no process served the portal": 0} {
		if n := strings.Count(string(log), said); n > most {
			at := strings.LastIndex(string(log), said)
			t.Logf("statements are not judged: the log says %q %d times, at last %s", said, n, log[at:min(at+400, len(log))])
			cost.judged = false
		}
	}
	t.Logf("%d idle portals for %s: %.0f statements, %.2f a second; %.2f s of processor a minute, %.0f goroutines, %.0f MB", portals, took.Round(time.Second),
		increase("leadsync_database_statements_total"), cost.statements, cost.processor, cost.goroutines, cost.memory)
	return cost
}

// gauges are the values of /metrics that have no labels.
func (c *child) gauges(t *testing.T) map[string]float64 {
	t.Helper()
	response, err := http.Get(c.admin() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(response.Body, 1<<26))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			values[name] = v
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}

// answers tells whether an address is answered with 200.
func answers(url string) bool {
	response, err := http.Get(url)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// figure logs a measured value for docs/growth, which `make growth` collects.
func figure(tb testing.TB, what string, size int, value float64, unit string) {
	tb.Helper()
	line, err := json.Marshal(map[string]any{"what": what, "size": size, "value": value, "unit": unit})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Logf("figure: %s", line)
}
