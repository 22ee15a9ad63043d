package console_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/net/html"

	"leadsync/events"
	"leadsync/handlers/access"
	"leadsync/handlers/console"
	"leadsync/handlers/console/consoletest"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(consoletest.Main{Tests: m}) }

const (
	member    = "a223c6b3710f85df22e9377d6c4f7553"
	readToken = "the-token-of-readers"
)

// house is what the pages show in tests.
type house struct {
	mu       sync.Mutex
	overview console.Overview
	runs     []leads.Run
	findings []leads.Finding
	card     leads.Card
	callers  []leads.Caller
	letters  []events.DeadLetter
	failing  []leads.Failing
	payload  string
	portals  []console.Portal
	story    journal.Timeline
	since    time.Time
	changes  []leads.Revised
	compared console.Comparison
	trend    console.Trend
	examined console.Examination
	alarms   console.Examination
	refused  []console.Refusal
	connects console.Connection
	did      []string
	asked    []string // for which times of the trend
	conflict error
	broken   error             // how everything stands is not known
	then     func(what string) // follows what is done; the house is locked
}

// What the pages ask of a house, by what they ask for.
type (
	statusDesk struct{ *house }
	passDesk   struct{ *house }
	leadDesk   struct{ *house }
	storyDesk  struct{ *house }
	letterDesk struct{ *house }
	portalDesk struct{ *house }
	doctorDesk struct{ *house }
)

// config are pages of the house.
func (h *house) config() console.Config {
	return console.Config{
		Status: statusDesk{h}, Passes: passDesk{h}, Leads: leadDesk{h}, Stories: storyDesk{h}, Letters: letterDesk{h}, Portals: portalDesk{h}, Doctor: doctorDesk{h},
		Refusals: h.Refusals, About: h.About, Settings: h.About, Log: leadstest.Silent(),
	}
}

func (h statusDesk) Overview(context.Context) (console.Overview, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := h.overview
	o.Portals = slices.Clone(o.Portals)
	return o, h.broken
}

// change lets something happen while pages are open.
func (h *house) change(how func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	how()
}

func (h passDesk) Runs(context.Context, string, int) ([]leads.Run, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.runs), nil
}

func (h passDesk) Run(_ context.Context, id string) (leads.Run, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, run := range h.runs {
		if run.ID == id {
			return run, true, nil
		}
	}
	return leads.Run{}, false, nil
}

func (h passDesk) Findings(_ context.Context, q console.FindingQuery) (page console.FindingPage, err error) {
	for i, f := range h.findings {
		if int64(i) < q.After || q.Kind != "" && f.Kind != q.Kind {
			continue
		}
		if len(page.Findings) == q.Limit {
			page.Next = int64(i)
			break
		}
		page.Findings = append(page.Findings, f)
	}
	return page, nil
}

func (h *house) note(what ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	said := strings.TrimSpace(fmt.Sprintln(what...))
	if h.did = append(h.did, said); h.then != nil {
		h.then(said)
	}
}

// done is what was done.
func (h *house) done() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Join(h.did, "; ")
}

func (h passDesk) StartPass(_ context.Context, memberID string, mode leads.RunMode, dry bool) (string, error) {
	h.note("start", memberID, mode, dry)
	return "run-1", h.conflict
}

func (h passDesk) PausePass(_ context.Context, id string) (bool, error) {
	h.note("pause", id)
	return true, nil
}

func (h passDesk) ResumePass(_ context.Context, id string) (bool, error) {
	h.note("resume", id)
	return false, nil
}

func (h leadDesk) Callers(context.Context, string, int) ([]leads.Caller, error) {
	return h.callers, nil
}

func (h leadDesk) Card(_ context.Context, ref leads.Ref) (leads.Card, bool, error) {
	return h.card, ref.LeadID == h.card.LeadID, nil
}

func (h letterDesk) All(context.Context) ([]events.DeadLetter, error) { return h.letters, nil }

func (h letterDesk) Failing(context.Context) ([]leads.Failing, error) { return h.failing, h.broken }

func (h letterDesk) Payload(context.Context, leads.Ref) (string, bool, error) {
	return h.payload, true, nil
}

func (h letterDesk) Replay(_ context.Context, letters []events.DeadLetter) (int, error) {
	h.note("replay", len(letters))
	return len(letters), nil
}

func (h letterDesk) Drop(_ context.Context, letters []events.DeadLetter) (int, error) {
	h.note("drop", len(letters), letters[0].Ref.LeadID)
	return len(letters), nil
}

func (h storyDesk) Why(_ context.Context, ref leads.Ref, since time.Time) (journal.Timeline, error) {
	if ref.MemberID != member {
		return journal.Timeline{}, console.ErrNotFound
	}
	h.since = since
	return h.story, nil
}

func (h storyDesk) Changes(context.Context, leads.Ref, int) ([]leads.Revised, error) {
	return h.changes, nil
}

func (h storyDesk) Compare(_ context.Context, ref leads.Ref) (console.Comparison, error) {
	h.note("compare", ref.LeadID)
	return h.compared, h.conflict
}

func (h storyDesk) Repair(_ context.Context, ref leads.Ref) error {
	h.note("repair", ref.LeadID)
	return h.conflict
}

func (h statusDesk) Trend(span, step time.Duration) console.Trend {
	h.change(func() { h.asked = append(h.asked, fmt.Sprint(span, " ", step)) })
	return h.trend
}

func (h doctorDesk) Examination() console.Examination { return h.examined }

func (h doctorDesk) AlarmTest() console.Examination { return h.alarms }

func (h doctorDesk) Examine() error {
	h.note("examine")
	return h.conflict
}

func (h doctorDesk) TestAlarms() error {
	h.note("test alarms")
	return h.conflict
}

func (h portalDesk) Connection(context.Context) console.Connection { return h.connects }

func (h portalDesk) Invite(_ context.Context, i console.Invitation) error {
	h.note("invite", i.MemberID, i.Domain, i.ClientID, i.ClientSecret.Reveal())
	return h.conflict
}

func (h portalDesk) Remove(_ context.Context, memberID string) error {
	h.note("remove", memberID)
	return h.conflict
}

func (h *house) Refusals() []console.Refusal { return h.refused }

func (h *house) About() []console.Setting { return []console.Setting{{Name: "licence", Value: "MIT"}} }

func (h portalDesk) Reports(context.Context) ([]console.Portal, error) { return h.portals, nil }

func (h portalDesk) Rebind(_ context.Context, memberID string) error {
	h.note("rebind", memberID)
	return nil
}

// furnished has something on every page; text stands wherever something comes from outside.
func furnished(text string) *house {
	now := time.Now()
	ref := leads.Ref{MemberID: member, LeadID: 17}
	run := leads.Run{
		ID: "run-1", MemberID: member, Mode: leads.RunFull, State: leads.RunRunning, RequestedAt: now, StartedAt: now.Add(-time.Minute), Error: text,
		Sums: leads.Sums{Scanned: 6000, Missed: 2, Stale: 1},
	}
	raw, _ := json.Marshal(map[string]any{"ID": "17", "TITLE": text, "UF_CRM_1": []string{text}, text: text})
	caller := leads.Caller{MemberID: member, LeadID: 17, Title: text, Name: text, Company: text, StatusID: text, E164: text, CardURL: "javascript:alert(1)//" + text}
	return &house{
		overview: console.Overview{
			At: now, Problems: map[string]string{text: text}, Notes: map[string]string{text: text}, Dead: 2, Notices: 1234567, Lag: console.Point{P50: 0.4, P99: 12}, Rate: console.Point{PerMinute: 33.3}, Changed: now,
			Portals: []console.PortalStatus{{
				MemberID: member, Domain: text, State: leads.PortalActive, Leads: 12000, Running: &run, Last: &run, Waiting: now,
				Mirror: leads.MirrorStatus{State: leads.MirrorBehind, Since: now, At: now, Reason: text},
				Missed: console.Missed{Known: true, Found: 12, Compared: 360000}, Notices: 5,
				Budget: leads.Budget{At: now, Level: 3, Depth: 40}, Operating: console.Operating{Method: "crm.lead.list", Used: 33, Limit: 420}, Next: now.Add(time.Hour),
			}},
		},
		runs:     []leads.Run{run, {ID: "run-2", MemberID: member, Mode: leads.RunChanged, State: leads.RunPaused, DryRun: true}},
		findings: []leads.Finding{{RunID: "run-1", Ref: ref, Kind: leads.FindingStale, Fields: []string{text}, FoundAt: now, Cause: text, Repaired: leads.Updated, Behind: time.Minute}},
		card:     leads.Card{Caller: caller, Lead: raw, DeletedAt: now},
		callers:  []leads.Caller{caller, caller},
		letters: []events.DeadLetter{
			{Notice: events.Notice{Ref: ref, Event: text}, Reason: text + " 17", Attempts: 9, FirstAt: now, LastAt: now},
			{Notice: events.Notice{Ref: leads.Ref{MemberID: member, LeadID: 18}}, Reason: text + " 18", LastAt: now},
			{Notice: events.Notice{Ref: leads.Ref{MemberID: member, LeadID: 19}}, Reason: "another"},
		},
		failing: []leads.Failing{{Ref: ref, Reason: text, Attempts: 2, FirstAt: now, NextAttemptAt: now.Add(time.Minute)}},
		payload: string(raw) + text,
		story: journal.Timeline{Answer: []string{text}, Notes: []string{text}, Moments: []journal.Moment{
			{At: now.Add(-time.Second), What: "callback", Text: "came " + text, Source: "journal"},
			{At: now, What: "row", Text: "was written " + text, Source: "both", Lag: 0.25, Cause: text, Whole: true},
		}},
		examined: console.Examination{Began: now, Ended: now, Checks: []console.Check{{Name: text, Level: "ok", Found: text}, {Name: text, Level: "fault", Found: text, Means: text, Do: text}}},
		alarms:   console.Examination{Began: now, Ended: now, Checks: []console.Check{{Name: text, Level: "warning", Found: text, Means: text, Do: text}}},
		refused:  []console.Refusal{{At: now, Count: 2, MemberID: member, Host: text, Reason: "not_verified", Detail: text}},
		connects: console.Connection{Address: []console.Check{{Level: "warning", Found: text, Do: text}}},
		changes:  []leads.Revised{{Revision: 2, At: now, Kind: leads.Changed, Cause: leads.CauseEvent, Fields: []leads.FieldChange{{Field: text, Old: &text, New: &text}}}},
		trend:    console.Trend{From: now.Add(-time.Hour), To: now, Step: time.Minute, Points: []console.Point{{At: now.Add(-2 * time.Minute), PerMinute: 30, P50: 0.4, P99: 9, Waiting: 3}, {At: now.Add(-time.Minute), PerMinute: 35, P50: 0.5, P99: 12}, {At: now, PerMinute: math.NaN(), P50: math.NaN(), P99: math.NaN(), Waiting: math.NaN()}}},
		compared: console.Comparison{At: now, Known: true, Fields: []leads.FieldChange{{Field: "TITLE", Old: &text, New: &text}, {Field: text}}},
		portals: []console.Portal{
			{MemberID: member, Domain: text, State: leads.PortalActive, Bound: []string{text}, Unbound: []string{text}, Import: &run, Owner: text, Problem: text, Note: text, Remedy: text, Tokens: []console.Tokens{{UserID: 1}}},
			{MemberID: "b", Domain: "two", State: leads.PortalUninstalled, Webhook: true, Leads: -1},
		},
	}
}

// office is the pages of a house behind a guard.
type office struct {
	*house

	t       *testing.T
	console *console.Console
	url     string
	client  *http.Client
}

func open(t *testing.T, h *house) *office { t.Helper(); return openLive(t, h, 10*time.Millisecond) }

// openLive is open where pages are told that often what is new.
func openLive(t *testing.T, h *house, every time.Duration) *office {
	t.Helper()
	o := &office{house: h, t: t}
	cfg := h.config()
	cfg.Settings = func() []console.Setting {
		return []console.Setting{
			{Name: "LEADSYNC_X", Value: "y", From: "environment"},
			{Name: "LEADSYNC_Y", Value: "z", From: "default"},
			{Name: "LEADSYNC_SECRET_KEY", Value: "[redacted]", From: "/etc/leadsync.env:7"},
			{Name: "LEADSYNC_API_TOKEN", Value: "[redacted]", From: "/run/secrets/api"},
		}
	}
	cfg.PhoneRegion, cfg.PublicURL, cfg.Version, cfg.LiveEvery = "RU", "https://leads.example.com", "v1", every
	o.console = console.New(cfg)
	guard := access.New(access.Config{
		Judge: access.NewJudge(access.Tokens{Read: readToken}, time.Now, leadstest.Silent()), Local: true, Open: console.Static, Now: time.Now,
	})
	server := httptest.NewServer(guard.Wrap(o.console))
	o.url, o.client = server.URL, server.Client()
	o.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	t.Cleanup(func() { o.console.Stop(); server.Close() })
	return o
}

// answer is one whose body has been read and closed.
type answer http.Response

func (a *answer) Cookies() []*http.Cookie { return (*http.Response)(a).Cookies() }

func (o *office) send(method, path string, form url.Values, header ...string) (*answer, string) {
	o.t.Helper()
	request, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		o.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", o.url)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := o.client.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		o.t.Fatal(err)
	}
	return (*answer)(response), string(text)
}

func (o *office) page(path string, header ...string) string {
	o.t.Helper()
	response, text := o.send(http.MethodGet, path, nil, header...)
	if response.StatusCode != http.StatusOK {
		o.t.Errorf("%s is answered %d: %s", path, response.StatusCode, text)
	}
	return text
}

var formToken = regexp.MustCompile(`name="form_token" value="([^"]+)"`)

// post sends a form as a page of ours has it.
func (o *office) post(path string, values ...string) (*answer, string) {
	o.t.Helper()
	form := url.Values{access.FormField: {formToken.FindStringSubmatch(o.page("/passes"))[1]}}
	for i := 0; i+1 < len(values); i += 2 {
		form.Set(values[i], values[i+1])
	}
	return o.send(http.MethodPost, path, form)
}

// everyPage are the pages with something on them.
var everyPage = []string{
	"/", "/passes", "/passes/run-1", "/passes/run-1?kind=stale", "/leads", "/leads?q=%2B79123456789", "/leads/" + member + "/17", "/dead", "/dead/" + member + "/17", "/portals", "/portals/connect", "/doctor", "/settings",
}

func TestEveryPageIsShownInBothLanguages(t *testing.T) {
	o := open(t, furnished("plain"))
	for _, path := range everyPage {
		english, russian := o.page(path), o.page(path, "Accept-Language", "ru")
		if !strings.Contains(english, `<html lang="en">`) || !strings.Contains(russian, `<html lang="ru">`) || !strings.Contains(russian, "Сверка") {
			t.Errorf("%s is not in its language", path)
		}
		for _, text := range []string{english, russian} {
			if !strings.HasSuffix(strings.TrimSpace(text), "</html>") && !strings.Contains(text, "</html>") || strings.Contains(text, "%!") || strings.Contains(text, "<no value>") {
				t.Errorf("%s is not whole: %s", path, text)
			}
		}
	}
}

// A text that has no Russian would be shown in English.
func TestEveryTextIsTranslated(t *testing.T) {
	templates, err := filepath.Glob("templates/*.html")
	if err != nil || len(templates) < 10 {
		t.Fatal(templates, err)
	}
	said := regexp.MustCompile(`\b(?:t|label) "((?:[^"\\]|\\.)*)"`)
	n := 0
	check := func(text string) {
		n++
		if console.Say("ru", text) == text {
			t.Errorf("%q has no Russian", text)
		}
		if strings.Count(text, "%s") != strings.Count(console.Say("ru", text), "%s") {
			t.Errorf("%q has other places in Russian", text)
		}
	}
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range said.FindAllStringSubmatch(string(text), -1) {
			check(found[1])
		}
	}
	for _, text := range console.FixedWords() {
		check(text)
	}
	for _, what := range []string{"callback", "spool", "read", "row", "topic", "pass", "failure", "replay", "refused", "outage", "status", "journal"} {
		check("what " + what)
	}
	for _, source := range []string{"journal", "database", "both"} {
		check("from " + source)
	}
	for _, kind := range []leads.ChangeKind{leads.Added, leads.Changed, leads.RemovedKind} {
		check(string(kind))
	}
	for _, cause := range []leads.Cause{leads.CauseEvent, leads.CauseOffline, leads.CauseReconcile, leads.CauseImport} {
		check("cause " + string(cause))
	}
	for _, state := range []leads.RunState{leads.RunRequested, leads.RunRunning, leads.RunCompleted, leads.RunIncomplete, leads.RunPaused} {
		check(string(state))
	}
	for _, mode := range []leads.RunMode{leads.RunImport, leads.RunFull, leads.RunChanged, leads.RunIDs} {
		check(string(mode))
	}
	for _, kind := range []leads.FindingKind{leads.FindingMissed, leads.FindingStale, leads.FindingPhantom, leads.FindingUnreadable, leads.FindingUnprocessable} {
		check(string(kind))
	}
	for _, state := range []leads.PortalState{leads.PortalActive, leads.PortalNeedsAuthorization, leads.PortalUninstalled} {
		check(string(state))
	}
	for _, state := range []leads.MirrorState{leads.MirrorCurrent, leads.MirrorBehind, leads.MirrorBlind} {
		check(string(state))
	}
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		check(v.String())
	}
	for _, text := range console.DoneWords() {
		check(text)
	}
	for _, text := range closedList(t) {
		check(text)
	}
	if n < 150 {
		t.Errorf("only %d texts were looked at", n)
	}
}

// closedList are the texts of other packages that have no values in them: causes of findings, and
// why a mirror is not current.
func closedList(t *testing.T) (all []string) {
	t.Helper()
	for file, named := range map[string]string{
		"../../reconcile/explainer.go": `\b[cC]ause[A-Z]\w*\s+= ("(?:[^"\\]|\\.)*")`,
		"../../owner/mirror.go":        `(?:\bnot[A-Z]\w+\s+= |earlier\([^"\n]+, )("(?:[^"\\]|\\.)*")`,
	} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(named).FindAllStringSubmatch(string(source), -1)
		if len(found) < 5 {
			t.Errorf("%s: only %d texts", file, len(found))
		}
		for _, one := range found {
			text, err := strconv.Unquote(one[1])
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, text)
		}
	}
	return all
}

// What other packages say in fixed words is shown in the reader's language, and the rest as it is.
func TestFixedWordsOfOtherPackagesAreTranslated(t *testing.T) {
	h := furnished("plain")
	h.findings[0].Cause, h.overview.Portals[0].Mirror.Reason = "no callback seen", "the leads have not been imported yet"
	h.findings = append(h.findings, leads.Finding{Cause: "the service was down for 100%s"})
	o := open(t, h)
	for path, want := range map[string][]string{"/passes/run-1": {"событие не приходило", "the service was down for 100%s"}, "/": {"лиды ещё не импортированы"}} {
		page := o.page(path, "Accept-Language", "ru")
		for _, text := range want {
			if !strings.Contains(page, text) {
				t.Errorf("%s lacks %q", path, text)
			}
		}
	}
}

// One of something is not many of it.
func TestCountsAreSaidRight(t *testing.T) {
	h := furnished("plain")
	h.runs[0].State, h.overview.Portals[0].Last.Sums = leads.RunCompleted, leads.Sums{Scanned: 1, Missed: 1}
	h.overview.Portals[0].Running.Scanned = 1
	o := open(t, h)
	wrong := regexp.MustCompile(`\b1 (days|leads|differences|portals|letters|fields|findings)\b`)
	for _, path := range append([]string{"/leads/" + member + "/17?days=1"}, everyPage...) {
		if found := wrong.FindString(o.page(path)); found != "" {
			t.Errorf("%s says %q", path, found)
		}
	}
}

// hostile are texts that do something where they are not escaped.
var hostile = []string{
	`<script>xss()</script>`, `"><img src=x onerror=xss()>`, `' onmouseover='xss()`, `javascript:xss()`, `</textarea></title></script><svg onload=xss()>`,
	`{{.Caller}}`, `%s%d%!`, "\u2028<a href=javascript:xss()>", `--><iframe srcdoc="<script>xss()</script>">`, "data:text/html,<script>xss()</script>", "\r\n\r\ndata: <script>xss()</script>\n\n",
}

// ours are the elements that the pages have.
var ours = strings.Fields("html head meta title link script body a header nav form input button span main h1 h2 p h3 picture source img section dl dt dd div meter progress " +
	"table thead tbody tr th td label select option details summary pre code small ul li footer time")

// wantHarmless checks that a page has no elements but ours, and that none of them does anything
// that our templates do not have it do.
func wantHarmless(t *testing.T, where, page string) {
	t.Helper()
	for tokens := html.NewTokenizer(strings.NewReader(page)); ; {
		switch tokens.Next() { //nolint:exhaustive // text and ends do nothing
		case html.ErrorToken:
			return
		case html.CommentToken:
			t.Errorf("%s: a comment: %s", where, tokens.Raw())
		case html.StartTagToken, html.SelfClosingTagToken:
			token := tokens.Token()
			if !slices.Contains(ours, token.Data) {
				t.Errorf("%s: %s", where, token)
			}
			for _, attribute := range token.Attr {
				wantHarmlessAttribute(t, where, token, attribute)
			}
		}
	}
}

func wantHarmlessAttribute(t *testing.T, where string, token html.Token, attribute html.Attribute) {
	t.Helper()
	value := strings.TrimSpace(attribute.Val)
	switch attribute.Key {
	case "src", "srcset", "action", "href", "data-live":
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "" && u.Scheme != "https" || u.Host != "" && u.Host != "leads.example.com" || token.Data == "script" && value != "/static/console.js" {
			t.Errorf("%s: leads elsewhere: %s", where, token)
		}
	case "style", "srcdoc", "formaction":
		t.Errorf("%s: %s", where, token)
	default:
		if strings.HasPrefix(attribute.Key, "on") {
			t.Errorf("%s: acts by itself: %s", where, token)
		}
	}
}

func TestTextsFromOutsideAreHarmless(t *testing.T) {
	for i, text := range hostile {
		o := open(t, furnished(text))
		for _, path := range append([]string{"/leads?q=" + url.QueryEscape(text), "/dead?group=" + url.QueryEscape(text), "/unknown/" + url.PathEscape(text)}, everyPage...) {
			response, page := o.send(http.MethodGet, path, nil)
			if response.StatusCode == http.StatusInternalServerError {
				t.Errorf("text %d breaks %s", i, path)
			}
			wantHarmless(t, strconv.Itoa(i)+" at "+path, page)
		}
		_, compared := o.post("/leads/" + member + "/17/compare")
		wantHarmless(t, strconv.Itoa(i)+" compared", compared)
		wantHarmless(t, strconv.Itoa(i)+" live", o.firstEvent("/live/overview"))
		for _, path := range []string{"/?done=" + url.QueryEscape(text), "/dead?done=replayed-" + url.QueryEscape(text)} {
			if _, page := o.send(http.MethodGet, path, nil); strings.Contains(page, `role="status"`) {
				t.Errorf("%s says what the address says", path)
			}
		}
	}
}

func FuzzTextsFromOutsideAreHarmless(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h := furnished(text)
		cfg := h.config()
		cfg.Settings = func() []console.Setting { return []console.Setting{{Name: text, Value: text}} }
		c := console.New(cfg)
		for _, path := range everyPage {
			w := httptest.NewRecorder()
			c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
			if w.Code != http.StatusOK {
				t.Errorf("%s is answered %d", path, w.Code)
			}
			wantHarmless(t, path, w.Body.String())
		}
		for _, request := range []*http.Request{
			httptest.NewRequest(http.MethodPost, "/leads/"+member+"/17/compare", http.NoBody), httptest.NewRequest(http.MethodGet, "/leads?q="+url.QueryEscape(text), http.NoBody),
		} {
			w := httptest.NewRecorder()
			c.ServeHTTP(w, request)
			wantHarmless(t, request.URL.Path, w.Body.String())
		}
	})
}

func TestNoPageHasAScriptOrStyleOfItsOwn(t *testing.T) {
	o := open(t, furnished("plain"))
	own := regexp.MustCompile(`(?i)<style|\sstyle=|<script(?:>| [^>]*>[^<])|\son[a-z]+=|https?://(?:[^l]|l[^e])`)
	for _, path := range append([]string{"/login"}, everyPage...) {
		if found := own.FindString(o.page(path)); found != "" {
			t.Errorf("%s has %q", path, found)
		}
	}
}

func TestReadersSeeNoButtons(t *testing.T) {
	o := open(t, furnished("plain"))
	reader := []string{"Authorization", "Bearer " + readToken}
	for _, path := range everyPage {
		if page := o.page(path, reader...); strings.Contains(page, `method="post"`) {
			t.Errorf("%s has a form for a reader", path)
		}
	}
	for _, path := range []string{"/passes", "/dead/" + member + "/17", "/portals"} {
		if page := o.page(path); !strings.Contains(page, `method="post"`) {
			t.Errorf("%s has no form for an operator", path)
		}
	}
}

func TestActions(t *testing.T) {
	o := open(t, furnished("plain"))
	group := regexp.MustCompile(`name="group" value="([0-9a-f]+)"`).FindStringSubmatch(o.page("/dead"))[1]
	for _, test := range []struct {
		name, path string
		values     []string
		status     int
		to, did    string
	}{
		{"a dry run", "/passes", []string{"portal", member, "mode", "changed", "dry_run", "yes"}, 303, "/passes/run-1?done=started", "start " + member + " changed true"},
		{"a full pass", "/passes", []string{"portal", member, "mode", "full"}, 303, "/passes/run-1?done=started", "start " + member + " full false"},
		{"a kind of pass that there is not", "/passes", []string{"portal", member, "mode", "import"}, 400, "", ""},
		{"a portal that cannot be", "/passes", []string{"portal", "../x", "mode", "full"}, 400, "", ""},
		{"pause", "/passes/run-1/pause", nil, 303, "/passes/run-1?done=paused", "pause run-1"},
		{"resume what is not paused", "/passes/run-1/resume", nil, 303, "/passes/run-1", "resume run-1"},
		{"another host in the id", "/passes/%2F%2Fevil.example/pause", nil, 303, "/passes/%2F%2Fevil.example?done=paused", "pause //evil.example"},
		{"replay a group", "/dead/replay", []string{"group", group}, 303, "/dead?done=replayed-2", "replay 2"},
		{"replay one", "/dead/replay", []string{"portal", member, "lead", "19"}, 303, "/dead?done=replayed-1", "replay 1"},
		{"drop one", "/dead/drop", []string{"portal", member, "lead", "18"}, 303, "/dead?done=dropped-1", "drop 1 18"},
		{"drop nothing in particular", "/dead/drop", nil, 400, "", ""},
		{"drop both ways", "/dead/drop", []string{"portal", member, "lead", "18", "group", group}, 400, "", ""},
		{"repair a lead", "/leads/" + member + "/17/repair", nil, 303, "/leads/" + member + "/17?done=repaired", "repair 17"},
		{"repair what is no lead", "/leads/" + member + "/x/repair", nil, 404, "", ""},
		{"examine", "/doctor", nil, 303, "/doctor", "examine"},
		{"a test alarm", "/doctor/alarms", nil, 303, "/doctor", "test alarms"},
		{"let a portal in", "/portals", []string{"member_id", " " + member + " ", "domain", "https://Company.bitrix24.ru/crm/"}, 303, "/portals/connect?done=invited", "invite " + member + " company.bitrix24.ru"},
		{"let one with an application of its own in", "/portals", []string{"member_id", member, "domain", "company.bitrix24.ru", "client_id", "local.1", "client_secret", "s3cret"}, 303, "/portals/connect?done=invited", "invite " + member + " company.bitrix24.ru local.1 s3cret"},
		{"half an application", "/portals", []string{"member_id", member, "domain", "company.bitrix24.ru", "client_id", "local.1"}, 400, "", ""},
		{"no portal", "/portals", []string{"member_id", "../x", "domain", "company.bitrix24.ru"}, 400, "", ""},
		{"remove without its name", "/portals/b/remove", nil, 400, "", ""},
		{"remove with another's name", "/portals/b/remove", []string{"domain", "plain"}, 400, "", ""},
		{"remove", "/portals/b/remove", []string{"domain", " Two "}, 303, "/portals?done=removing", "remove b"},
		{"remove what is not there", "/portals/c/remove", []string{"domain", "two"}, 404, "", ""},
		{"rebind", "/portals/" + member + "/rebind", nil, 303, "/portals?done=rebound", "rebind " + member},
	} {
		t.Run(test.name, func(t *testing.T) {
			o.did = nil
			response, text := o.post(test.path, test.values...)
			if response.StatusCode != test.status || response.Header.Get("Location") != test.to {
				t.Errorf("answered %d to %q: %s", response.StatusCode, response.Header.Get("Location"), text)
			}
			if got := strings.Join(o.did, ";"); got != test.did {
				t.Errorf("did %q, want %q", got, test.did)
			}
		})
	}
	o.did = nil
	for _, path := range []string{"/passes", "/passes/run-1/pause", "/dead/replay", "/dead/drop", "/portals/" + member + "/rebind", "/leads/" + member + "/17/repair", "/leads/" + member + "/17/compare", "/doctor", "/doctor/alarms", "/portals", "/portals/b/remove"} {
		if response, _ := o.send(http.MethodPost, path, url.Values{"portal": {member}, "mode": {"full"}, "group": {group}, "domain": {"two"}, "member_id": {member}}); response.StatusCode != http.StatusForbidden {
			t.Errorf("%s without the form's token: %d", path, response.StatusCode)
		}
		o.send(http.MethodGet, path+"?portal="+member+"&mode=full&group="+group, nil)
	}
	if len(o.did) > 0 {
		t.Errorf("did %v", o.did)
	}
	o.conflict = fmt.Errorf("%w: another pass is under way", console.ErrConflict)
	if response, text := o.post("/passes", "portal", member, "mode", "full"); response.StatusCode != http.StatusConflict || !strings.Contains(text, "another pass is under way") {
		t.Errorf("a conflict: %d %s", response.StatusCode, text)
	}
}

func TestPayloadsAreFoldedAway(t *testing.T) {
	o := open(t, furnished("a name"))
	if page := o.page("/dead"); strings.Contains(page, "UF_CRM_1") {
		t.Error("the list has payloads")
	}
	page := o.page("/dead/" + member + "/17")
	before, after, found := strings.Cut(page, "<details><summary>What the portal sent")
	if !found || strings.Contains(before, "UF_CRM_1") || !strings.Contains(after, "UF_CRM_1") {
		t.Errorf("not folded: %s", page)
	}
}

func TestFindingsAsAFile(t *testing.T) {
	h := furnished("plain")
	h.findings = nil
	for i := range 5000 {
		h.findings = append(h.findings, leads.Finding{Ref: leads.Ref{MemberID: member, LeadID: int64(i + 1)}, Kind: leads.FindingMissed, Fields: []string{"=1+1"}, Cause: "=HYPERLINK(\"http://evil.example\")"})
	}
	h.findings[7].Kind = leads.FindingStale
	o := open(t, h)
	response, text := o.send(http.MethodGet, "/passes/run-1/findings.csv", nil)
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(rows) != 5001 || rows[5000][0] != "5000" || !strings.HasPrefix(response.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		if slices.ContainsFunc(row, func(cell string) bool { return strings.HasPrefix(cell, "=") }) {
			t.Fatalf("a formula: %q", row)
		}
	}
	if _, text := o.send(http.MethodGet, "/passes/run-1/findings.csv?kind=stale", nil); strings.Count(text, "\n") != 2 {
		t.Errorf("of one kind: %s", text)
	}
	if response, _ := o.send(http.MethodGet, "/passes/none/findings.csv", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("of no pass: %d", response.StatusCode)
	}
	first := o.page("/passes/run-1")
	if !strings.Contains(first, `<a href="/leads/`+member+`/1#changes">`) {
		t.Error("the fields do not lead to what they were before")
	}
	more := regexp.MustCompile(`href="([^"]*after=[^"]*)"`).FindStringSubmatch(first)
	if more == nil || strings.Contains(first, "/leads/"+member+"/201\"") {
		t.Fatal("the page has no further page")
	}
	if page := o.page(strings.ReplaceAll(more[1], "&amp;", "&")); !strings.Contains(page, "/leads/"+member+"/201\"") {
		t.Error("the next page does not go on")
	}
}

func TestSearch(t *testing.T) {
	o := open(t, furnished("plain"))
	for query, want := range map[string]string{"17": "/leads/" + member + "/17", " 17 ": "/leads/" + member + "/17"} {
		if response, _ := o.send(http.MethodGet, "/leads?q="+url.QueryEscape(query), nil); response.Header.Get("Location") != want {
			t.Errorf("%q leads to %q", query, response.Header.Get("Location"))
		}
	}
	o.callers = nil
	for query, want := range map[string]string{"18": "no such lead", "8 912 345-67-89": "no such lead", "Иванов": "neither the id"} {
		if page := o.page("/leads?q=" + url.QueryEscape(query)); !strings.Contains(page, want) {
			t.Errorf("%q: %s", query, page)
		}
	}
	for _, path := range []string{"/leads/b/18", "/leads/x.y/17", "/leads/" + member + "/0", "/passes/none", "/dead/" + member + "/5", "/none"} {
		if response, text := o.send(http.MethodGet, path, nil); response.StatusCode != http.StatusNotFound || !strings.Contains(text, "There is no such page") {
			t.Errorf("%s is answered %d", path, response.StatusCode)
		}
	}
}

func TestOverviewSaysItInOneSentence(t *testing.T) {
	portal := func(state leads.MirrorState) console.PortalStatus {
		return console.PortalStatus{Domain: "p", State: leads.PortalActive, Mirror: leads.MirrorStatus{State: state}}
	}
	for _, test := range []struct {
		want string
		o    console.Overview
	}{
		{`No portal is connected yet.`, console.Overview{}},
		{`<a href="/portals">Connect a portal`, console.Overview{}},
		{"Something needs you.", console.Overview{Problems: map[string]string{"database": "connection refused"}, Unread: errors.New("connection refused")}},
		{"Something needs you.", console.Overview{Problems: map[string]string{"nats": "x"}}},
		{"The portal is current.", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorCurrent)}}},
		{`The portal is current. Last change <time datetime="2026-11-24T10:00:00Z" data-ago="%s ago" data-brief>`, console.Overview{Changed: time.Date(2026, 11, 24, 10, 0, 0, 0, time.UTC), Portals: []console.PortalStatus{portal(leads.MirrorCurrent)}}},
		{"All 2 portals are current.", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorCurrent), portal(leads.MirrorCurrent)}}},
		{"All is current but for leads that cannot be stored: 3.", console.Overview{Failing: 3, Portals: []console.PortalStatus{portal(leads.MirrorCurrent)}}},
		{"Changes may be missing", console.Overview{Failing: 3, Portals: []console.PortalStatus{portal(leads.MirrorBlind)}}},
		{"The mirror is behind", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorCurrent), portal(leads.MirrorBehind)}}},
		{"Changes may be missing", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorBlind), portal(leads.MirrorBehind)}}},
		{"Something needs you.", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorCurrent)}, Problems: map[string]string{"nats": "x"}}},
		{"is not known yet", console.Overview{Portals: []console.PortalStatus{portal(leads.MirrorCurrent), portal("")}}},
		{"No portal is read now.", console.Overview{Portals: []console.PortalStatus{{State: leads.PortalUninstalled}}}},
	} {
		o := open(t, &house{overview: test.o})
		if page := o.page("/"); !strings.Contains(page, test.want) {
			t.Errorf("want %q: %s", test.want, page)
		} else if len(test.o.Problems) > 0 && (strings.Contains(page, "No portal is connected") || strings.Contains(page, "Connect a portal")) {
			t.Errorf("a problem looks like a beginning: %s", page)
		}
	}
}

// While the database is down nobody knows of passes and leads; that is not the same as none.
func TestListsAreNotEmptyWhereTheyCannotBeRead(t *testing.T) {
	o := open(t, &house{overview: console.Overview{Problems: map[string]string{"database": "x"}, Unread: errors.New("connection refused")}})
	for _, path := range []string{"/passes", "/leads?q=17"} {
		response, page := o.send(http.MethodGet, path, nil)
		if response.StatusCode != http.StatusServiceUnavailable || !strings.Contains(page, "connection refused") {
			t.Errorf("%s: %d %s", path, response.StatusCode, page)
		}
	}
}

// firstEvent is what a stream says first.
func (o *office) firstEvent(path string) string {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+path, http.NoBody)
	if err != nil {
		o.t.Fatal(err)
	}
	response, err := o.client.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	defer response.Body.Close()
	return nextEvent(o.t, response.Body)
}

// nextEvent reads on to the end of an event that is no comment.
func nextEvent(t *testing.T, from io.Reader) string {
	t.Helper()
	var text strings.Builder
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(from, one); err != nil {
			t.Fatal(err)
		}
		if text.Write(one); strings.HasSuffix(text.String(), "\n\n") {
			if !strings.HasPrefix(text.String(), ":") {
				return text.String()
			}
			text.Reset()
		}
	}
}

func TestPagesAreLive(t *testing.T) {
	o := open(t, furnished("before"))
	response, err := o.client.Get(o.url + "/live/overview")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %s", got)
	}
	if first := nextEvent(t, response.Body); !strings.Contains(first, "before") || strings.Contains(first, "<html") {
		t.Errorf("first: %s", first)
	}
	o.mu.Lock()
	o.overview.Portals[0].Domain = "after"
	o.mu.Unlock()
	second := nextEvent(t, response.Body)
	if !strings.Contains(second, "after") {
		t.Errorf("second: %s", second)
	}
	for line := range strings.Lines(strings.TrimSuffix(second, "\n")) {
		if !strings.HasPrefix(line, "data: ") {
			t.Errorf("not a line of data: %q", line)
		}
	}
	for _, path := range []string{"/live/passes", "/live/pass/run-1"} {
		if text := o.firstEvent(path); !strings.Contains(text, "run-1") {
			t.Errorf("%s: %s", path, text)
		}
	}
	if text := o.firstEvent("/live/pass/none"); !strings.HasPrefix(text, "event: unknown") {
		t.Errorf("of no pass: %s", text)
	}
	o.console.Stop()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Errorf("the stream does not end at a stop: %v", err)
	}
}

// openStream opens one and returns what ends it.
func (o *office) openStream(header ...string) (end func(), status int) {
	o.t.Helper()
	ctx, cancel := context.WithCancel(o.t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/live/overview", http.NoBody)
	if err != nil {
		o.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := o.client.Do(request)
	if err != nil {
		o.t.Fatal(err)
	}
	if response.StatusCode == http.StatusOK {
		nextEvent(o.t, response.Body)
	}
	end = func() { cancel(); _ = response.Body.Close() }
	o.t.Cleanup(end)
	return end, response.StatusCode
}

// One caller cannot take the places of all, and all together do not take up the process.
func TestStreamsAreBounded(t *testing.T) {
	o := openLive(t, furnished("plain"), time.Hour)
	opened := func(header ...string) (n int) {
		for range 20 {
			if _, status := o.openStream(header...); status == http.StatusOK {
				n++
			}
		}
		return n
	}
	if got := opened(); got != 8 {
		t.Errorf("one caller has %d", got)
	}
	all := 8
	for i := range 10 {
		all += opened("Authorization", "Bearer "+readToken, "X-Forwarded-For", "192.0.2."+strconv.Itoa(i))
	}
	if all != 64 {
		t.Errorf("all have %d", all)
	}
}

// A stream that somebody only asks about takes no place.
func TestHeadOpensNoStream(t *testing.T) {
	o := openLive(t, furnished("plain"), time.Hour)
	for range 20 {
		if response, _ := o.send(http.MethodHead, "/live/overview", nil); response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
			t.Fatalf("%d", response.StatusCode)
		}
	}
}

// Whoever leaves gives his place back.
func TestPlacesOfStreamsAreGivenBack(t *testing.T) {
	o := openLive(t, furnished("plain"), time.Millisecond)
	for range 3 {
		var ends []func()
		for len(ends) < 8 {
			if end, status := o.openStream(); status == http.StatusOK {
				ends = append(ends, end)
			}
		}
		for _, end := range ends {
			end()
		}
	}
}

// A lead that cannot be stored is seen before it is given up, and a pass that has not ended says nothing yet.
func TestLeadsThatAreTriedAgainAreShown(t *testing.T) {
	h := furnished("plain")
	h.letters, h.failing[0].Reason, h.findings, h.runs[0].FinishedAt = nil, "title not allowed", nil, time.Time{}
	h.runs[0].Scanned, h.runs[0].Unchanged = 10, 8
	o := open(t, h)
	if page := o.page("/dead"); !strings.Contains(page, "title not allowed") || !strings.Contains(page, "Leads that are tried again: 1") || !strings.Contains(page, `href="/leads/`+member+`/17"`) {
		t.Errorf("the lead is not shown: %s", page)
	}
	if event := o.firstEvent("/live/dead"); !strings.Contains(event, "title not allowed") { // after a replay nobody has to load the page again
		t.Errorf("live: %s", event)
	}
	page := o.page("/passes/run-1")
	if strings.Contains(page, "Nothing differs.") || !strings.Contains(page, "Nothing yet.") {
		t.Errorf("a pass that is under way: %s", page)
	}
}
