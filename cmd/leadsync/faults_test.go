package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	_ "modernc.org/sqlite" // to lock the database

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

var (
	faultKills = flag.Int("faults", 6, "how often the fault suite kills the service")
	faultSeed  = flag.Uint64("faults-seed", 1, "of what the fault suite does when")
)

// drill is a service in a process of its own, with all that it talks to, while things go
// wrong.
type harness struct {
	t          *testing.T
	portal     *emulator.Portal
	serve      *child
	nats       *child // nil where it is embedded
	url        string // of the service
	natsAt     string
	dataDir    string
	disks      []string // small ones, which can be filled: the data directory, NATS' store
	dbURL      string
	dbPath     string
	proxy      *proxy // before a database server; nil on SQLite
	db         *repo.DB
	rng        *rand.Rand
	subscriber *subscriber
	kills      int

	mu      sync.Mutex
	faults  map[string]int // how often each was caused
	secrets map[string]string
	output  strings.Builder // what the service has answered
}

// What was answered 200 is right in SQL at the end, without any reconciliation, and a
// subscriber ends at every row's last revision; whatever is killed, stopped, locked or
// ill meanwhile.
func TestFaults(t *testing.T) {
	t.Parallel()
	configs := map[string]harnessConfig{"external nats": {disks: true}, "embedded nats": {embedded: true, disks: true}}
	if url := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL"); url != "" {
		configs["sql server"] = harnessConfig{disks: true, sql: url}
	}
	for name, cfg := range configs {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg.env = []string{"LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_LOG_LEVEL=debug"}
			h := openHarness(t, cfg)
			h.install()
			stop := h.changeLeads()
			for h.kills < (*faultKills+len(configs)-1)/len(configs) {
				h.disturb()
			}
			stop()
			h.wantConsistent()
		})
	}
}

// harnessConfig says what a harness consists of.
type harnessConfig struct {
	embedded bool   // NATS is in the service
	disks    bool   // data directory and NATS' store are on small disks, where that can be
	sql      string // database server to use through a proxy; "" is SQLite
	env      []string
}

func newHarness(t *testing.T, embedded bool) *harness {
	t.Helper()
	return openHarness(t, harnessConfig{embedded: embedded})
}

func openHarness(t *testing.T, cfg harnessConfig) *harness {
	t.Helper()
	p, err := emulator.Start(emulator.Config{
		Leads: 100, Seed: *faultSeed, NoLimits: true, Delay: time.Millisecond, DelayMax: 80 * time.Millisecond,
		Switches: emulator.Switches{NoOffline: true}, // what callbacks lose must not come another way
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	dir, httpAt := t.TempDir(), freeAddress(t)
	h := &harness{
		t: t, portal: p, url: "http://" + httpAt, natsAt: "nats://" + freeAddress(t), dataDir: dir,
		dbURL: cfg.sql, dbPath: filepath.Join(dir, "db", "leadsync.db"), rng: rand.New(rand.NewPCG(*faultSeed, uint64(len(t.Name())))), faults: map[string]int{}, secrets: map[string]string{},
	}
	if cfg.disks && mountDisk(t, dir) {
		h.disks = append(h.disks, dir)
	}
	h.openDatabase()
	info := p.Info()
	env := []string{
		"LEADSYNC_DATA_DIR=" + dir, "LEADSYNC_HTTP_ADDR=" + httpAt, "LEADSYNC_PUBLIC_URL=" + h.url, "LEADSYNC_RECONCILE_AT=off",
		"LEADSYNC_B24_CLIENT_ID=" + info.ClientID, "LEADSYNC_B24_CLIENT_SECRET=" + info.ClientSecret,
		"LEADSYNC_B24_INSECURE_HOSTS=" + host(info.Portal) + "," + host(info.OAuth), "LEADSYNC_DATABASE_URL=" + h.dbURL,
	}
	env = append(env, cfg.env...)
	if cfg.embedded {
		env = append(env, "LEADSYNC_NATS_LISTEN="+host(h.natsAt))
	} else {
		env = append(env, "LEADSYNC_NATS_URL="+h.natsAt)
		_, port, err := net.SplitHostPort(host(h.natsAt))
		if err != nil {
			t.Fatal(err)
		}
		store := t.TempDir()
		if cfg.disks && mountDisk(t, store) {
			h.disks = append(h.disks, store)
		}
		h.nats = newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+store)
		h.nats.start()
	}
	h.serve = newChild(t, "serve", env...)
	h.serve.start()
	h.untilUp()
	return h
}

// openDatabase makes the folder of the SQLite file, or puts a proxy before the server,
// and opens it beside the service.
func (h *harness) openDatabase() {
	h.t.Helper()
	direct := h.dbURL
	if direct == "" {
		if err := os.Mkdir(filepath.Dir(h.dbPath), 0o700); err != nil {
			h.t.Fatal(err)
		}
		h.dbURL = "sqlite:" + h.dbPath
		direct = h.dbURL
	} else {
		wipe(h.t, direct)
		h.proxy, h.dbURL = newProxy(h.t, direct)
	}
	db, err := repo.Open(h.t.Context(), repo.Config{URL: direct})
	if err != nil {
		h.t.Fatal(err)
	}
	h.db = db
	h.t.Cleanup(func() { _ = db.Close() })
}

// untilUp waits until the service takes callbacks.
func (h *harness) untilUp() {
	h.t.Helper()
	h.until("the service answers", func() bool {
		if h.serve.exited() { // it could not start: a service manager starts it again
			h.serve.kill()
			h.serve.start()
		}
		response, err := http.Get(h.url + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (h *harness) until(what string, done func() bool) {
	h.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("still waiting: %s", what)
		}
	}
}

func (h *harness) install() {
	h.t.Helper()
	member := h.portal.Info().MemberID
	h.until("the database is migrated", func() bool { _, err := h.db.Portals(h.t.Context()); return err == nil })
	h.portal.Install(h.url+"/bitrix24/events", h.url+"/bitrix24/oauth/callback")
	h.until("the leads are imported", func() bool {
		run, ok, err := h.db.LastCompleted(h.t.Context(), member)
		return err == nil && ok && run.Mode == leads.RunImport
	})
	h.subscriber = h.subscribe()
}

// changeLeads changes leads of the portal until stop is called.
func (h *harness) changeLeads() (stop func()) {
	ctx, cancel := context.WithCancel(h.t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		rng := rand.New(rand.NewPCG(*faultSeed, 8))
		for retry.Wait(ctx, time.Duration(5+rng.IntN(30))*time.Millisecond) == nil {
			id, _ := h.portal.RandomID()
			switch n := rng.IntN(100); {
			case n < 25:
				h.portal.Add(1)
			case n < 37:
				_ = h.portal.Delete(id)
			default:
				_ = h.portal.Edit(id, nil)
			}
		}
	})
	return func() { cancel(); group.Wait() }
}

// disturb kills the service at a random point, while something else fails too.
func (h *harness) disturb() {
	h.t.Helper()
	var group sync.WaitGroup
	for _, fault := range []struct {
		odds int
		make func(time.Duration)
	}{{45, h.disturbNATS}, {45, h.disturbDatabase}, {45, h.disturbPortal}, {20, h.fillDataDisk}} {
		if h.rng.IntN(100) < fault.odds {
			length := time.Duration(200+h.rng.IntN(1800)) * time.Millisecond
			group.Go(func() { fault.make(length) })
		}
	}
	h.sleep(100, 1000)
	if h.rng.IntN(100) < 50 {
		h.setClock()
	}
	h.sleep(100, 1000)
	h.serve.kill()
	h.kills++
	h.sleep(0, 500)
	h.serve.start()
	if h.rng.IntN(3) > 0 { // else it is killed again while it starts
		h.untilUp()
		h.collectOutput()
	}
	group.Wait()
}

func (h *harness) sleep(least, most int) {
	time.Sleep(time.Duration(least+h.rng.IntN(most-least)) * time.Millisecond)
}

// countFault counts a fault.
func (h *harness) countFault(what string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults[what]++
}

// setClock sets the service's clock by up to three days, forward or back.
func (h *harness) setClock() {
	h.countFault("clock set")
	by := time.Duration(h.rng.Int64N(int64(72 * time.Hour)))
	if by /= time.Duration(1 << (4 * h.rng.IntN(4))); h.rng.IntN(2) == 0 {
		by = -by
	}
	h.serve.setClock(by)
}

func (h *harness) disturbNATS(length time.Duration) {
	if h.nats == nil {
		return
	}
	switch kind := length.Milliseconds() % 3; {
	case kind == 0 && len(h.disks) == 2:
		h.countFault("NATS' disk full")
		free := fillDisk(h.t, h.disks[1])
		time.Sleep(length)
		free()
		h.nats.stop() // it does not mend by itself
	case kind == 1:
		h.countFault("NATS killed")
		h.nats.kill()
		time.Sleep(length)
	default:
		h.countFault("NATS stopped")
		h.nats.stop()
		time.Sleep(length)
	}
	h.nats.start()
}

// fillDataDisk leaves no room for SQLite and the spool, nor for NATS where it is embedded.
func (h *harness) fillDataDisk(length time.Duration) {
	if len(h.disks) == 0 {
		return
	}
	h.countFault("data disk full")
	free := fillDisk(h.t, h.disks[0])
	time.Sleep(length)
	free()
}

func (h *harness) disturbDatabase(length time.Duration) {
	switch {
	case h.proxy != nil:
		h.countFault("database cut off")
		h.proxy.cut()
		time.Sleep(length)
		h.proxy.restore()
	case length.Milliseconds()%2 == 0:
		h.countFault("database locked")
		h.lockDatabase(length)
	default:
		h.countFault("database gone")
		h.moveDatabaseAway(length)
	}
}

// moveDatabaseAway moves the SQLite file away and back, like a disk that is not mounted.
func (h *harness) moveDatabaseAway(length time.Duration) {
	folder := filepath.Dir(h.dbPath)
	if err := os.Rename(folder, folder+".away"); err != nil {
		h.t.Error(err)
		return
	}
	time.Sleep(length)
	if err := os.Rename(folder+".away", folder); err != nil {
		h.t.Error(err)
	}
}

func (h *harness) lockDatabase(length time.Duration) {
	raw, err := sql.Open("sqlite", h.dbPath+"?_txlock=immediate&_pragma=busy_timeout(2000)")
	if err != nil {
		h.t.Error(err)
		return
	}
	defer raw.Close()
	tx, err := raw.BeginTx(context.WithoutCancel(h.t.Context()), nil)
	if err != nil {
		return // it was busy all the time
	}
	time.Sleep(length)
	_ = tx.Rollback()
}

func (h *harness) disturbPortal(length time.Duration) {
	h.countFault("portal failing")
	h.portal.SetFaults(emulator.Faults{Error503: .3, ErrorHTML: .2, Reset: .2, Error500: .1, SlowMS: 50, Repeat: .1, Reorder: .2, NoUser: .2})
	time.Sleep(length)
	h.portal.SetFaults(emulator.Faults{})
}

// wantConsistent ends all faults, waits until everything has arrived, and checks the result.
func (h *harness) wantConsistent() {
	h.t.Helper()
	h.portal.SetFaults(emulator.Faults{})
	h.untilUp()
	if err := h.portal.DrainCallbacks(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	var wrong []string
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(250 * time.Millisecond) {
		var err error
		if wrong, err = h.inconsistencies(); err == nil && len(wrong) == 0 || time.Now().After(end) {
			break
		}
	}
	all := h.portal.Callbacks()
	answered := 0
	for _, cb := range all {
		if cb.Status == http.StatusOK {
			answered++
		}
	}
	h.t.Logf("kills %d, callbacks %d, answered %d, lost %d, duplicates %d, topic messages %d, subscriber's sessions %d; %v",
		h.kills, len(all), answered, len(wrong), h.subscriber.duplicates(), h.subscriber.count(), h.subscriber.sessions.Load(), h.faults)
	for _, w := range wrong {
		h.t.Error(w)
	}
	for _, problem := range h.subscriber.wrongOrder() {
		h.t.Error(problem)
	}
	if len(all) == 0 || answered == 0 {
		h.t.Error("nothing happened")
	}
	h.collectOutput()
	h.wantNoPasses()
	h.wantNoSecrets()
}

// wantNoPasses fails the test if a reconciliation pass has run beside the import.
func (h *harness) wantNoPasses() {
	h.t.Helper()
	runs, err := h.db.Runs(h.t.Context(), h.portal.Info().MemberID, 10)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].Mode != leads.RunImport {
		h.t.Errorf("passes beside the import: %+v", runs)
	}
	for method := range h.portal.Stats().Commands { // what we write would come back as events
		if strings.HasPrefix(method, "crm.") && !strings.HasSuffix(method, ".get") && !strings.HasSuffix(method, ".list") {
			h.t.Errorf("%s was called: leads are only read", method)
		}
	}
}

// inconsistencies lists leads whose last callback was answered 200 and whose row is not
// correct, and rows whose last revision the subscriber does not have.
func (h *harness) inconsistencies() ([]string, error) {
	truth := map[int64]leads.Lead{}
	for id, raw := range h.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			return nil, err
		}
		truth[id] = lead
	}
	last := map[int64]emulator.Callback{}
	for _, cb := range h.portal.Callbacks() {
		if cb.Lead != nil && !cb.SentAt.Before(last[*cb.Lead].SentAt) {
			last[*cb.Lead] = cb
		}
	}
	var wrong []string
	for id, cb := range last {
		if cb.Status != http.StatusOK {
			continue
		}
		row, held, err := h.db.Row(h.t.Context(), leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: id})
		if err != nil {
			return nil, err
		}
		lead, there := truth[id]
		switch alive := held && !row.Deleted; {
		case there != alive:
			wrong = append(wrong, fmt.Sprintf("lead %d: in the portal %v, in the mirror %v, after %s at %s", id, there, alive, cb.Event, cb.SentAt))
		case there && len(row.Differences(&lead)) > 0:
			wrong = append(wrong, fmt.Sprintf("lead %d differs in %v", id, row.Differences(&lead)))
		}
	}
	rows, err := h.db.Range(h.t.Context(), h.portal.Info().MemberID, 0, leads.MaxID, 100_000)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if got := h.subscriber.revision(row.LeadID); got != row.Revision {
			wrong = append(wrong, fmt.Sprintf("lead %d is at revision %d, the subscriber at %d", row.LeadID, row.Revision, got))
		}
	}
	return wrong, nil
}

// subscriber reads the topic and is itself restarted all the time.
type subscriber struct {
	stop     func()
	sessions atomic.Int64

	mu          sync.Mutex
	seqs        map[string]uint64 // the message in which a ce-id came first
	last        map[int64]received
	repeated    map[uint64]bool
	regressions []string
	number      int
}

type received struct {
	seq      uint64
	revision int64
	kind     leads.ChangeKind
}

func (h *harness) subscribe() *subscriber {
	h.t.Helper()
	s := &subscriber{seqs: map[string]uint64{}, last: map[int64]received{}, repeated: map[uint64]bool{}}
	ctx, cancel := context.WithCancel(h.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			session, end := context.WithTimeout(ctx, 3*time.Second)
			s.sessions.Add(1)
			_ = h.readTopic(session, s) // NATS may be down: the next session reads it all
			end()
			_ = retry.Wait(ctx, 50*time.Millisecond)
		}
	}()
	s.stop = func() { cancel(); <-done }
	h.t.Cleanup(s.stop)
	return s
}

func (h *harness) readTopic(ctx context.Context, s *subscriber) error {
	nc, err := events.Connect(h.natsAt, "")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := events.JetStream(nc)
	if err != nil {
		return err
	}
	return events.Subscribe(ctx, js, "", true, s.receive)
}

func (s *subscriber) receive(msg jetstream.Msg) {
	c, err := events.ParseChange(msg)
	meta, metaErr := msg.Metadata()
	if errors.Join(err, metaErr) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	id, seq := msg.Headers().Get("ce-id"), meta.Sequence.Stream
	if first, ok := s.seqs[id]; ok && first != seq {
		s.repeated[seq] = true
	} else {
		s.seqs[id] = seq
	}
	before := s.last[c.LeadID]
	switch {
	case seq > before.seq && c.Revision <= before.revision && !s.repeated[seq], seq < before.seq:
		s.regressions = append(s.regressions, fmt.Sprintf("lead %d: revision %d (message %d) came after %d (message %d)", c.LeadID, c.Revision, seq, before.revision, before.seq))
	case seq > before.seq:
		s.last[c.LeadID] = received{seq, c.Revision, c.Kind}
	}
}

func (s *subscriber) revision(id int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id].revision
}

func (s *subscriber) deleted(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[id].kind == leads.RemovedKind
}
func (s *subscriber) duplicates() int      { s.mu.Lock(); defer s.mu.Unlock(); return len(s.repeated) }
func (s *subscriber) count() int           { s.mu.Lock(); defer s.mu.Unlock(); return s.number }
func (s *subscriber) wrongOrder() []string { s.mu.Lock(); defer s.mu.Unlock(); return s.regressions }
