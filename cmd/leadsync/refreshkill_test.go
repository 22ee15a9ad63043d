package main

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// The service is killed when the authorization server has used up its refresh token: before
// the answer is sent, or after it, while the database is locked. A pair that was answered is in the
// data directory, and the next process stores it. Without the answer a lenient server lets the next
// process refresh with the old token; with a strict one the tokens are lost, and the service
// must report everywhere that a person has to authorize it again.
func TestKillBetweenTokenAnswerAndWrite(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ lenient, answered bool }{
		"strict, no answer":  {false, false},
		"strict, answered":   {false, true},
		"lenient, no answer": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newRefreshHarness(t, test.lenient)
			h.killInRefresh(test.answered)
			h.serve.start()
			if test.lenient || test.answered {
				eventually(t, "the edit arrives", func() bool { return equalMirror(t, h.portal, h.db) })
				if p := h.record(); p.State != leads.PortalActive || strings.Contains(h.logged(), "needs authorization") {
					t.Errorf("the portal is %s", p.State)
				}
				eventually(t, "nothing is kept in the data directory", func() bool { return h.kept() == "" })
				return
			}
			h.wantReported()
			h.portal.Install(h.url+"/bitrix24/events", "")
			eventually(t, "a new authorization helps", func() bool {
				return h.record().State == leads.PortalActive && equalMirror(t, h.portal, h.db)
			})
		})
	}
}

type refreshHarness struct {
	t      *testing.T
	portal *emulator.Portal
	url    string
	path   string
	db     *repo.DB
	serve  *child

	used   chan struct{} // the server has used up a refresh token
	answer chan struct{} // it may answer
}

func newRefreshHarness(t *testing.T, lenient bool) *refreshHarness {
	t.Helper()
	h := &refreshHarness{t: t, used: make(chan struct{}, 1), answer: make(chan struct{})}
	h.portal = startEmulator(t, emulator.Config{Leads: 20, Seed: 8, Switches: emulator.Switches{LenientRotation: lenient}, OnToken: func() {
		select {
		case h.used <- struct{}{}:
			<-h.answer
		default: // only the first is held
		}
	}})
	info, dir, address := h.portal.Info(), t.TempDir(), freeAddress(t)
	h.url, h.path = "http://"+address, filepath.Join(dir, "mirror.db")
	h.serve = newChild(t, "serve",
		"LEADSYNC_DATA_DIR="+dir, "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+h.url, "LEADSYNC_NATS_LISTEN="+freeAddress(t),
		"LEADSYNC_DATABASE_URL=sqlite:"+h.path, "LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth),
		"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret, "LEADSYNC_RECONCILE_AT=off")
	h.serve.start()
	eventually(t, "the service is ready", func() bool { return (&balancer{replicas: []*child{h.serve}}).ready() == 1 })
	var err error
	if h.db, err = repo.Open(t.Context(), repo.Config{URL: "sqlite:" + h.path}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.db.Close() })
	h.portal.Install(h.url+"/bitrix24/events", "")
	(&testServer{portal: h.portal}).untilImported(t, h.db)
	return h
}

// killInRefresh makes the service refresh its tokens, and kills it before it can store them.
func (h *refreshHarness) killInRefresh(answered bool) {
	h.t.Helper()
	h.portal.ExpireTokens()
	id, _ := h.portal.RandomID()
	if err := h.portal.Edit(id, map[string]any{"TITLE": "after the tokens have expired"}); err != nil {
		h.t.Fatal(err)
	}
	<-h.used
	if err := h.portal.DrainCallbacks(h.t.Context()); err != nil { // something else may have caused the refresh
		h.t.Fatal(err)
	}
	if !answered {
		h.serve.kill()
		close(h.answer)
		return
	}
	raw, err := sql.Open("sqlite", h.path+"?_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		h.t.Fatal(err)
	}
	defer raw.Close()
	tx, err := raw.BeginTx(context.Background(), nil) // the service has noted that it refreshes; it writes no more
	if err != nil {
		h.t.Fatal(err)
	}
	close(h.answer)
	eventually(h.t, "the pair is kept in the data directory", func() bool { return h.kept() != "" })
	h.serve.kill()
	if err := tx.Rollback(); err != nil {
		h.t.Fatal(err)
	}
}

// kept is what the data directory keeps of refreshed tokens.
func (h *refreshHarness) kept() string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(filepath.Dir(h.path), "refreshed", "*.json"))
	if err != nil || len(files) != 1 {
		h.t.Fatalf("%d files, %v", len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// wantReported checks that lost tokens are reported in the portal's state, by /readyz, in the
// metrics and in the log.
func (h *refreshHarness) wantReported() {
	t := h.t
	t.Helper()
	eventually(t, "the portal needs authorization", func() bool { return h.record().State == leads.PortalNeedsAuthorization })
	for path, want := range map[string]string{
		"/readyz":  "needs authorization: let an administrator of the portal open ",
		"/metrics": `leadsync_portals{state="needs_authorization"} 1`,
	} {
		var text string
		eventually(t, path+" reports it", func() bool { text = h.get(path); return strings.Contains(text, want) })
	}
	log := h.logged()
	for _, want := range []string{"portal needs authorization", "/bitrix24/oauth/start?domain=" + h.record().Domain, "a refresh that began at", "was never stored"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	grant, _, err := h.db.Grant(t.Context(), h.record().MemberID)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{grant.AccessToken.Reveal(), grant.RefreshToken.Reveal(), h.portal.Info().ClientSecret} {
		if strings.Contains(log, secret) {
			t.Error("the log shows a secret")
		}
	}
}

func (h *refreshHarness) record() leads.Portal {
	h.t.Helper()
	p, _, err := h.db.Portal(h.t.Context(), h.portal.Info().MemberID)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *refreshHarness) logged() string {
	h.t.Helper()
	data, err := os.ReadFile(h.serve.log)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(data)
}

func (h *refreshHarness) get(path string) string {
	resp, err := http.Get(h.serve.admin() + path)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
