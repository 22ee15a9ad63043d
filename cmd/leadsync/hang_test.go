package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/service"
)

// hangingPortal stands before an emulated portal and can stop answering: requests then wait
// until it is mended.
type hangingPortal struct {
	forward http.Handler

	mu      sync.Mutex
	mended  chan struct{} // nil while it answers
	waiting int
}

func startHanging(t *testing.T, p *emulator.Portal) (*hangingPortal, string) {
	t.Helper()
	to, err := url.Parse(p.Info().Portal)
	if err != nil {
		t.Fatal(err)
	}
	h := &hangingPortal{forward: httputil.NewSingleHostReverseProxy(to)}
	server := httptest.NewServer(h)
	t.Cleanup(func() { h.mend(); server.Close() })
	return h, server.URL
}

// ServeHTTP implements http.Handler.
func (h *hangingPortal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	mended := h.mended
	if mended != nil {
		h.waiting++
	}
	h.mu.Unlock()
	if mended != nil {
		select {
		case <-mended:
		case <-r.Context().Done():
			return
		}
	}
	h.forward.ServeHTTP(w, r)
}

func (h *hangingPortal) hang() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mended, h.waiting = make(chan struct{}), 0
}

func (h *hangingPortal) mend() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mended != nil {
		close(h.mended)
	}
	h.mended = nil
}

func (h *hangingPortal) hangs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}

// A portal that accepts requests and answers none causes no error for minutes. Two minutes
// after a notice came it is in /readyz, in portals show and in the metrics, and it leaves them
// when it answers again.
func TestAPortalThatHangsIsReportedAfterTwoMinutes(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 20, Seed: 9, NoLimits: true, Switches: emulator.Switches{NoOffline: true}})
	hanging, address := startHanging(t, p)
	clock := newShiftedClock("")
	s := startServeWith(t, p, map[string]string{
		"LEADSYNC_B24_INSECURE_HOSTS": strings.Join([]string{host(p.Info().Portal), host(p.Info().OAuth), host(address)}, ","),
	}, func(ctx context.Context, s *testServer) int {
		cfg, err := service.ReadConfig(environmentOf(s.vars))
		if err != nil {
			t.Error(err)
			return exitUsage
		}
		cfg.TolerateOutages, cfg.Tuning = true, service.Tuning{Grace: time.Second, TimeScale: 60, Clock: clock.now}
		if err := service.Serve(ctx, cfg, service.NewLog(s.log, cfg)); err != nil {
			t.Error(err)
			return exitFailure
		}
		return exitOK
	})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	if err := db.MovePortal(t.Context(), s.member(), host(address), address+"/rest/"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owner works at the new address", func() bool { return strings.Contains(s.log.String(), `"domain":"`+host(address)+`"`) })
	hanging.hang()
	id, _ := p.RandomID()
	if err := p.Edit(id, map[string]any{"TITLE": "while the portal hangs"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its read hangs, and the metric shows the notice", func() bool {
		return hanging.hangs() > 0 && s.oldestNotice(t) > 0
	})
	if status := s.status(t, "/readyz"); status != http.StatusOK {
		t.Errorf("reported at once: %d", status)
	}
	clock.set((2 * time.Minute).String())
	eventually(t, "it is reported", func() bool {
		status, report := s.readiness(t)
		return status == http.StatusServiceUnavailable && strings.Contains(report, `"portal `+host(address)+`"`) && strings.Contains(report, "notices") && strings.Contains(report, "no answer from the portal")
	})
	if age := s.oldestNotice(t); age < 120 || age > 600 {
		t.Errorf("the metric says %v seconds", age)
	}
	eventually(t, "portals show has it", func() bool {
		_, shown, _ := command(t.Context(), t, s.vars, "portals", "show", s.member())
		return strings.Contains(shown, "no answer from the portal")
	})
	hanging.mend()
	eventually(t, "the edit arrives", func() bool { return s.equal(t, db) })
	eventually(t, "nothing is reported any more", func() bool {
		_, shown, _ := command(t.Context(), t, s.vars, "portals", "show", s.member())
		return s.status(t, "/readyz") == http.StatusOK && s.oldestNotice(t) == 0 && !strings.Contains(shown, "problem")
	})
}

// readiness is the answer of /readyz.
func (s *testServer) readiness(tb testing.TB) (int, string) {
	tb.Helper()
	resp, err := http.Get(s.admin() + "/readyz")
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// oldestNotice is what the metric says of the portal, in seconds; -1 where it says nothing.
func (s *testServer) oldestNotice(tb testing.TB) float64 {
	tb.Helper()
	for line := range strings.Lines(s.metrics(tb)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), `leadsync_portal_oldest_notice_seconds{member_id="`+s.member()+`"} `); ok {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return seconds
		}
	}
	return -1
}
