package owner

import (
	"bytes"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
	"leadsync/repo"
)

// liveHarness is a session beside an emulated portal and a mirror. It notes when single leads
// were requested.
type liveHarness struct {
	portal  *emulator.Portal
	db      *repo.DB
	session *Session

	mu        sync.Mutex
	requested []time.Time
}

// observe notes the time of a request for a single lead, and lets it through.
func (h *liveHarness) observe(r *http.Request) *http.Response {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return emulatortest.Response(http.StatusBadRequest, err.Error())
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if bytes.Contains(body, []byte("crm.lead.get")) {
		h.mu.Lock()
		h.requested = append(h.requested, time.Now())
		h.mu.Unlock()
	}
	return nil
}

// channelLock is a lock that counts as blocked in a synctest bubble, where a mutex does not.
type channelLock chan struct{}

// Lock implements sync.Locker.
func (l channelLock) Lock() { l <- struct{}{} }

// Unlock implements sync.Locker.
func (l channelLock) Unlock() { <-l }

// One pass follows another into a mirror in SQL, and every second a lead is read live. Time
// is the bubble's: it shows what the limits and the portal cost, not this machine.
func TestLiveReadsDoNotWaitForAPass(t *testing.T) {
	t.Parallel()
	for name, slow := range map[string]int{"a quick portal, read at its limit": 0, "each request takes 3 s": 3000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { readLiveDuringPasses(t, emulator.Faults{SlowMS: slow}) })
		})
	}
}

func readLiveDuringPasses(t *testing.T, faults emulator.Faults) {
	t.Helper()
	h := openLive(t)
	h.runPass(t, leads.RunImport)
	h.portal.SetFaults(faults)
	begin, done, passes := time.Now(), make(chan struct{}), 0
	go func() {
		defer close(done)
		for ; time.Since(begin) < 20*time.Second; passes++ {
			h.runPass(t, leads.RunFull)
		}
	}()
	var waits []time.Duration
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		case <-time.After(time.Second):
			waits = append(waits, h.readLive(t))
		}
	}
	longest := slices.Max(waits)
	if longest >= time.Second || passes < 2 {
		t.Errorf("during %d passes, one of %d live reads waited %s", passes, len(waits), longest)
	}
	if r := h.portal.Stats().Refusals; len(r) > 0 {
		t.Errorf("the portal refused %v", r)
	}
	t.Logf("%d passes, %d live reads within %s: they waited %s at most", passes, len(waits), time.Since(begin), longest)
}

// runPass runs a pass to its end.
func (h *liveHarness) runPass(t *testing.T, mode leads.RunMode) {
	t.Helper()
	if _, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.session.memberID(), Mode: mode}); err != nil {
		t.Error(err)
	}
	run, _, err := h.db.ClaimRun(t.Context(), h.session.memberID())
	if err != nil {
		t.Error(err)
	}
	fields := make(chan struct{})
	close(fields)
	cfg := h.session.passes.config(fields)
	cfg.Evidence = nil // asks NATS
	if run, err = reconcile.Run(t.Context(), cfg, run); err != nil || run.Scanned != 700 {
		t.Errorf("%+v, %v", run, err)
	}
}

// openLive opens a session of a second owner, whose budget begins as if the bucket were full.
func openLive(t *testing.T) *liveHarness {
	t.Helper()
	b24 := emulatortest.New(t, emulator.Config{Leads: 700, Seed: 4})
	ctx, info := t.Context(), b24.Portal.Info()
	db, err := repo.Open(ctx, repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	own := Ownership{Portal: leads.Portal{MemberID: info.MemberID, State: leads.PortalActive, WebhookURL: leads.Secret(info.Webhook)}, ReadOrder: make(channelLock, 1)}
	if err := db.SavePortal(ctx, own.Portal); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if own.Epoch, err = db.RaiseEpoch(ctx, info.MemberID, "test"); err != nil {
			t.Fatal(err)
		}
	}
	own.Tickets = leads.NewTickets(own.Epoch)
	h := &liveHarness{portal: b24.Portal, db: db}
	b24.Transport.Intercept(h.observe)
	h.session, err = open(&Config{
		Mirror: mirrorOf(db), Grace: time.Minute, HTTP: b24.HTTP(), Wake: func() {}, Log: leadstest.Silent(),
	}, own)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func mirrorOf(db *repo.DB) Mirror {
	return Mirror{Leads: db, Portals: db, Standing: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Status: db, Repairs: db, Reports: db, Agenda: db}
}

// readLive edits a lead and reads it as the owner's worker does. It returns how long the
// request waited before it was sent.
func (h *liveHarness) readLive(t *testing.T) time.Duration {
	t.Helper()
	id, _ := h.portal.RandomID()
	if err := h.portal.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	due := time.Now()
	h.session.own.ReadOrder.Lock()
	defer h.session.own.ReadOrder.Unlock()
	snaps, err := h.session.reader.Leads(t.Context(), []int64{id})
	if err != nil {
		t.Fatal(err)
	}
	snaps[0].MemberID, snaps[0].Cause = h.session.memberID(), leads.CauseEvent
	if _, err := h.db.Apply(t.Context(), snaps); err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requested[len(h.requested)-1].Sub(due)
}
