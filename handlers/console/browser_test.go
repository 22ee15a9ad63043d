package console_test

import (
	"cmp"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/access"
	"leadsync/handlers/console"
	"leadsync/handlers/console/consoletest"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

const operatorToken = "the-token-of-operators"

// shown are the pages that a browser can show: those with something on them, the log-in, and
// one that there is not.
func shown() []string { return append([]string{"/login", "/none"}, everyPage...) }

// browse opens a browser at the pages of a house.
func browse(t *testing.T, h *house) (*office, *consoletest.Page) {
	t.Helper()
	o := open(t, h) // before the page: who looks at a closed office sees faults
	p := consoletest.Open(t)
	p.Events.Expect("/none") // is where the browser complains that there is no page
	p.As(consoletest.Reader{})
	return o, p
}

func (o *office) visit(p *consoletest.Page, path string) {
	o.t.Helper()
	p.Visit(o.url + path)
}

// wantDone checks what was done since the last look.
func (o *office) wantDone(want string) {
	o.t.Helper()
	if got := o.done(); got != want {
		o.t.Errorf("did %q, want %q", got, want)
	}
	o.change(func() { o.did = nil })
}

// What these tests look for is seen where it is.
func TestBrowserSeesFaults(t *testing.T) {
	faulty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>x</title><main>
<p style="color: #999; width: 2000px">a faint text</p><a href="/a" style="outline: none">a link</a><a href="/b" tabindex="-1">another</a><img src="https://outside.example/x.png">
</main><script>console.error("a complaint"); setTimeout(() => { throw new Error("an exception"); });</script>`)
	}))
	t.Cleanup(faulty.Close)
	p := consoletest.Open(t)
	p.As(consoletest.Reader{})
	p.Visit(faulty.URL)
	p.Wait("the faults are seen", func() bool { return len(p.Events.Faults()) >= 4 })
	got := strings.Join(p.Events.Faults(), "\n")
	for _, want := range []string{"leaves the machine: https://outside.example/x.png", "complains: error", "Error: an exception", "ERR_NAME_NOT_RESOLVED"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the faults: %s", want, got)
		}
		p.Events.Expect(want)
	}
	if look := p.Eyes.Look(); look.Wider < 700 || !slices.Equal(look.Faint, []string{"a faint text"}) {
		t.Errorf("the page looks like %+v", look)
	}
	if wrong := p.Eyes.ByKeyboard(); len(wrong) != 2 || !strings.Contains(wrong[0], "cannot be seen") || !strings.Contains(wrong[1], "does not reach") {
		t.Errorf("by keyboard: %q", wrong)
	}
}

// A test that ends does not take the browser from those that run beside it.
func TestBrowserIsThereAsLongAsAPageIs(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/")
	consoletest.Close()
	o.visit(p, "/dead")
	p.UntilSays("Dead letters")
	if _, another := browse(t, furnished("plain")); !consoletest.Value[bool](another, "true") {
		t.Error("another page has no browser")
	}
}

func TestBrowserPagesCanBeReadByEverybody(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	for _, reader := range []consoletest.Reader{
		{Width: 360}, {Width: 360, Language: "ru", Dark: true}, {Dark: true}, {Language: "ru"},
	} {
		p.As(reader)
		for _, path := range shown() {
			o.visit(p, path)
			o.wantReadable(p, reader, path)
		}
	}
}

// On a telephone each row is a card: nothing is scrolled sideways, and each value has its name.
func TestBrowserShowsRowsAsCardsOnSmallScreens(t *testing.T) {
	for _, text := range []string{"plain", strings.Repeat("Household", 40)} {
		o, p := browse(t, furnished(text))
		p.As(consoletest.Reader{Width: 360})
		for _, path := range everyPage {
			o.visit(p, path)
			if wide := consoletest.Value[[]string](p, `[...document.querySelectorAll(".wide")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.getAttribute("aria-label"))`); len(wide) > 0 {
				t.Errorf("%s has tables that scroll sideways: %q", path, wide)
			}
			unnamed := `[...document.querySelectorAll(".wide tbody td:not([colspan]):not(:empty)")].filter(e => !getComputedStyle(e, "::before").content.includes(": ") || !e.dataset.label).map(e => e.outerHTML)`
			if cells := consoletest.Value[[]string](p, unnamed); len(cells) > 0 {
				t.Errorf("%s has values without a name: %q", path, cells)
			}
		}
	}
}

// What comes from outside may be long and without a space.
func TestBrowserLongTextsFitSmallScreens(t *testing.T) {
	o, p := browse(t, furnished(strings.Repeat("Household", 40)))
	small := consoletest.Reader{Width: 360}
	p.As(small)
	for _, path := range everyPage {
		o.visit(p, path)
		o.wantReadable(p, small, path)
	}
}

func (o *office) wantReadable(p *consoletest.Page, reader consoletest.Reader, path string) {
	o.t.Helper()
	look := p.Eyes.Look()
	if look.Wider > 0 {
		o.t.Errorf("%s is %d pixels wider than a window of %d", path, look.Wider, reader.Width)
	}
	if len(look.Faint) > 0 {
		o.t.Errorf("%s (dark: %t) has texts without contrast: %q", path, reader.Dark, look.Faint)
	}
	if language := cmp.Or(reader.Language, "en"); look.Language != language || look.Cyrillic != (language == "ru") {
		o.t.Errorf("%s is in %q and has Cyrillic letters: %t, want %q", path, look.Language, look.Cyrillic, language)
	}
}

func TestBrowserPagesAreAccessible(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	axe := p.Eyes.LoadAxe(filepath.Join("testdata", "axe"))
	for _, reader := range []consoletest.Reader{{}, {Dark: true}, {Width: 360}} {
		p.As(reader)
		for _, path := range shown() {
			o.visit(p, path)
			for _, fault := range p.Eyes.Inaccessible(axe) {
				t.Errorf("%s (%+v): %s", path, reader, fault)
			}
		}
	}
}

func TestBrowserShowsTimesInTheReadersZone(t *testing.T) {
	h := furnished("plain")
	moment := time.Date(2026, 3, 1, 20, 30, 0, 0, time.UTC)
	h.letters[0].FirstAt, h.overview.Portals[0].Mirror.Since = moment, moment
	h.overview.Portals[0].Mirror.At = time.Now().Add(-150 * time.Minute)
	o, p := browse(t, h)
	for _, test := range []struct{ zone, language, want, ago string }{
		{"Asia/Tokyo", "en", "Mar 2, 2026, 5:30:00 AM", "2 hr ago"},
		{"America/New_York", "en", "Mar 1, 2026, 3:30:00 PM", "2 hr ago"},
		{"Asia/Vladivostok", "ru", "2 мар. 2026 г., 06:30:00", "2 ч назад"},
	} {
		p.As(consoletest.Reader{Zone: test.zone, Language: test.language})
		times := `[...document.querySelectorAll("time")].map(e => e.textContent.replace(/\s/g, " "))`
		o.visit(p, "/dead/"+member+"/17")
		if got := consoletest.Value[[]string](p, times); !slices.Contains(got, test.want) {
			t.Errorf("in %s: %q", test.zone, got)
		}
		o.visit(p, "/")
		o.change(func() { o.overview.Portals[0].Domain = "new in " + test.zone })
		p.UntilSays("new in " + test.zone)
		if got := consoletest.Value[[]string](p, times); !slices.Contains(got, test.want) || !slices.Contains(got, test.ago) {
			t.Errorf("what is new in %s: %q", test.zone, got)
		}
	}
}

// The library measures letters of its own font; those of the reader's are wider.
func TestBrowserLegendsDoNotOverlap(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	p.Events.Expect("/favicon.ico") // of a picture alone nobody names one
	for lang, names := range map[string][2]string{"en": {"half of them", "99 of 100"}, "ru": {"половина", "99 из 100"}} {
		p.As(consoletest.Reader{Language: lang})
		o.visit(p, "/charts/lag.svg")
		box := func(name, side string) float64 {
			return consoletest.Value[float64](p, `[...document.querySelectorAll("text")].find(e => e.textContent.trim() === "`+name+`").getBBox().`+side)
		}
		const icon = 36 // of the second name, with a little room
		width := consoletest.Value[float64](p, `(() => { const e = [...document.querySelectorAll("text")].find(e => e.textContent.trim() === "`+names[0]+`"), room = e.textContent.length - e.textContent.trim().length; return e.getSubStringLength(0, e.textContent.length - room) })()`)
		if end, next := box(names[0], "x")+width, box(names[1], "x"); next-end < icon {
			t.Errorf("in %s the first name of the legend ends at %.0f, the second begins at %.0f", lang, end, next)
		}
	}
}

func TestBrowserLogsIn(t *testing.T) {
	o := open(t, furnished("plain"))
	guard := access.New(access.Config{
		Judge: access.NewJudge(access.Tokens{Read: readToken, Operate: operatorToken}, time.Now, leadstest.Silent()), Open: console.Static, Now: time.Now,
	})
	guarded := httptest.NewServer(guard.Wrap(o.console))
	t.Cleanup(func() { o.console.Stop(); guarded.Close() })
	p := consoletest.Open(t)
	p.Events.Expect("401") // is what the browser complains of where the token is wrong
	p.As(consoletest.Reader{})

	p.Visit(guarded.URL + "/dead")
	p.UntilAt("/login?next=%2Fdead")
	p.Hands.Fill("#token", "a wrong one")
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/login")
	p.Until(`document.querySelector("#token").value === ""`)
	p.Hands.Fill("#token", operatorToken)
	p.Hands.Click("main button")
	p.UntilAt("/dead")
	p.Until(`document.querySelector("form[action='/dead/replay']")`)
	p.Hands.Click("form[action='/logout'] button")
	p.UntilAt("/login")

	p.Visit(guarded.URL + "/passes")
	p.Hands.Fill("#token", readToken)
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/passes")
	if consoletest.Value[bool](p, `!!document.querySelector("form[method=post]:not(.logout)")`) {
		t.Error("readers have buttons")
	}
}

func TestBrowserStartsPausesAndResumesAPass(t *testing.T) {
	h := furnished("plain")
	h.runs[0].State, h.runs[0].Scanned = leads.RunRequested, 1234
	o, p := browse(t, h)
	h.then = func(what string) {
		switch {
		case strings.HasPrefix(what, "pause"):
			h.runs[0].State = leads.RunPaused
		case strings.HasPrefix(what, "resume"):
			h.runs[0].State = leads.RunRunning
		}
	}
	o.visit(p, "/passes")
	p.Hands.Click("form[action='/passes'] input[type=checkbox]")
	p.Hands.Click("form[action='/passes'] button")
	p.UntilAt("/passes/run-1?done=started")
	p.Until(`document.querySelector("[role=status].done")`)
	o.wantDone("start " + member + " full true")

	o.change(func() { o.runs[0].State, o.runs[0].Scanned = leads.RunRunning, 5678 })
	p.UntilSays("5,678")
	p.Hands.Click("form[action$='/pause'] button")
	p.UntilAt("/passes/run-1?done=paused")
	o.wantDone("pause run-1")
	p.Hands.Click("form[action$='/resume'] button")
	p.UntilAt("/passes/run-1")
	o.wantDone("resume run-1")
	o.change(func() { o.runs[0].State, o.runs[0].FinishedAt = leads.RunCompleted, time.Now() })
	p.Until(`document.querySelector("#live .state.completed") && !document.querySelector("#live form")`)
}

func TestBrowserFiltersFindings(t *testing.T) {
	h := furnished("plain")
	missed := h.findings[0]
	missed.Ref.LeadID, missed.Kind = 18, leads.FindingMissed
	h.findings = append(h.findings, missed)
	o, p := browse(t, h)
	p.Events.Expect("/leads/" + member + "/18") // the house has no card of it
	folder := t.TempDir()
	p.Hands.Downloads(folder)
	o.visit(p, "/passes/run-1")
	p.Until(`document.querySelector("td a[href$='/17']") && document.querySelector("td a[href$='/18']")`)
	p.Hands.Click(".filters a[href$='kind=missed']")
	p.UntilAt("/passes/run-1?kind=missed")
	p.Until(`document.querySelector(".filters [aria-current]").href.endsWith("missed") && !document.querySelector("td a[href$='/17']")`)
	p.Hands.Click(".filters a[download]")
	var text []byte
	p.Wait("the file is there", func() bool {
		var err error
		text, err = os.ReadFile(filepath.Join(folder, "findings.csv"))
		return err == nil
	})
	if !strings.HasPrefix(string(text), "lead,portal,") || !strings.Contains(string(text), "\n18,") || strings.Contains(string(text), "\n17,") {
		t.Errorf("the file: %s", text)
	}
	p.Hands.Click("td a[href$='/18']")
	p.UntilAt("/leads/" + member + "/18")
}

func TestBrowserFindsLeads(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/leads")
	p.Until(`document.activeElement.name === "q"`) // a page gives its field the focus some time after it has come
	p.Hands.Type("8 (912) 345-67-89")
	p.Hands.Press(consoletest.Enter)
	p.Until(`document.querySelectorAll("tbody tr").length === 2`)
	p.Hands.Click("tbody a")
	p.UntilAt("/leads/" + member + "/17")
	p.UntilSays("UF_CRM_1")
	o.visit(p, "/leads")
	p.Hands.Fill("input[name=q]", "17")
	p.Hands.Click("form[role=search] button")
	p.UntilAt("/leads/" + member + "/17")
	o.visit(p, "/leads?q=nobody")
	p.UntilSays("neither the id")
}

func TestBrowserReplaysAndDropsDeadLetters(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/dead")
	p.Hands.Click("form[action='/dead/replay'] button")
	p.UntilAt("/dead?done=replayed-2")
	p.UntilSays("read again: 2")
	o.wantDone("replay 2")
	if consoletest.Value[bool](p, `[...document.querySelectorAll("button.danger")].some(e => e.checkVisibility())`) {
		t.Error("one click drops letters")
	}
	p.Hands.Click(".group summary")
	p.Hands.Click("button.danger")
	p.UntilAt("/dead?done=dropped-2")
	o.wantDone("drop 2 17")

	p.Hands.Click(".group h2 a")
	p.Until(`document.readyState === "complete" && location.search.startsWith("?group=")`) // the page that is being left has the link, too
	p.Hands.Click("td a[href$='/18']")
	p.UntilAt("/dead/" + member + "/18")
	if strings.Contains(p.Text(), "UF_CRM_1") {
		t.Error("personal data can be read at once")
	}
	p.Hands.Click("main > details summary")
	p.UntilSays("UF_CRM_1")
	p.Hands.Click("form[action='/dead/replay'] button")
	p.UntilAt("/dead?done=replayed-1")
	o.visit(p, "/dead/"+member+"/18")
	p.Hands.Click(".row summary")
	p.Hands.Click("button.danger")
	p.UntilAt("/dead?done=dropped-1")
	o.wantDone("replay 1; drop 1 18")
}

func TestBrowserBindsEventsAgain(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/portals/connect")
	p.Hands.Click("code.copy")
	if got := consoletest.Value[string](p, "getSelection().toString()"); got != "https://leads.example.com"+leads.RedirectPath {
		t.Errorf("a click on an address selects %q", got)
	}
	o.visit(p, "/portals")
	p.Hands.Click("form[action$='/rebind'] button")
	p.UntilAt("/portals?done=rebound")
	o.wantDone("rebind " + member)
}

func TestBrowserPagesNeedNoMouse(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	for _, path := range shown() {
		o.visit(p, path)
		for _, wrong := range p.Eyes.ByKeyboard() {
			t.Errorf("%s: %s", path, wrong)
		}
	}
	o.visit(p, "/")
	p.Hands.TabTo(".skip")
	p.Hands.Press(consoletest.Enter)
	p.Until(`location.hash === "#content"`)
	o.visit(p, "/")
	p.Hands.TabTo("nav a[href='/passes']")
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/passes")
	p.Hands.TabTo("select[name=mode]")
	p.Hands.Press(consoletest.Down)
	p.Hands.TabTo("input[name=dry_run]")
	p.Hands.Press(consoletest.Space)
	p.Hands.TabTo("form[action='/passes'] button")
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/passes/run-1?done=started")
	o.wantDone("start " + member + " changed true")
	o.visit(p, "/dead")
	p.Hands.TabTo(".group summary")
	p.Hands.Press(consoletest.Enter)
	p.Hands.TabTo("button.danger")
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/dead?done=dropped-2")
	o.wantDone("drop 2 17")
}

// What is new does not take away what somebody is about to do.
func TestBrowserIsNotInterrupted(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/passes")
	p.Hands.TabTo("#live a[href='/passes/run-2']")
	newer := leads.Run{ID: "run-3", MemberID: member, Mode: leads.RunFull, State: leads.RunRunning, RequestedAt: time.Now().Add(time.Hour)}
	o.change(func() { o.runs = append(o.runs, newer) })
	p.Until(`document.querySelector("#live a[href='/passes/run-3']")`)
	p.Hands.Press(consoletest.Enter)
	p.UntilAt("/passes/run-2")

	o.visit(p, "/")
	p.Until(`getSelection().selectAllChildren(document.querySelector("#live h1")), true`)
	o.change(func() { o.overview.Portals[0].Domain = "another.example" })
	p.Wait("what is new was sent", func() bool { return p.Events.Received("another.example") })
	if strings.Contains(p.Text(), "another.example") {
		t.Error("a text that is being copied is replaced")
	}
	p.Until(`getSelection().removeAllRanges(), true`)
	p.UntilSays("another.example")
}

func TestBrowserSaysThatItsPageIsOld(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	old := `document.querySelector("#stale[aria-live]").textContent.includes("what you see is old")`
	o.visit(p, "/")
	o.change(func() { o.broken = errors.New("the database is down") })
	p.Until(old)
	o.change(func() { o.broken = nil })
	p.Until("!" + old)
}

// counting has a page count the streams that it opens from now on.
const counting = `(() => {
	window.opened = [];
	window.EventSource = class extends EventSource { constructor(address) { super(address); opened.push(this); } };
	window.look = (hidden) => {
		Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
		document.dispatchEvent(new Event("visibilitychange"));
	};
	window.live = () => opened.filter(e => e.readyState !== EventSource.CLOSED).length;
	return true;
})()`

// A page that is shown and hidden holds one stream at most, and none while nobody sees it.
func TestBrowserHasOneStreamAtMost(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	o.visit(p, "/")
	p.Until(counting)
	for _, step := range []struct {
		name, do     string
		opened, live int
	}{
		{"hidden", `look(true)`, 0, 0},
		{"shown", `look(false)`, 1, 1},
		{"shown twice", `look(false), look(false)`, 3, 1},
		{"hidden again", `look(true)`, 3, 0},
	} {
		got := consoletest.Value[[]int](p, `(`+step.do+`, [opened.length, live()])`)
		if got[0] != step.opened || got[1] != step.live {
			t.Errorf("%s: %d streams were opened, %d are open", step.name, got[0], got[1])
		}
	}
	// The same script, as in a page that is loaded in the background.
	p.Until(`(() => { const s = document.createElement("script"); s.src = "/static/console.js"; s.onload = () => { window.loaded = true; }; document.head.append(s); return true; })()`)
	p.Until(`window.loaded`)
	if got := consoletest.Value[int](p, `opened.length`); got != 3 {
		t.Errorf("a page in the background opens %d streams", got-3)
	}
}

// An answer that is no stream is not the end.
func TestBrowserConnectsAgainAfterARefusal(t *testing.T) {
	o, p := browse(t, furnished("plain"))
	p.Events.Expect("503")
	var ends []func()
	for range 8 {
		end, status := o.openStream()
		if status != http.StatusOK {
			t.Fatal(status)
		}
		ends = append(ends, end)
	}
	o.visit(p, "/")
	p.Until(`document.querySelector("#stale").textContent !== ""`)
	for _, end := range ends {
		end()
	}
	o.change(func() { o.overview.Portals[0].Domain = "current again" })
	p.UntilSays("current again")
	p.Until(`document.querySelector("#stale").textContent === ""`)
}

// lifelike is a house with what an operator may see on a common day.
func lifelike() *house {
	h := furnished("")
	now := time.Now()
	at := func(id int64) leads.Ref { return leads.Ref{MemberID: member, LeadID: id} }
	done := leads.Run{
		ID: "run-1", MemberID: member, Mode: leads.RunFull, State: leads.RunCompleted, RequestedAt: now.Add(-7 * time.Hour), StartedAt: now.Add(-7 * time.Hour),
		FinishedAt: now.Add(-7*time.Hour + 4*time.Minute), Sums: leads.Sums{Scanned: 48210, Unchanged: 48207, Missed: 2, Stale: 1, Inserted: 2, Updated: 1, Requests: 981, Refused: 1},
	}
	h.overview.Problems, h.overview.Notes, h.overview.Notices, h.overview.Received, h.overview.Dead = nil, nil, 3, 18422, 3
	h.overview.Failing, h.failing = 3, nil
	h.overview.Portals[0] = console.PortalStatus{
		MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, Leads: 48212, Last: &done, Waiting: now.Add(-2 * time.Second), Next: now.Add(17 * time.Hour),
		Mirror: leads.MirrorStatus{State: leads.MirrorCurrent, Since: now.Add(-31 * time.Hour), At: now.Add(-3 * time.Second)}, Budget: leads.Budget{At: now, Level: 3, Depth: 40}, Operating: console.Operating{Method: "crm.lead.list", Used: 31, Limit: 420},
	}
	h.runs = []leads.Run{done, {
		ID: "run-2", MemberID: member, Mode: leads.RunChanged, State: leads.RunPaused, DryRun: true, RequestedAt: now.Add(-9 * time.Hour), StartedAt: now.Add(-9 * time.Hour), Sums: leads.Sums{Scanned: 812, Unchanged: 812},
	}}
	outage := "the service was down from " + now.Add(-10*time.Hour).UTC().Format(time.RFC3339) + " to " + now.Add(-10*time.Hour+6*time.Minute).UTC().Format(time.RFC3339)
	h.findings = []leads.Finding{
		{Ref: at(48190), Kind: leads.FindingMissed, FoundAt: now.Add(-7 * time.Hour), Cause: outage, Repaired: leads.Inserted, Behind: 3*time.Hour + 2*time.Minute},
		{Ref: at(48191), Kind: leads.FindingMissed, FoundAt: now.Add(-7 * time.Hour), Cause: outage, Repaired: leads.Inserted, Behind: 3 * time.Hour},
		{Ref: at(17), Kind: leads.FindingStale, Fields: []string{"STATUS_ID", "UF_CRM_CALLBACK"}, FoundAt: now.Add(-7 * time.Hour), Cause: "no callback seen", Repaired: leads.Updated, Behind: 41 * time.Minute},
	}
	h.card.Caller = leads.Caller{
		MemberID: member, LeadID: 17, Title: "Заявка с сайта", Name: "Анна Иванова", Company: "ООО «Ромашка»", StatusID: "IN_PROCESS", Open: true, E164: "+79123456789",
		CardURL: "https://company.bitrix24.ru/crm/lead/details/17/", ModifiedAt: now.Add(-48 * time.Minute), ReadAt: now.Add(-48 * time.Minute),
	}
	h.card.Revision, h.card.DeletedAt, h.card.Lead = 6, time.Time{}, []byte(`{"ID":"17","TITLE":"Заявка с сайта","NAME":"Анна","LAST_NAME":"Иванова","SOURCE_ID":"WEB","UF_CRM_CALLBACK":"2026-11-27T10:00:00+03:00"}`)
	h.callers = []leads.Caller{h.card.Caller, h.card.Caller}
	for i := range h.letters {
		h.letters[i].Event, h.letters[i].Attempts, h.letters[i].FirstAt, h.letters[i].LastAt = "ONCRMLEADUPDATE", 9, now.Add(-5*time.Hour), now.Add(-4*time.Hour)
		h.letters[i].Reason = "lead " + strconv.FormatInt(h.letters[i].Ref.LeadID, 10) + ": column title is too short for its 300 characters"
	}
	h.payload = string(h.card.Lead)
	h.portals[0] = console.Portal{
		MemberID: member, Domain: "company.bitrix24.ru", State: leads.PortalActive, TokenKnown: true, Bound: []string{"ONCRMLEADADD https://leads.example.com/bitrix24/events"},
		BoundAt: now.Add(-time.Hour), Owner: "host-1", Leads: 48212, Tokens: []console.Tokens{{UserID: 1, AccessEnds: now.Add(time.Hour), RefreshEnds: now.Add(27 * 24 * time.Hour)}},
	}
	h.portals = h.portals[:1]
	told := func(ago time.Duration, what, text string) journal.Moment {
		return journal.Moment{At: now.Add(-ago), What: what, Text: text, Source: "both"}
	}
	h.story = journal.Timeline{
		Answer: []string{"The row is at revision 6. Its last change was at " + now.Add(-48*time.Minute).UTC().Format("2006-01-02 15:04:05 UTC") + ": the row was updated, revision 6: STATUS_ID, in a batch that took 12ms."},
		Moments: []journal.Moment{
			told(48*time.Minute+time.Second, "callback", "event ONCRMLEADUPDATE arrived and was stored as notice 1842 within 1.2ms"),
			told(48*time.Minute, "read", "the portal sent the lead, in a batch that took 212ms, because of notice 1842; ticket 4.981"),
			told(48*time.Minute, "row", "the row was updated, revision 6: STATUS_ID, in a batch that took 12ms"), told(48*time.Minute, "topic", "revision 6 was announced to subscribers, sequence 48213"),
		},
	}
	was, is := "NEW", "IN_PROCESS"
	h.changes = []leads.Revised{{Revision: 6, At: now.Add(-48 * time.Minute), Kind: leads.Changed, Cause: leads.CauseEvent, Fields: []leads.FieldChange{{Field: "STATUS_ID", Old: &was, New: &is}}}}
	h.examined.Checks = []console.Check{{Name: "database", Level: "ok", Found: "SQL Server 2022, schema 12"}, {Name: "nats", Level: "warning", Found: "fsync every 2m0s", Means: "a power cut may lose what came last", Do: "set LEADSYNC_NATS_SYNC=always"}}
	h.alarms.Checks = []console.Check{{Name: "webhook", Level: "ok", Found: "it was accepted"}}
	h.connects = console.Connection{Application: true, Address: []console.Check{{Level: "ok", Found: "https://leads.example.com answers"}}}
	h.refused = []console.Refusal{{At: now.Add(-3 * time.Minute), Count: 2, MemberID: "b223c6b3710f85df22e9377d6c4f7553", Host: "second.bitrix24.ru", Reason: "not_verified", Detail: "it is not in LEADSYNC_B24_PORTALS"}}
	minutes := make([]float64, 60)
	for i := range minutes {
		minutes[i] = 28 + float64((i*7)%13)
	}
	h.trend = trendOf(time.Minute, minutes...)
	for i := range h.trend.Points {
		p := &h.trend.Points[i]
		p.P50, p.P99, p.Waiting = p.P50/90, p.P99/30, math.Round(p.Waiting/12)
	}
	return h
}

// TestBrowserPictures writes pictures of every page into the folder LEADSYNC_TEST_PICTURES.
func TestBrowserPictures(t *testing.T) {
	folder := os.Getenv("LEADSYNC_TEST_PICTURES")
	if folder == "" {
		t.Skip("LEADSYNC_TEST_PICTURES names no folder")
	}
	readers := map[string]consoletest.Reader{"light": {}, "dark": {Dark: true}, "small": {Width: 360, Language: "ru"}, "small-dark": {Width: 360, Dark: true}, "russian": {Language: "ru", Dark: true}}
	o, p := browse(t, lifelike())
	for i, path := range shown() {
		for name, reader := range readers {
			name = strconv.Itoa(i) + "-" + name
			t.Run(name, func(*testing.T) {
				p.As(reader)
				o.visit(p, path)
				p.Eyes.Picture(filepath.Join(folder, name+".png"))
			})
		}
	}
}
