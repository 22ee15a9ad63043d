package handlers_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

func TestReadinessReportsEachProblem(t *testing.T) {
	problems := map[string]string{}
	h := open(t, func(h *harness) {
		h.admin.Ready = func(context.Context) map[string]string { return problems }
	})
	if status, text := h.operators("/readyz"); status != http.StatusOK || !strings.Contains(text, "ready") {
		t.Errorf("answered %d %s", status, text)
	}
	h.admin.Notes = func() map[string]string { return map[string]string{"note": "worth knowing"} }
	h.serve()
	if status, text := h.operators("/readyz"); status != http.StatusOK || strings.TrimSpace(text) != `{"note":"worth knowing","status":"ready"}` {
		t.Errorf("answered %d %s", status, text)
	}
	problems["nats"] = "not connected"
	if status, text := h.operators("/readyz"); status != http.StatusServiceUnavailable || strings.TrimSpace(text) != `{"nats":"not connected"}` {
		t.Errorf("answered %d %s", status, text)
	}
	if status, _ := h.get("/healthz"); status != http.StatusOK {
		t.Errorf("a process that works is unhealthy: %d", status)
	}
}

func TestHealthAnswersEveryBalancer(t *testing.T) {
	h := open(t, nil)
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "POST"} {
		if response, _ := h.send(method, "/healthz", ""); response.StatusCode != http.StatusOK {
			t.Errorf("%s is answered %d", method, response.StatusCode)
		}
	}
	if response, _ := h.send("DELETE", "/healthz", ""); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("DELETE is answered %d", response.StatusCode)
	}
}

func TestUnknownPathsAndMethodsLearnNothing(t *testing.T) {
	h := open(t, nil)
	for path, want := range map[string]int{"/": 404, "/api": 404} {
		if status, text := h.get(path); status != want || text != "" {
			t.Errorf("%s is answered %d %q", path, status, text)
		}
	}
	if status, text := h.get(leads.CallbackPath); status != http.StatusMethodNotAllowed || !strings.HasPrefix(text, "This address is for Bitrix24. ") {
		t.Errorf("the address of callbacks is answered %d %q", status, text)
	}
	if response, _ := h.send("GET", leads.CallbackPath, "", "User-Agent", leads.ExaminerAgent); response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("an examination is answered %d", response.StatusCode)
	}
	if counted := h.stats.Refused(); len(counted) != 1 || counted["wrong_method"] != 1 {
		t.Errorf("scanners of other paths are counted as callbacks: %v", counted)
	}
}

// Callers learn nothing of our own faults; the log says what they are.
func TestAHandlersFailureIsLogged(t *testing.T) {
	h := open(t, nil)
	h.server.Fails("/broken", errors.New("the reason"))
	if status, text := h.get("/broken"); status != http.StatusInternalServerError || text != "" || !strings.Contains(h.log.String(), `error="the reason"`) {
		t.Errorf("answered %d %q: %s", status, text, h.log)
	}
	if h.get("/unknown"); strings.Count(h.log.String(), "request failed") != 1 {
		t.Errorf("an unknown path is logged as our fault: %s", h.log)
	}
}

// Nobody can show within a test that a slow sender is cut off; without these it is not.
func TestConnectionsHaveLimits(t *testing.T) {
	for i, limit := range handlers.Limits() {
		if limit < time.Second || limit > 5*time.Minute {
			t.Errorf("limit %d is %s", i, limit)
		}
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	h := open(t, func(h *harness) {
		h.cfg.Store = func(context.Context, events.Entry) error {
			close(begun)
			<-end
			return nil
		}
	})
	h.installed()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(ctx, listener) }()
	info := h.portal.Info()
	answered := make(chan int, 1)
	go func() {
		response, err := http.Post("http://"+listener.Addr().String()+"/bitrix24/events", "application/x-www-form-urlencoded",
			strings.NewReader(callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "1")))
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
		answered <- response.StatusCode
	}()
	<-begun
	stop()
	for { // until it listens no more
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
	}
	close(end)
	if status := <-answered; status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestTakenAddressIsNamed(t *testing.T) {
	h := open(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := h.server.Serve(t.Context(), listener); err == nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("%v", err)
	}
}
