package owner

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/reconcile"
	"leadsync/repo"
)

// wire carries requests to an emulated portal without a network, and notes when single
// leads were asked for.
type wire struct {
	portal *emulator.Portal
	db     *repo.DB

	mu    sync.Mutex
	asked []time.Time
}

// RoundTrip implements http.RoundTripper.
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(body, []byte("crm.lead.get")) {
		w.mu.Lock()
		w.asked = append(w.asked, time.Now())
		w.mu.Unlock()
	}
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr, in.Body = r.URL.RequestURI(), "192.0.2.1:4711", io.NopCloser(bytes.NewReader(body))
	out := httptest.NewRecorder()
	w.portal.Handler().ServeHTTP(out, in)
	return out.Result(), nil
}

// baton is a lock on which a bubble's time goes on while somebody waits for it.
type baton chan struct{}

// Lock implements sync.Locker.
func (b baton) Lock() { b <- struct{}{} }

// Unlock implements sync.Locker.
func (b baton) Unlock() { <-b }

// Passes over a portal go on and on, into a mirror in SQL, and every second a lead is
// read live. Time is the bubble's: what the limits and the portal cost, not this machine.
func TestLiveReadsDoNotWaitForAPass(t *testing.T) {
	for name, slow := range map[string]int{"a quick portal, read at its limit": 0, "each request takes 3 s": 3000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { liveBesidePasses(t, emulator.Faults{SlowMS: slow}) })
		})
	}
}

func liveBesidePasses(t *testing.T, faults emulator.Faults) {
	t.Helper()
	p, err := emulator.New(emulator.Config{Leads: 700, Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.SetURLs("https://company.bitrix24.com", "https://oauth.bitrix.info")
	s, w := wiredSession(t, p)
	w.runPass(t, s, leads.RunImport)
	p.SetFaults(faults)
	begin, done, passes := time.Now(), make(chan struct{}), 0
	go func() {
		defer close(done)
		for ; time.Since(begin) < 20*time.Second; passes++ {
			w.runPass(t, s, leads.RunFull)
		}
	}()
	var waits []time.Duration
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		case <-time.After(time.Second):
			waits = append(waits, w.live(t, s))
		}
	}
	longest := slices.Max(waits)
	if longest >= time.Second || passes < 2 {
		t.Errorf("beside %d passes, of %d live reads one waited %s", passes, len(waits), longest)
	}
	if r := p.Stats().Refusals; len(r) > 0 {
		t.Errorf("the portal refused %v", r)
	}
	t.Logf("%d passes, %d live reads within %s: they waited %s at most", passes, len(waits), time.Since(begin), longest)
}

// runPass runs a pass to its end.
func (w *wire) runPass(t *testing.T, s *Session, mode leads.RunMode) {
	t.Helper()
	if _, err := w.db.RequestRun(t.Context(), leads.Run{MemberID: s.memberID(), Mode: mode}); err != nil {
		t.Error(err)
	}
	run, _, err := w.db.ClaimRun(t.Context(), s.memberID())
	if err != nil {
		t.Error(err)
	}
	cfg := s.passes.config()
	cfg.Evidence = nil // asks NATS
	if run, err = reconcile.Run(t.Context(), cfg, run); err != nil || run.Scanned != 700 {
		t.Errorf("%+v, %v", run, err)
	}
}

// wiredSession is a session of a second owner, whose budget begins as if the bucket were
// full.
func wiredSession(t *testing.T, p *emulator.Portal) (*Session, *wire) {
	t.Helper()
	ctx, member := t.Context(), p.Info().MemberID
	db, err := repo.Open(ctx, repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	own := Ownership{Portal: leads.Portal{MemberID: member, State: leads.PortalActive, WebhookURL: leads.Secret(p.Info().Webhook)}, ReadOrder: make(baton, 1)}
	if err := db.SavePortal(ctx, own.Portal); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if own.Epoch, err = db.RaiseEpoch(ctx, member, "test"); err != nil {
			t.Fatal(err)
		}
	}
	own.Tickets = leads.NewTickets(own.Epoch)
	w := &wire{portal: p, db: db}
	s, err := open(&Config{
		Mirror: mirrorOf(db), Grace: time.Minute, HTTP: &http.Client{Transport: w}, Wake: func() {}, Log: leadstest.Silent(),
	}, own)
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

func mirrorOf(db *repo.DB) Mirror {
	return Mirror{Leads: db, Portals: db, Tokens: db, Runs: db, Rows: db, Ledger: db, Evidence: db, Repairs: db, Reports: db}
}

// live edits a lead and reads it as the owner's worker does: it returns how long it took
// until the request was sent.
func (w *wire) live(t *testing.T, s *Session) time.Duration {
	t.Helper()
	id, _ := w.portal.RandomID()
	if err := w.portal.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	due := time.Now()
	s.own.ReadOrder.Lock()
	defer s.own.ReadOrder.Unlock()
	snaps, err := s.reader.Leads(t.Context(), []int64{id})
	if err != nil {
		t.Fatal(err)
	}
	snaps[0].MemberID, snaps[0].Cause = s.memberID(), leads.CauseEvent
	if _, err := w.db.Apply(t.Context(), snaps); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[len(w.asked)-1].Sub(due)
}
