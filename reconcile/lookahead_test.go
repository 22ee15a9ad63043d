package reconcile_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

// slowMirror compares a window only when hold lets it.
type slowMirror struct {
	*repo.DB

	hold func() error
}

func (m slowMirror) Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Row, error) {
	if err := m.hold(); err != nil {
		return nil, err
	}
	return m.DB.Range(ctx, memberID, after, upTo, limit)
}

// askingPortal tells of each request when its ticket is drawn: then it is on its way.
type askingPortal struct {
	*harness

	asking chan<- int
}

func (p askingPortal) Scan(ctx context.Context, after int64, at reconcile.Steps) (leads.Page, error) {
	drawn := at.Drawn
	at.Drawn = func() {
		drawn()
		p.asking <- int(p.windows.Load())
	}
	return p.harness.Scan(ctx, after, at)
}

// While one window is compared, the next is being read, and no more than that.
func TestNextWindowIsReadWhileOneIsCompared(t *testing.T) {
	h := imported(t, 100)
	h.alterRow(h.ids()[40], "TITLE", "altered")
	h.windowSize = 30
	h.windows.Store(0)
	reading := make(chan int, 100)
	compared := 0
	cfg := h.config()
	cfg.Portal = askingPortal{h, reading}
	cfg.Mirror = slowMirror{h.db, func() error {
		compared++
		for last := 0; last <= compared && compared < 4; { // at the end there is no next one
			select {
			case last = <-reading:
			case <-time.After(30 * time.Second):
				t.Errorf("window %d is compared, and the next is not read", compared)
				return leads.ErrRefused
			}
		}
		if n := int(h.windows.Load()); n > compared+1 {
			t.Errorf("%d windows are read while window %d is compared", n, compared)
		}
		return nil
	}}
	run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull}))
	if err != nil || run.Scanned != 100 || run.Stale != 1 {
		t.Errorf("%v, %+v", err, run.Sums)
	}
	h.wantEqual()
}

// A window that was read ahead of a step that failed is read again: it is older than it looks.
func TestWindowReadAheadOfAFailureIsReadAgain(t *testing.T) {
	h := imported(t, 100)
	h.windowSize = 50
	failed := false
	cfg := h.config()
	cfg.Mirror = slowMirror{h.db, func() error {
		if failed {
			return nil
		}
		failed = true
		for _, id := range h.ids() {
			h.editInPortal(id, "edited while the database did not answer")
		}
		return errors.New("the database does not answer")
	}}
	if _, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull})); err != nil {
		t.Fatal(err)
	}
	h.wantEqual()
}

// silentLedger does not answer where hold says so.
type silentLedger struct {
	*repo.DB

	hold func() error
}

func (l silentLedger) Noted(ctx context.Context, runID string) ([]leads.Finding, error) {
	if err := l.hold(); err != nil {
		return nil, err
	}
	return l.DB.Noted(ctx, runID)
}

// The same where the step fails that was to use it, before it does.
func TestWindowReadAheadIsReadAgainWhereItsOwnStepFails(t *testing.T) {
	h := imported(t, 100)
	h.windowSize = 50
	windows := func(fails int) int64 {
		h.windows.Store(0)
		steps, cfg := 0, h.config()
		cfg.Ledger = silentLedger{h.db, func() error {
			if steps++; steps == fails {
				return errors.New("the database does not answer")
			}
			return nil
		}}
		if _, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: leads.RunFull})); err != nil {
			t.Fatal(err)
		}
		return h.windows.Load()
	}
	if calm, failed := windows(0), windows(2); failed != calm+1 {
		t.Errorf("%d windows were read, and %d without a failure: want one more", failed, calm)
	}
}
