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
type drill struct {
	t       *testing.T
	portal  *emulator.Portal
	serve   *child
	nats    *child // nil where it is embedded
	url     string // of the service
	natsAt  string
	dataDir string
	disks   []string // small ones, which can be filled: the data directory, NATS' store
	dbURL   string
	dbPath  string
	proxy   *proxy // before a database server; nil on SQLite
	db      *repo.DB
	chance  *rand.Rand
	ears    *ears
	kills   int

	mu       sync.Mutex
	troubles map[string]int // how often each was made
	secrets  map[string]string
	heard    strings.Builder // what the service has said beside its log
}

// What was answered 200 is right in SQL at the end, without any reconciliation, and a
// subscriber ends at every row's last revision; whatever is killed, stopped, locked or
// ill meanwhile.
func TestFaults(t *testing.T) {
	t.Parallel()
	plans := map[string]plan{"external nats": {disks: true}, "embedded nats": {embedded: true, disks: true}}
	if url := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL"); url != "" {
		plans["sql server"] = plan{disks: true, sql: url}
	}
	for name, plan := range plans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan.env = []string{"LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_LOG_LEVEL=debug"}
			d := furnish(t, plan)
			d.install()
			stop := d.live()
			for d.kills < (*faultKills+len(plans)-1)/len(plans) {
				d.mischief()
			}
			stop()
			d.settle()
		})
	}
}

// plan says what a drill is furnished with.
type plan struct {
	embedded bool   // NATS is in the service
	disks    bool   // data directory and NATS' store are on small disks, where that can be
	sql      string // database server to use through a proxy; "" is SQLite
	env      []string
}

func newDrill(t *testing.T, embedded bool) *drill {
	t.Helper()
	return furnish(t, plan{embedded: embedded})
}

func furnish(t *testing.T, plan plan) *drill {
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
	d := &drill{
		t: t, portal: p, url: "http://" + httpAt, natsAt: "nats://" + freeAddress(t), dataDir: dir,
		dbURL: plan.sql, dbPath: filepath.Join(dir, "db", "leadsync.db"), chance: rand.New(rand.NewPCG(*faultSeed, uint64(len(t.Name())))), troubles: map[string]int{}, secrets: map[string]string{},
	}
	if plan.disks && mountDisk(t, dir) {
		d.disks = append(d.disks, dir)
	}
	d.openDatabase()
	info := p.Info()
	env := []string{
		"LEADSYNC_DATA_DIR=" + dir, "LEADSYNC_HTTP_ADDR=" + httpAt, "LEADSYNC_PUBLIC_URL=" + d.url, "LEADSYNC_RECONCILE_AT=off",
		"LEADSYNC_B24_CLIENT_ID=" + info.ClientID, "LEADSYNC_B24_CLIENT_SECRET=" + info.ClientSecret,
		"LEADSYNC_B24_INSECURE_HOSTS=" + host(info.Portal) + "," + host(info.OAuth), "LEADSYNC_DATABASE_URL=" + d.dbURL,
	}
	env = append(env, plan.env...)
	if plan.embedded {
		env = append(env, "LEADSYNC_NATS_LISTEN="+host(d.natsAt))
	} else {
		env = append(env, "LEADSYNC_NATS_URL="+d.natsAt)
		_, port, err := net.SplitHostPort(host(d.natsAt))
		if err != nil {
			t.Fatal(err)
		}
		store := t.TempDir()
		if plan.disks && mountDisk(t, store) {
			d.disks = append(d.disks, store)
		}
		d.nats = newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+store)
		d.nats.start()
	}
	d.serve = newChild(t, "serve", env...)
	d.serve.start()
	d.up()
	return d
}

// openDatabase makes the folder of the SQLite file, or puts a proxy before the server,
// and opens it beside the service.
func (d *drill) openDatabase() {
	d.t.Helper()
	direct := d.dbURL
	if direct == "" {
		if err := os.Mkdir(filepath.Dir(d.dbPath), 0o700); err != nil {
			d.t.Fatal(err)
		}
		d.dbURL = "sqlite:" + d.dbPath
		direct = d.dbURL
	} else {
		wipe(d.t, direct)
		d.proxy, d.dbURL = newProxy(d.t, direct)
	}
	db, err := repo.Open(d.t.Context(), repo.Config{URL: direct})
	if err != nil {
		d.t.Fatal(err)
	}
	d.db = db
	d.t.Cleanup(func() { _ = db.Close() })
}

// up waits until the service takes callbacks.
func (d *drill) up() {
	d.t.Helper()
	d.until("the service answers", func() bool {
		if d.serve.gone() { // it could not start: whoever manages services tries again
			d.serve.kill()
			d.serve.start()
		}
		response, err := http.Get(d.url + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (d *drill) until(what string, done func() bool) {
	d.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("still waiting: %s", what)
		}
	}
}

func (d *drill) install() {
	d.t.Helper()
	member := d.portal.Info().MemberID
	d.until("the database is migrated", func() bool { _, err := d.db.Portals(d.t.Context()); return err == nil })
	d.portal.Install(d.url+"/bitrix24/events", d.url+"/bitrix24/oauth/callback")
	d.until("the leads are imported", func() bool {
		run, ok, err := d.db.LastCompleted(d.t.Context(), member)
		return err == nil && ok && run.Mode == leads.RunImport
	})
	d.ears = d.listen()
}

// live has the portal live until the returned stop is called.
func (d *drill) live() (stop func()) {
	ctx, cancel := context.WithCancel(d.t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		chance := rand.New(rand.NewPCG(*faultSeed, 8))
		for retry.Wait(ctx, time.Duration(5+chance.IntN(30))*time.Millisecond) == nil {
			id, _ := d.portal.RandomID()
			switch dice := chance.IntN(100); {
			case dice < 25:
				d.portal.Add(1)
			case dice < 37:
				_ = d.portal.Delete(id)
			default:
				_ = d.portal.Edit(id, nil)
			}
		}
	})
	return func() { cancel(); group.Wait() }
}

// mischief kills the service at a random point, beside something else that goes wrong.
func (d *drill) mischief() {
	d.t.Helper()
	var group sync.WaitGroup
	for _, trouble := range []struct {
		odds int
		make func(time.Duration)
	}{{45, d.troubleNATS}, {45, d.troubleDatabase}, {45, d.spoilPortal}, {20, d.fillDataDisk}} {
		if d.chance.IntN(100) < trouble.odds {
			length := time.Duration(200+d.chance.IntN(1800)) * time.Millisecond
			group.Go(func() { trouble.make(length) })
		}
	}
	d.nap(100, 1000)
	if d.chance.IntN(100) < 50 {
		d.jumpClock()
	}
	d.nap(100, 1000)
	d.serve.kill()
	d.kills++
	d.nap(0, 500)
	d.serve.start()
	if d.chance.IntN(3) > 0 { // else it is killed again while it starts
		d.up()
		d.overhear()
	}
	group.Wait()
}

func (d *drill) nap(least, most int) {
	time.Sleep(time.Duration(least+d.chance.IntN(most-least)) * time.Millisecond)
}

// made counts a trouble.
func (d *drill) made(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.troubles[what]++
}

// jumpClock sets our clock by up to three days, forward or back.
func (d *drill) jumpClock() {
	d.made("clock jumps")
	by := time.Duration(d.chance.Int64N(int64(72 * time.Hour)))
	if by /= time.Duration(1 << (4 * d.chance.IntN(4))); d.chance.IntN(2) == 0 {
		by = -by
	}
	d.serve.jump(by)
}

func (d *drill) troubleNATS(length time.Duration) {
	if d.nats == nil {
		return
	}
	switch kind := length.Milliseconds() % 3; {
	case kind == 0 && len(d.disks) == 2:
		d.made("NATS' disk full")
		free := fillDisk(d.t, d.disks[1])
		time.Sleep(length)
		free()
		d.nats.stop() // it does not mend by itself
	case kind == 1:
		d.made("NATS killed")
		d.nats.kill()
		time.Sleep(length)
	default:
		d.made("NATS stopped")
		d.nats.stop()
		time.Sleep(length)
	}
	d.nats.start()
}

// fillDataDisk leaves no room for SQLite and the spool, nor for NATS where it is embedded.
func (d *drill) fillDataDisk(length time.Duration) {
	if len(d.disks) == 0 {
		return
	}
	d.made("data disk full")
	free := fillDisk(d.t, d.disks[0])
	time.Sleep(length)
	free()
}

func (d *drill) troubleDatabase(length time.Duration) {
	switch {
	case d.proxy != nil:
		d.made("database cut off")
		d.proxy.cut()
		time.Sleep(length)
		d.proxy.mend()
	case length.Milliseconds()%2 == 0:
		d.made("database locked")
		d.lockDatabase(length)
	default:
		d.made("database gone")
		d.takeDatabase(length)
	}
}

// takeDatabase moves the SQLite file away and back, as a disk that is not mounted.
func (d *drill) takeDatabase(length time.Duration) {
	folder := filepath.Dir(d.dbPath)
	if err := os.Rename(folder, folder+".away"); err != nil {
		d.t.Error(err)
		return
	}
	time.Sleep(length)
	if err := os.Rename(folder+".away", folder); err != nil {
		d.t.Error(err)
	}
}

func (d *drill) lockDatabase(length time.Duration) {
	raw, err := sql.Open("sqlite", d.dbPath+"?_txlock=immediate&_pragma=busy_timeout(2000)")
	if err != nil {
		d.t.Error(err)
		return
	}
	defer raw.Close()
	tx, err := raw.BeginTx(context.WithoutCancel(d.t.Context()), nil)
	if err != nil {
		return // it was busy all the time
	}
	time.Sleep(length)
	_ = tx.Rollback()
}

func (d *drill) spoilPortal(length time.Duration) {
	d.made("portal ill")
	d.portal.SetFaults(emulator.Faults{Error503: .3, ErrorHTML: .2, Reset: .2, Error500: .1, SlowMS: 50, Repeat: .1, Reorder: .2, NoUser: .2})
	time.Sleep(length)
	d.portal.SetFaults(emulator.Faults{})
}

// settle heals everything, waits until all that can come has come, and judges.
func (d *drill) settle() {
	d.t.Helper()
	d.portal.SetFaults(emulator.Faults{})
	d.up()
	if err := d.portal.DrainCallbacks(d.t.Context()); err != nil {
		d.t.Fatal(err)
	}
	var wrong []string
	for end := time.Now().Add(90 * time.Second); ; time.Sleep(250 * time.Millisecond) {
		var err error
		if wrong, err = d.wrong(); err == nil && len(wrong) == 0 || time.Now().After(end) {
			break
		}
	}
	all := d.portal.Callbacks()
	answered := 0
	for _, cb := range all {
		if cb.Status == http.StatusOK {
			answered++
		}
	}
	d.t.Logf("kills %d, callbacks %d, answered %d, lost %d, duplicates %d, topic messages %d, subscriber's sessions %d; %v",
		d.kills, len(all), answered, len(wrong), d.ears.duplicates(), d.ears.count(), d.ears.sessions.Load(), d.troubles)
	for _, w := range wrong {
		d.t.Error(w)
	}
	for _, fall := range d.ears.fallen() {
		d.t.Error(fall)
	}
	if len(all) == 0 || answered == 0 {
		d.t.Error("nothing happened")
	}
	d.overhear()
	d.unaided()
	d.discreet()
}

// unaided fails the test if a reconciliation has helped.
func (d *drill) unaided() {
	d.t.Helper()
	runs, err := d.db.Runs(d.t.Context(), d.portal.Info().MemberID, 10)
	if err != nil {
		d.t.Fatal(err)
	}
	if len(runs) != 1 || runs[0].Mode != leads.RunImport {
		d.t.Errorf("passes beside the import: %+v", runs)
	}
	for method := range d.portal.Stats().Commands { // what we write would come back as events
		if strings.HasPrefix(method, "crm.") && !strings.HasSuffix(method, ".get") && !strings.HasSuffix(method, ".list") {
			d.t.Errorf("%s was called: leads are only read", method)
		}
	}
}

// wrong lists leads whose last callback was answered 200 and whose row is not right, and
// rows whose last revision the subscriber does not have.
func (d *drill) wrong() ([]string, error) {
	truth := map[int64]leads.Lead{}
	for id, raw := range d.portal.Leads() {
		lead, err := leads.Parse(raw)
		if err != nil {
			return nil, err
		}
		truth[id] = lead
	}
	last := map[int64]emulator.Callback{}
	for _, cb := range d.portal.Callbacks() {
		if cb.Lead != nil && !cb.SentAt.Before(last[*cb.Lead].SentAt) {
			last[*cb.Lead] = cb
		}
	}
	var wrong []string
	for id, cb := range last {
		if cb.Status != http.StatusOK {
			continue
		}
		row, held, err := d.db.Row(d.t.Context(), leads.Ref{MemberID: d.portal.Info().MemberID, LeadID: id})
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
	rows, err := d.db.Range(d.t.Context(), d.portal.Info().MemberID, 0, leads.MaxID, 100_000)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if heard := d.ears.revision(row.LeadID); heard != row.Revision {
			wrong = append(wrong, fmt.Sprintf("lead %d is at revision %d, the subscriber at %d", row.LeadID, row.Revision, heard))
		}
	}
	return wrong, nil
}

// ears are a subscriber that is itself restarted all the time.
type ears struct {
	stop     func()
	sessions atomic.Int64

	mu     sync.Mutex
	seqs   map[string]uint64 // where a ce-id was heard first
	last   map[int64]heard
	twice  map[uint64]bool
	falls  []string
	number int
}

type heard struct {
	seq      uint64
	revision int64
	kind     leads.ChangeKind
}

func (d *drill) listen() *ears {
	d.t.Helper()
	e := &ears{seqs: map[string]uint64{}, last: map[int64]heard{}, twice: map[uint64]bool{}}
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			session, end := context.WithTimeout(ctx, 3*time.Second)
			e.sessions.Add(1)
			_ = d.session(session, e) // NATS may be down: the next one hears it all
			end()
			_ = retry.Wait(ctx, 50*time.Millisecond)
		}
	}()
	e.stop = func() { cancel(); <-done }
	d.t.Cleanup(e.stop)
	return e
}

func (d *drill) session(ctx context.Context, e *ears) error {
	nc, err := events.Connect(d.natsAt, "")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := events.JetStream(nc)
	if err != nil {
		return err
	}
	return events.Subscribe(ctx, js, "", true, e.hear)
}

func (e *ears) hear(msg jetstream.Msg) {
	c, err := events.ParseChange(msg)
	meta, metaErr := msg.Metadata()
	if errors.Join(err, metaErr) != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.number++
	id, seq := msg.Headers().Get("ce-id"), meta.Sequence.Stream
	if first, ok := e.seqs[id]; ok && first != seq {
		e.twice[seq] = true
	} else {
		e.seqs[id] = seq
	}
	before := e.last[c.LeadID]
	switch {
	case seq > before.seq && c.Revision <= before.revision && !e.twice[seq], seq < before.seq:
		e.falls = append(e.falls, fmt.Sprintf("lead %d: revision %d (message %d) came after %d (message %d)", c.LeadID, c.Revision, seq, before.revision, before.seq))
	case seq > before.seq:
		e.last[c.LeadID] = heard{seq, c.Revision, c.Kind}
	}
}

func (e *ears) revision(id int64) int64 { e.mu.Lock(); defer e.mu.Unlock(); return e.last[id].revision }

func (e *ears) gone(id int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last[id].kind == leads.RemovedKind
}
func (e *ears) duplicates() int  { e.mu.Lock(); defer e.mu.Unlock(); return len(e.twice) }
func (e *ears) count() int       { e.mu.Lock(); defer e.mu.Unlock(); return e.number }
func (e *ears) fallen() []string { e.mu.Lock(); defer e.mu.Unlock(); return e.falls }
