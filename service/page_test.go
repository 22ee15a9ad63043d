package service

import (
	"context"
	"database/sql"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// pages is a running service beside an emulated portal, seen from a browser.
type pages struct {
	t       *testing.T
	service *Service
	portal  *emulator.Portal
	log     *leadstest.Log
	admin   string
	file    string // of the database
}

func openPages(t *testing.T, count int) *pages {
	t.Helper()
	return openPagesWith(t, count, nil)
}

// openPagesWith is openPages with settings of the test.
func openPagesWith(t *testing.T, count int, settings map[string]string) *pages {
	t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, Seed: 1, NoLimits: true, Switches: emulator.Switches{NoOffline: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	at := func(address string) string { return strings.TrimPrefix(address, "http://") }
	vars := map[string]string{
		"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": "127.0.0.1:0", "LEADSYNC_ADMIN_ADDR": "127.0.0.1:0", "LEADSYNC_NATS_LISTEN": "127.0.0.1:0",
		"LEADSYNC_B24_INSECURE_HOSTS": at(p.Info().Portal) + "," + at(p.Info().OAuth), "LEADSYNC_B24_CLIENT_ID": p.Info().ClientID, "LEADSYNC_B24_CLIENT_SECRET": p.Info().ClientSecret,
	}
	maps.Copy(vars, settings)
	cfg, err := ReadConfig(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
	if err != nil {
		t.Fatal(err)
	}
	listeners, err := Listen(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.PublicURL, cfg.TolerateOutages = addressOf(listeners.Public), true
	log := &leadstest.Log{}
	b, err := own(t.Context(), cfg, log.Logger())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(b, listeners)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		_ = b.Close()
		_ = listeners.Close()
	})
	return &pages{t: t, service: s, portal: p, log: log, admin: s.AdminAddress(), file: strings.TrimPrefix(cfg.DatabaseURL, "sqlite:")}
}

// until asks again and again: a slow machine is no failure.
func (p *pages) until(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			p.t.Fatalf("still waiting: %s\n%s", what, p.log.String())
		case <-tick.C:
		}
	}
}

func (p *pages) answer(response *http.Response, err error) (int, string) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func (p *pages) get(path string) string {
	p.t.Helper()
	status, text := p.answer(http.Get(p.admin + path))
	if status != http.StatusOK {
		p.t.Fatalf("%s is answered %d: %s", path, status, text)
	}
	return text
}

var pageToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// post sends a form and follows to the page that it leads to.
func (p *pages) post(path string, values ...string) string {
	p.t.Helper()
	form := url.Values{"form_token": {pageToken.FindStringSubmatch(p.get("/doctor"))[1]}}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	status, text := p.answer(http.PostForm(p.admin+path, form))
	if status != http.StatusOK {
		p.t.Errorf("%s is answered %d: %s", path, status, text)
	}
	return text
}

// edit changes a row behind leadsync's back.
func (p *pages) edit(id int64, title string) {
	p.t.Helper()
	db, err := sql.Open("sqlite", p.file+"?_pragma=busy_timeout(60000)")
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(p.t.Context(), "UPDATE bitrix_leads SET sql_TITLE = ? WHERE sql_ID = ?", title, id); err != nil {
		p.t.Fatal(err)
	}
}

// What an operator does from the page alone.
func TestOperatorsWorkFromThePage(t *testing.T) {
	t.Parallel()
	p := openPages(t, 20)
	db, member := p.service.Backend.DB, p.portal.Info().MemberID
	p.until("the tables are there", func() bool {
		status, _ := p.answer(http.Get(p.admin + "/portals/connect"))
		return status == http.StatusOK
	})
	if page := p.get("/portals/connect"); !strings.Contains(page, "comes in by itself") || !strings.Contains(page, p.service.Address()+"/bitrix24/events") {
		t.Errorf("before the first portal: %s", page)
	}
	p.portal.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	p.until("the leads are imported", func() bool {
		run, ok, err := db.LastCompleted(t.Context(), member)
		return err == nil && ok && run.Scanned == 20 && strings.Contains(p.get("/portals/connect"), "Its leads are imported</dt><dd><span class=\"state current\">done")
	})
	id, _ := p.portal.RandomID()
	p.wantRepair(id, "/leads/"+member+"/"+strconv.FormatInt(id, 10))
	if page := p.get("/leads?q=987654"); !strings.Contains(page, "/leads/"+member+"/987654") {
		t.Errorf("of a lead that never came: %s", page)
	}
	if page := p.get("/leads/" + member + "/987654"); !strings.Contains(page, "no event of it arrived here") {
		t.Errorf("of a lead that never came: %s", page)
	}

	p.post("/doctor")
	p.until("the installation is examined", func() bool { return strings.Contains(p.get("/doctor"), "Examined") })
	for _, check := range []string{"public address", "database", "nats", "portals"} {
		if !strings.Contains(strings.ToLower(p.get("/doctor")), check) {
			t.Errorf("%s was not examined: %s", check, p.get("/doctor"))
		}
	}
	p.post("/doctor/alarms")
	p.until("the alarms are tested", func() bool { return strings.Contains(p.get("/doctor"), "nobody would be told") })

	p.service.sampler.take(t.Context())
	for _, path := range []string{"/charts/lag.svg", "/charts/callbacks.svg?span=24h", "/charts/waiting.svg?span=7d"} {
		if picture := p.get(path); !strings.HasPrefix(picture, "<svg") {
			t.Errorf("%s is %s", path, picture)
		}
	}
	if page := p.get("/settings"); !strings.Contains(page, "MIT") || !strings.Contains(page, "(embedded)") || !strings.Contains(page, "LEADSYNC_JOURNAL_KEEP") {
		t.Errorf("settings: %s", page)
	}

	second := p.secondPortal()
	p.until("the second portal is refused, and shown", func() bool {
		page := p.get("/portals/connect")
		return strings.Contains(page, "Refused lately") && strings.Contains(page, "/portals/connect?member_id="+second)
	})
	if page := p.post("/portals", "member_id", "B223C6B3710F85DF22E9377D6C4F7553", "domain", "second.bitrix24.ru"); !strings.Contains(page, "The portal may come in now") || !strings.Contains(page, "second.bitrix24.ru") {
		t.Errorf("a second portal: %s", page)
	}
	if page := p.get("/portals"); !strings.Contains(page, "needs_authorization") {
		t.Errorf("the second portal: %s", page)
	}
	p.post("/portals/"+member+"/remove", "domain", strings.TrimPrefix(p.portal.Info().Portal, "http://"))
	p.until("the portal is erased", func() bool {
		_, known, err := db.Portal(t.Context(), member)
		left, failed := db.CountLeads(t.Context(), member)
		return err == nil && failed == nil && !known && left == 0 && strings.Contains(p.log.String(), "portal erased")
	})
}

// secondPortal installs the application from another portal, and returns its member_id.
func (p *pages) secondPortal() string {
	p.t.Helper()
	other, err := emulator.Start(emulator.Config{Leads: 1, Seed: 2, NoLimits: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = other.Close() })
	other.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	return other.Info().MemberID
}

// wantRepair edits a row by hand, sees the difference on the lead's page and has it repaired.
func (p *pages) wantRepair(id int64, path string) {
	p.t.Helper()
	p.edit(id, "written by hand")
	page := p.post(path + "/compare")
	if !strings.Contains(page, "Fields that differ: 1") || !strings.Contains(page, ">written by hand</td>") {
		p.t.Fatalf("the difference: %s", page)
	}
	if page := p.post(path + "/repair"); !strings.Contains(page, "is read again within seconds") {
		p.t.Errorf("the repair: %s", page)
	}
	p.until("the row is repaired", func() bool {
		return strings.Contains(p.post(path+"/compare"), "The row is equal to the lead in the portal.")
	})
	p.until("the story tells of it", func() bool {
		page := p.get(path)
		return strings.Contains(page, "somebody had the lead read again") && strings.Contains(page, "read from Bitrix24") && strings.Contains(page, "changed: ")
	})
	changes, err := p.service.Backend.DB.Changes(p.t.Context(), leads.Ref{MemberID: p.portal.Info().MemberID, LeadID: id}, 10)
	if err != nil || len(changes) < 2 || changes[0].Kind != leads.Changed {
		p.t.Errorf("the history: %+v, %v", changes, err)
	}
}
