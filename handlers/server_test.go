package handlers_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers"
)

// knownAgain is longer than portals are remembered.
const knownAgain = time.Minute

func TestReadinessSaysWhichPartIsIll(t *testing.T) {
	ill := map[string]string{}
	f := open(t, func(_ *face, cfg *handlers.Config) {
		cfg.Ready = func(context.Context) map[string]string { return ill }
	})
	if status, text := f.get("/readyz"); status != http.StatusOK || !strings.Contains(text, "ready") {
		t.Errorf("answered %d %s", status, text)
	}
	ill["nats"] = "not connected"
	if status, text := f.get("/readyz"); status != http.StatusServiceUnavailable || strings.TrimSpace(text) != `{"nats":"not connected"}` {
		t.Errorf("answered %d %s", status, text)
	}
	if status, _ := f.get("/healthz"); status != http.StatusOK {
		t.Errorf("a process that works is not healthy: %d", status)
	}
}

func TestUnknownPathsAndMethodsLearnNothing(t *testing.T) {
	f := open(t, nil)
	for path, want := range map[string]int{"/": 404, "/bitrix24/events": 405, "/api": 404} {
		if status, text := f.get(path); status != want || text != "" {
			t.Errorf("%s is answered %d %q", path, status, text)
		}
	}
}

func TestStopFinishesWhatIsUnderWay(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	f := open(t, func(_ *face, cfg *handlers.Config) {
		cfg.Store = func(context.Context, events.Entry) error {
			close(begun)
			<-end
			return nil
		}
	})
	f.installed()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- f.Serve(ctx, listener) }()
	info := f.portal.Info()
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
	f := open(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
	if err := f.Serve(t.Context(), listener); err == nil || !strings.Contains(err.Error(), listener.Addr().String()) {
		t.Errorf("%v", err)
	}
}
