package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/leads"
)

// readiness is the answer of /readyz.
func (h *harness) readiness() (status int, words string) {
	h.t.Helper()
	response, err := http.Get(h.serve.admin() + "/readyz")
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// editStatus edits a lead and returns how its callback was answered.
func (h *harness) editStatus(id int64, title string) int {
	h.t.Helper()
	if err := h.portal.Edit(id, map[string]any{"TITLE": title}); err != nil {
		h.t.Fatal(err)
	}
	if err := h.portal.DrainCallbacks(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
	all := h.portal.Callbacks()
	return all[len(all)-1].Status
}

// untilTitled waits until the mirror has the title.
func (h *harness) untilTitled(id int64, title string) {
	h.t.Helper()
	h.until("the mirror has "+title, func() bool {
		row, ok, err := h.db.Row(h.t.Context(), leads.Ref{MemberID: h.portal.Info().MemberID, LeadID: id})
		return err == nil && ok && strings.Contains(string(row.Raw), title)
	})
}

func TestServeStartsWithoutNATS(t *testing.T) {
	t.Parallel()
	h := newHarness(t, false)
	h.install()
	id, _ := h.portal.RandomID()
	h.serve.stop()
	h.nats.stop()
	h.serve.start()
	h.untilUp()
	if status := h.editStatus(id, "while NATS was down"); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if status, words := h.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(words, "not connected") {
		t.Errorf("readyz says %d %s", status, words)
	}
	h.serve.kill() // only the spool has the callback
	h.nats.start()
	h.serve.start()
	h.untilTitled(id, "while NATS was down")
	h.until("readyz reports no problem", func() bool { status, _ := h.readiness(); return status == http.StatusOK })
}

func TestServeStartsWithoutDatabase(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		forgetful bool // no file on disk knows the token
	}{{"the token's hash is known", false}, {"nothing is known", true}} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHarness(t, true)
			h.install()
			id, _ := h.portal.RandomID()
			h.serve.stop()
			if test.forgetful {
				if err := os.Remove(filepath.Join(h.dataDir, "tokens.json")); err != nil {
					t.Fatal(err)
				}
			}
			with := h.serve.env
			h.serve.env = append(h.serve.env[:len(with):len(with)], "LEADSYNC_DATABASE_URL=sqlserver://sa:x@"+freeAddress(t)+"?database=oktell&encrypt=disable")
			h.serve.start()
			h.untilUp()
			if status := h.editStatus(id, "while SQL was down"); status != http.StatusOK {
				t.Errorf("answered %d", status)
			}
			if status, words := h.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(words, "database") {
				t.Errorf("readyz says %d %s", status, words)
			}
			h.serve.kill()
			h.serve.env = with
			h.serve.start()
			h.untilTitled(id, "while SQL was down")
		})
	}
}

// A database that takes connections and says nothing keeps no callback waiting, and no stop.
func TestServeStartsWithASilentDatabase(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts: the system takes the connections
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	const member = "a223c6b3710f85df22e9377d6c4f7553"
	h := &harness{t: t, url: "http://" + freeAddress(t)}
	h.serve = newChild(t, "serve", "LEADSYNC_DATA_DIR="+t.TempDir(), "LEADSYNC_HTTP_ADDR="+host(h.url), "LEADSYNC_NATS_LISTEN=127.0.0.1:0",
		"LEADSYNC_DATABASE_URL=sqlserver://sa:p@"+silent.Addr().String()+"?database=oktell&encrypt=disable",
		"LEADSYNC_B24_WEBHOOK_URL=https://one.bitrix24.ru/rest/1/secret/", "LEADSYNC_B24_APPLICATION_TOKEN=token", "LEADSYNC_B24_MEMBER_ID="+member)
	h.serve.start()
	h.untilUp()
	response, err := http.PostForm(h.url+"/bitrix24/events", url.Values{
		"event": {"ONCRMLEADUPDATE"}, "data[FIELDS][ID]": {"7"}, "ts": {"1766047124"},
		"auth[member_id]": {member}, "auth[application_token]": {"token"}, "auth[domain]": {"one.bitrix24.ru"},
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("a callback is answered %d", response.StatusCode)
	}
	if status, words := h.readiness(); status != http.StatusServiceUnavailable || !strings.Contains(words, "no answer ") {
		t.Errorf("readyz says %d %s", status, words)
	}
	h.until("readyz says since when", func() bool {
		_, words := h.readiness()
		return strings.Contains(words, `"database":"no answer since 20`)
	})
	h.serve.stop() // it must end by itself
}
