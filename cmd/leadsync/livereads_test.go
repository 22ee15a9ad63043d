package main

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

// wire carries requests to an emulated portal without a network, and notes when single
// leads were asked for.
type wire struct {
	portal *emulator.Portal

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

// baton is a turn on which a bubble's time goes on while somebody waits for it.
type baton chan struct{}

// Lock implements sync.Locker.
func (b baton) Lock() { b <- struct{}{} }

// Unlock implements sync.Locker.
func (b baton) Unlock() { <-b }

// Passes over a portal go on and on, into a mirror in SQL, and every second a lead is
// read live. Time is the bubble's: what the limits and the portal cost, not this machine.
func TestLiveReadsDoNotWaitForAPassIntoSQL(t *testing.T) {
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
	d, w := wiredDesk(t, p)
	defer d.db.Close()
	d.runPass(t, leads.RunImport)
	p.SetFaults(faults)
	begin, done, passes := time.Now(), make(chan struct{}), 0
	go func() {
		defer close(done)
		for ; time.Since(begin) < 20*time.Second; passes++ {
			d.runPass(t, leads.RunFull)
		}
	}()
	var waits []time.Duration
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		case <-time.After(time.Second):
			waits = append(waits, w.live(t, d))
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
func (d *desk) runPass(t *testing.T, mode leads.RunMode) {
	t.Helper()
	member := d.own.Portal.MemberID
	if _, err := d.db.RequestRun(t.Context(), leads.Run{MemberID: member, Mode: mode}); err != nil {
		t.Error(err)
	}
	run, _, err := d.db.ClaimRun(t.Context(), member)
	if err != nil {
		t.Error(err)
	}
	cfg := d.passConfig()
	cfg.Evidence = nil // asks NATS
	if run, err = reconcile.Run(t.Context(), cfg, run); err != nil || run.Scanned != 700 {
		t.Errorf("%+v, %v", run, err)
	}
}

// wiredDesk is a desk of a second owner, whose budget begins as if the bucket were full.
func wiredDesk(t *testing.T, p *emulator.Portal) (*desk, *wire) {
	t.Helper()
	ctx, member := t.Context(), p.Info().MemberID
	db, err := repo.Open(ctx, repo.Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	own := consumers.Ownership{Portal: leads.Portal{MemberID: member, State: leads.PortalActive, WebhookURL: leads.Secret(p.Info().Webhook)}, Turn: make(baton, 1)}
	if err := db.SavePortal(ctx, own.Portal); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if own.Epoch, err = db.RaiseEpoch(ctx, member, "test"); err != nil {
			t.Fatal(err)
		}
	}
	own.Tickets = leads.NewTickets(own.Epoch)
	w := &wire{portal: p}
	budget := bitrix24.NewBudget(own.Epoch == 1)
	client := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: own.Portal.WebhookURL, Budget: budget, HTTP: &http.Client{Transport: w}})
	log := slog.New(slog.NewTextHandler(&strings.Builder{}, nil))
	return &desk{
		base: &base{db: db, log: log, cfg: config{grace: time.Minute}}, own: own, client: client, budget: budget, wake: func() {},
	}, w
}

// live edits a lead and reads it as the owner's worker does: it returns how long it took
// until the request was sent.
func (w *wire) live(t *testing.T, d *desk) time.Duration {
	t.Helper()
	id, _ := w.portal.RandomID()
	if err := w.portal.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	due := time.Now()
	d.own.Turn.Lock()
	defer d.own.Turn.Unlock()
	snaps, err := d.Leads(t.Context(), []int64{id})
	if err != nil {
		t.Fatal(err)
	}
	snaps[0].MemberID, snaps[0].Cause = d.own.Portal.MemberID, leads.CauseEvent
	if _, err := d.db.Apply(t.Context(), snaps); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[len(w.asked)-1].Sub(due)
}
