package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to lock the database

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/retry"
)

var (
	faultKills = flag.Int("faults", 6, "how often the fault suite kills the service")
	faultSeed  = flag.Uint64("faults-seed", 1, "seed of the fault suite")
)

// Whatever is killed, stopped, locked or failing meanwhile: every callback that was answered
// 200 is correct in SQL at the end, without any reconciliation, and a subscriber ends at every
// row's last revision.
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
	h.keepAuthorized()
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
		h.nats.stop() // it does not recover by itself
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
		h.keepAuthorized()
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
	h.t.Logf("kills %d, callbacks %d, answered %d, lost %d, duplicates %d, topic messages %d, subscriber's sessions %d, authorized again %d times; %v",
		h.kills, len(all), answered, len(wrong), h.subscriber.duplicates(), h.subscriber.count(), h.subscriber.sessions.Load(), h.authorized, h.faults)
	for _, w := range wrong {
		h.t.Error(w)
	}
	for _, problem := range h.subscriber.wrongOrder() {
		h.t.Error(problem)
	}
	if most := 1 + h.kills/50; h.authorized > most {
		h.t.Errorf("the portal lost its authorization %d times, in %d kills %d may fall between the authorization server's answer and its arrival", h.authorized, h.kills, most)
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
