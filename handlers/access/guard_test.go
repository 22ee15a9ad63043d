package access_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/access"
	"leadsync/leads/leadstest"
)

const (
	cardToken     = "the-token-of-cards"
	readToken     = "the-token-of-readers"
	operatorToken = "the-token-of-operators"
)

// door is a guarded page that says who came in.
type door struct {
	t     *testing.T
	clock *leadstest.Clock
	log   *leadstest.Log
	guard http.Handler
	done  int // actions that were let through
}

func newDoor(t *testing.T, change func(*access.Config)) *door {
	t.Helper()
	d := &door{t: t, clock: leadstest.NewClock(time.Now()), log: &leadstest.Log{}}
	cfg := access.Config{
		Judge: access.NewJudge(access.Tokens{Card: cardToken, Read: readToken, Operate: operatorToken}, d.clock.Now, d.log.Logger()),
		Open:  []string{"/static/console.css"}, Now: d.clock.Now,
	}
	if change != nil {
		change(&cfg)
	}
	d.guard = access.New(cfg).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			d.done++
		}
		caller := access.CallerOf(r.Context())
		_, _ = io.WriteString(w, "right "+strconv.Itoa(int(caller.Right))+" name "+caller.Name+" form "+caller.FormToken+".")
	}))
	return d
}

// answer is one of a recorder: nobody has to close its body.
type answer http.Response

func (a *answer) Cookies() []*http.Cookie { return (*http.Response)(a).Cookies() }

// send sends a request from another machine, or from where change says.
func (d *door) send(method, path string, form url.Values, change ...func(*http.Request)) *answer {
	d.t.Helper()
	r := httptest.NewRequest(method, "http://leads.example.com:8081"+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = "192.0.2.7:4000"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://leads.example.com:8081")
	}
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	d.guard.ServeHTTP(w, r)
	return (*answer)(w.Result())
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

// local is a browser on this machine.
func local(r *http.Request) {
	r.RemoteAddr, r.Host = "127.0.0.1:4000", "127.0.0.1:8081"
	if r.Header.Get("Origin") != "" {
		r.Header.Set("Origin", "http://127.0.0.1:8081")
	}
}

func bodyOf(t *testing.T, response *answer) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// login logs in and returns what adds the session to a request, and its token for forms.
func (d *door) login(token string, change ...func(*http.Request)) (func(*http.Request), string) {
	d.t.Helper()
	response := d.send(http.MethodPost, "/login", url.Values{"token": {token}, "next": {"/dead?x=1"}}, change...)
	cookies := response.Cookies()
	if response.StatusCode != http.StatusSeeOther || len(cookies) != 1 || response.Header.Get("Location") != "/dead?x=1" {
		d.t.Fatalf("logged in: %d, %v, %s", response.StatusCode, cookies, response.Header.Get("Location"))
	}
	if c := cookies[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Value == token || len(c.Value) < 20 {
		d.t.Errorf("cookie %s", c)
	}
	session := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookies[0].Name, Value: cookies[0].Value}) }
	return session, d.formToken(session)
}

var formToken = regexp.MustCompile(`form (\S*)\.`)

func (d *door) formToken(change ...func(*http.Request)) string {
	d.t.Helper()
	found := formToken.FindStringSubmatch(bodyOf(d.t, d.send(http.MethodGet, "/", nil, change...)))
	if found == nil {
		d.t.Fatal("not let in")
	}
	return found[1]
}

func TestRights(t *testing.T) {
	d := newDoor(t, nil)
	reader, readerForm := d.login(readToken)
	operator, operatorForm := d.login(operatorToken)
	for _, test := range []struct {
		name     string
		who      []func(*http.Request)
		form     string
		get, act int
	}{
		{"nobody", nil, "", 401, 401},
		{"the token of cards", []func(*http.Request){bearer(cardToken)}, "", 401, 401},
		{"a reader's program", []func(*http.Request){bearer(readToken)}, "", 200, 403},
		{"an operator's program", []func(*http.Request){bearer(operatorToken)}, "", 200, 200},
		{"a reader", []func(*http.Request){reader}, readerForm, 200, 403},
		{"an operator", []func(*http.Request){operator}, operatorForm, 200, 200},
		{"an operator without the form's token", []func(*http.Request){operator}, "", 200, 403},
		{"an operator with a reader's form", []func(*http.Request){operator}, readerForm, 200, 403},
		{"a session that was made up", []func(*http.Request){header("Cookie", "leadsync_session=abc")}, "", 401, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := d.send(http.MethodGet, "/", nil, test.who...).StatusCode; got != test.get {
				t.Errorf("a page: %d", got)
			}
			before := d.done
			got := d.send(http.MethodPost, "/runs", url.Values{access.FormField: {test.form}}, test.who...).StatusCode
			if got != test.act || (d.done > before) != (got == http.StatusOK) {
				t.Errorf("an action: %d", got)
			}
			for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodPatch, "BREW"} {
				if got := d.send(method, "/runs", nil, test.who...).StatusCode; got != test.act && test.form != "" && got != http.StatusForbidden {
					t.Errorf("%s: %d", method, got)
				}
			}
		})
	}
}

// A page of another site may send a form with the browser's cookies, or from a browser on
// this machine. Nothing comes of it.
func TestFormsOfOtherSitesDoNothing(t *testing.T) {
	for _, test := range []struct {
		name string
		door *door
	}{{"logged in", newDoor(t, nil)}, {"on this machine", newDoor(t, func(c *access.Config) { c.Local = true })}} {
		t.Run(test.name, func(t *testing.T) {
			d := test.door
			who := local
			if test.name == "logged in" {
				who, _ = d.login(operatorToken)
			}
			form := url.Values{access.FormField: {d.formToken(who)}}
			if got := d.send(http.MethodPost, "/runs", form, who).StatusCode; got != http.StatusOK {
				t.Fatalf("one's own form: %d", got)
			}
			for _, foreign := range []func(*http.Request){
				header("Origin", "https://attacker.example"), header("Origin", "null"), header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Site", "same-site"),
				func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("")) },
				func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
			} {
				if got := d.send(http.MethodPost, "/runs", form, who, foreign).StatusCode; got != http.StatusForbidden {
					t.Errorf("another site's form: %d", got)
				}
			}
			if got := d.send(http.MethodPost, "/runs?"+form.Encode(), nil, who).StatusCode; got != http.StatusForbidden {
				t.Errorf("a token in the address: %d", got)
			}
			if d.done != 1 {
				t.Errorf("%d actions were done", d.done)
			}
		})
	}
	d := newDoor(t, nil)
	for _, path := range []string{"/login", "/logout"} {
		response := d.send(http.MethodPost, path, url.Values{"token": {operatorToken}}, header("Origin", "https://attacker.example"))
		if response.StatusCode != http.StatusForbidden || len(response.Cookies()) != 0 {
			t.Errorf("%s from another site: %d %v", path, response.StatusCode, response.Cookies())
		}
	}
}

func TestWrongTokensAreSlowedDown(t *testing.T) {
	tries := map[string]func(d *door, token string, change ...func(*http.Request)) int{
		"form": func(d *door, token string, change ...func(*http.Request)) int {
			return d.send(http.MethodPost, "/login", url.Values{"token": {token}}, change...).StatusCode
		},
		"header": func(d *door, token string, change ...func(*http.Request)) int {
			return d.send(http.MethodGet, "/", nil, append(change, bearer(token))...).StatusCode
		},
	}
	for name, try := range tries {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, nil)
			session, _ := d.login(readToken)
			looked := 0
			for i := range 1000 {
				if try(d, "guess "+strconv.Itoa(i)) == http.StatusUnauthorized {
					looked++
				}
			}
			if looked != 10 {
				t.Errorf("%d of 1000 guesses were looked at", looked)
			}
			if got := try(d, operatorToken); got != http.StatusTooManyRequests {
				t.Errorf("the right one behind them: %d", got)
			}
			if got := try(d, operatorToken, from("192.0.2.8:1")); got >= 400 {
				t.Errorf("another address: %d", got)
			}
			if got := d.send(http.MethodGet, "/", nil, session).StatusCode; got != http.StatusOK {
				t.Errorf("who is logged in: %d", got)
			}
			d.clock.Advance(time.Minute)
			if got := try(d, operatorToken); got >= 400 {
				t.Errorf("the right one a minute later: %d", got)
			}
			if strings.Contains(d.log.String(), "guess") || !strings.Contains(d.log.String(), "192.0.2.7") {
				t.Errorf("the log: %s", d.log)
			}
		})
	}
}

// A token that nobody can guess opens also behind an attacker's many wrong ones, who learns nothing
// from how he is refused.
func TestLongTokensAreNotLockedOut(t *testing.T) {
	const long = "3f0c9b1d5e7a48629a4d1c0b8e6f2d71"
	d := newDoor(t, func(c *access.Config) {
		c.Judge = access.NewJudge(access.Tokens{Card: "card" + long, Read: readToken, Operate: long}, c.Now, leadstest.Silent())
	})
	try := func(token string, change ...func(*http.Request)) int {
		return d.send(http.MethodGet, "/", nil, append(change, bearer(token))...).StatusCode
	}
	for i := range 10 {
		try("guess " + strconv.Itoa(i))
	}
	for name, token := range map[string]string{"a short wrong one": "guess", "a long wrong one": long[1:] + "0", "the one of cards": "card" + long, "a short right one": readToken} {
		if got := try(token); got != http.StatusTooManyRequests {
			t.Errorf("%s: %d", name, got)
		}
	}
	if got := try(long); got != http.StatusOK {
		t.Errorf("the long right one: %d", got)
	}
	d.login(long)
	for i := range 4200 {
		try("guess", from("["+"2001:db8:"+strconv.FormatInt(int64(i), 16)+"::1]:1"))
	}
	if got := try(long, from("198.51.100.1:1")); got != http.StatusOK {
		t.Errorf("from a new address while too many guess: %d", got)
	}
}

// An attacker with many addresses neither gets more tries nor fills the memory.
func TestGuessesFromManyAddressesAreCountedTogether(t *testing.T) {
	d := newDoor(t, nil)
	looked := 0
	for i := range 6000 {
		r := d.send(http.MethodGet, "/", nil, bearer("guess"), from("["+"2001:db8:"+strconv.FormatInt(int64(i), 16)+"::1]:1"))
		if r.StatusCode == http.StatusUnauthorized {
			looked++
		}
	}
	if looked > 4096+10 {
		t.Errorf("%d guesses were looked at", looked)
	}
	one := newDoor(t, nil)
	looked = 0
	for i := range 100 {
		if one.send(http.MethodGet, "/", nil, bearer("guess"), from("[2001:db8::"+strconv.FormatInt(int64(i), 16)+"]:1")).StatusCode == http.StatusUnauthorized {
			looked++
		}
	}
	if looked != 10 {
		t.Errorf("%d guesses from one network were looked at", looked)
	}
}

// A proxy on this machine says whose guess it is; others could say anything.
func TestGuessesBehindAProxyAreTheCallersOwn(t *testing.T) {
	d := newDoor(t, nil)
	for range 20 {
		d.send(http.MethodGet, "/", nil, bearer("guess"), from("127.0.0.1:1"), header("X-Forwarded-For", "1.1.1.1, 198.51.100.3"))
	}
	if got := d.send(http.MethodGet, "/", nil, bearer(readToken), from("127.0.0.1:1"), header("X-Forwarded-For", "1.1.1.1")).StatusCode; got != http.StatusOK {
		t.Errorf("another caller: %d", got)
	}
	for caller, other := range map[string]string{"198.51.100.4:%d": "198.51.100.5:1", "[2001:db8:0:4::1]:%d": "[2001:db8:0:5::1]:1"} { // IIS names the port, too
		for i := range 20 {
			d.send(http.MethodGet, "/", nil, bearer("guess"), from("127.0.0.1:1"), header("X-Forwarded-For", "1.1.1.1:80, "+fmt.Sprintf(caller, 40000+i)))
		}
		for named, want := range map[string]int{fmt.Sprintf(caller, 50000): http.StatusTooManyRequests, other: http.StatusOK} {
			if got := d.send(http.MethodGet, "/", nil, bearer(readToken), from("127.0.0.1:1"), header("X-Forwarded-For", named)).StatusCode; got != want {
				t.Errorf("%s after the guesses of %s: %d, want %d", named, caller, got, want)
			}
		}
	}
	for i := range 20 {
		d.send(http.MethodGet, "/", nil, bearer("guess"), header("X-Forwarded-For", "10.0.0."+strconv.Itoa(i)))
	}
	if got := d.send(http.MethodGet, "/", nil, bearer(readToken), header("X-Forwarded-For", "10.0.0.99")).StatusCode; got != http.StatusTooManyRequests {
		t.Errorf("a caller who names others: %d", got)
	}
}

func TestSessionsEnd(t *testing.T) {
	d := newDoor(t, nil)
	session, form := d.login(operatorToken)
	if got := d.send(http.MethodPost, "/logout", url.Values{}, session).StatusCode; got != http.StatusForbidden {
		t.Errorf("a log-out without the form's token: %d", got)
	}
	if got := d.send(http.MethodGet, "/logout", nil, session).StatusCode; got != http.StatusMethodNotAllowed {
		t.Errorf("a log-out by a link: %d", got)
	}
	response := d.send(http.MethodPost, "/logout", url.Values{access.FormField: {form}}, session)
	if cookies := response.Cookies(); response.StatusCode != http.StatusSeeOther || len(cookies) != 1 || cookies[0].MaxAge >= 0 {
		t.Errorf("logged out: %d, %v", response.StatusCode, cookies)
	}
	if got := d.send(http.MethodGet, "/", nil, session).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("after the log-out: %d", got)
	}
	session, _ = d.login(operatorToken)
	d.clock.Advance(12*time.Hour - time.Second)
	if got := d.send(http.MethodGet, "/", nil, session).StatusCode; got != http.StatusOK {
		t.Errorf("after a working day: %d", got)
	}
	d.clock.Advance(2 * time.Second)
	if got := d.send(http.MethodGet, "/", nil, session).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("after the session's life: %d", got)
	}
}

// An answer that is under way when its session ends, such as a stream, ends with it.
func TestStreamsEndWithTheirSession(t *testing.T) {
	clock := leadstest.NewClock(time.Now())
	entered := make(chan struct{})
	guard := access.New(access.Config{Judge: access.NewJudge(access.Tokens{Operate: operatorToken}, clock.Now, leadstest.Silent()), Now: clock.Now}).
		Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/live" {
				_, _ = io.WriteString(w, "form "+access.CallerOf(r.Context()).FormToken+".")
				return
			}
			close(entered)
			<-r.Context().Done()
		}))
	d := &door{t: t, clock: clock, guard: guard}
	session, form := d.login(operatorToken)
	ended := make(chan struct{})
	go func() { defer close(ended); d.send(http.MethodGet, "/live", nil, session) }()
	<-entered
	d.send(http.MethodPost, "/logout", url.Values{access.FormField: {form}}, session)
	<-ended
}

// Whatever a browser brings along, a log-in gives a session that nobody knew before, and the
// former one ends.
func TestSessionsAreNeverTakenOn(t *testing.T) {
	d := newDoor(t, nil)
	planted := func(r *http.Request) {
		r.AddCookie(&http.Cookie{Name: "leadsync_session", Value: "planted-by-an-attacker"})
	}
	d.login(operatorToken, planted)
	if got := d.send(http.MethodGet, "/", nil, planted).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("the planted session: %d", got)
	}
	first, _ := d.login(readToken)
	d.login(operatorToken, first)
	if got := d.send(http.MethodGet, "/", nil, first).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("the session before the last log-in: %d", got)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	d := newDoor(t, nil)
	first, _ := d.login(readToken)
	for range 1000 {
		d.clock.Advance(time.Second)
		d.login(readToken)
	}
	if got := d.send(http.MethodGet, "/", nil, first).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("the oldest of 1001: %d", got)
	}
}

func TestLoginLeadsNowhereElse(t *testing.T) {
	d := newDoor(t, nil)
	for next, want := range map[string]string{
		"/dead?reason=a%26b": "/dead?reason=a%26b", "": "/", "dead": "/", "//evil.example": "/", "/\\evil.example": "/", "\\\\evil.example": "/", "https://evil.example/": "/",
		"/%2Fevil.example": "/", "/%5Cevil.example": "/%5Cevil.example", "javascript:alert(1)": "/", "/\tevil": "/", "/a\r\nSet-Cookie: x=1": "/", "///evil.example": "/",
		"http:/evil.example": "/", "//user@evil.example/": "/", "/login": "/", "/logout": "/", "?next=//evil": "/", "/.//evil.example": "/evil.example",
	} {
		response := d.send(http.MethodPost, "/login", url.Values{"token": {readToken}, "next": {next}})
		if got := response.Header.Get("Location"); got != want || response.StatusCode != http.StatusSeeOther {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
		page := bodyOf(t, d.send(http.MethodGet, "/login?"+url.Values{"next": {next}}.Encode(), nil))
		if strings.Contains(page, "evil.example") && want == "/" {
			t.Errorf("%q stands in the form", next)
		}
	}
}

func TestBrowsersAreSentToTheLogin(t *testing.T) {
	d := newDoor(t, nil)
	html := header("Accept", "text/html,*/*")
	response := d.send(http.MethodGet, "/dead?group=1&x=2", nil, html)
	if got := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || got != "/login?next=%2Fdead%3Fgroup%3D1%26x%3D2" {
		t.Errorf("%d to %s", response.StatusCode, got)
	}
	page := bodyOf(t, d.send(http.MethodGet, "/login?next=%2Fdead%22%3E%3Cscript%3E", nil, header("Accept-Language", "ru")))
	if !strings.Contains(page, `<html lang="ru">`) || !strings.Contains(page, "Ключ") || strings.Contains(page, "<script") {
		t.Errorf("the form: %s", page)
	}
	page = bodyOf(t, d.send(http.MethodPost, "/login", url.Values{"token": {"<script>alert(1)</script>"}}))
	if !strings.Contains(page, "This token is wrong") || strings.Contains(page, "alert(1)") {
		t.Errorf("a wrong token: %s", page)
	}
	if got := d.send(http.MethodGet, "/static/console.css", nil).StatusCode; got != http.StatusOK {
		t.Errorf("the style sheet of the log-in: %d", got)
	}
	if got := d.send(http.MethodPost, "/static/console.css", nil).StatusCode; got != http.StatusUnauthorized {
		t.Errorf("a form sent to the style sheet: %d", got)
	}
}

func TestProxyNamesThePerson(t *testing.T) {
	d := newDoor(t, func(c *access.Config) { c.Local, c.TrustHeader, c.Operators = true, "X-Remote-User", []string{"anna"} })
	proxy := from("127.0.0.1:1")
	named := func(names ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header["X-Remote-User"] = names }
	}
	for _, test := range []struct {
		name string
		who  []func(*http.Request)
		want string
	}{
		{"an operator", []func(*http.Request){proxy, named("anna")}, "right 3 name anna"},
		{"somebody else", []func(*http.Request){proxy, named("boris")}, "right 2 name boris"},
		{"by a unix socket", []func(*http.Request){from("@"), named("anna")}, "right 3 name anna"},
		{"another machine", []func(*http.Request){named("anna")}, ""},
		{"nobody named", []func(*http.Request){proxy}, ""},
		{"a browser on this machine", []func(*http.Request){local}, ""},
		{"an empty name", []func(*http.Request){proxy, named(" ")}, ""},
		{"two names", []func(*http.Request){proxy, named("anna", "boris")}, ""},
		{"another spelling", []func(*http.Request){proxy, header("X_Remote_User", "anna")}, ""},
		{"a program behind the proxy", []func(*http.Request){proxy, bearer(readToken)}, "right 2 name "},
	} {
		response := d.send(http.MethodGet, "/", nil, test.who...)
		got := bodyOf(t, response)
		if (test.want == "") != (response.StatusCode == http.StatusUnauthorized) || !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %d %s", test.name, response.StatusCode, got)
		}
	}
}

// The browser's last user may have logged in with a token, and not logged out.
func TestTheNamedPersonCountsMoreThanAnOldSession(t *testing.T) {
	d := newDoor(t, func(c *access.Config) { c.Local, c.TrustHeader, c.Operators = true, "X-Remote-User", []string{"anna"} })
	session, _ := d.login(operatorToken)
	proxy := func(name string) func(*http.Request) {
		return func(r *http.Request) {
			if local(r); name != "" {
				r.Header.Set("X-Remote-User", name)
			}
		}
	}
	if got := bodyOf(t, d.send(http.MethodGet, "/", nil, session, proxy("boris"))); !strings.HasPrefix(got, "right 2 name boris") {
		t.Errorf("a reader with an operator's session: %s", got)
	}
	if got := d.send(http.MethodPost, "/runs", url.Values{access.FormField: {d.formToken(session, proxy("boris"))}}, session, proxy("boris")).StatusCode; got != http.StatusForbidden {
		t.Errorf("his action: %d", got)
	}
	if got := bodyOf(t, d.send(http.MethodGet, "/", nil, session, proxy(""))); !strings.HasPrefix(got, "right 3 name  form") {
		t.Errorf("a session where nobody is named: %s", got)
	}
}

// What a proxy on this machine forwards comes from anywhere: it is told by the name that was asked
// for, by any header that proxies set, and by the old protocol that nginx speaks.
func TestProxiesMakeNobodyAnOperator(t *testing.T) {
	d := newDoor(t, func(c *access.Config) { c.Local = true })
	socket := func(host string) func(*http.Request) {
		return func(r *http.Request) { r.RemoteAddr, r.Host = "@", host }
	}
	for _, test := range []struct {
		name string
		who  []func(*http.Request)
		want int
	}{
		{"a browser on this machine", []func(*http.Request){local}, http.StatusOK},
		{"curl at a socket", []func(*http.Request){socket("localhost")}, http.StatusOK},
		{"a program at a socket that names no host", []func(*http.Request){socket("")}, http.StatusOK},
		{"a proxy at a socket that passes on the host", []func(*http.Request){socket("leads.example.com")}, http.StatusUnauthorized},
		{"a proxy that passes on the host", []func(*http.Request){from("127.0.0.1:4000")}, http.StatusUnauthorized},
		{"a program that names no host", []func(*http.Request){local, func(r *http.Request) { r.Host = "" }}, http.StatusUnauthorized},
		{"nginx with nothing set", []func(*http.Request){local, old}, http.StatusUnauthorized},
		{"nginx at a socket", []func(*http.Request){socket("localhost"), old}, http.StatusUnauthorized},
	} {
		if got := d.send(http.MethodGet, "/", nil, test.who...).StatusCode; got != test.want {
			t.Errorf("%s: %d", test.name, got)
		}
	}
	for _, name := range []string{
		"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Host", "X-Forwarded", "Forwarded", "Via", "X-Real-IP",
		"CF-Connecting-IP", "CF-Ray", "True-Client-IP", "X-Client-IP", "X-Cluster-Client-IP", "X-Original-Forwarded-For", "X-Envoy-External-Address", "X-Scheme", "Fastly-Client-IP",
	} {
		for _, value := range []string{"192.0.2.1", ""} {
			if got := d.send(http.MethodGet, "/", nil, local, header(name, value)).StatusCode; got != http.StatusUnauthorized {
				t.Errorf("with %s: %q: %d", name, value, got)
			}
		}
	}
	form := url.Values{access.FormField: {d.formToken(local)}}
	for _, who := range []func(*http.Request){old, socket("leads.example.com"), header("X-Forwarded-Proto", "https")} {
		if got := d.send(http.MethodPost, "/runs", form, local, who).StatusCode; got != http.StatusUnauthorized || d.done != 0 {
			t.Errorf("an action: %d", got)
		}
	}
}

// old makes a request one of HTTP/1.0.
func old(r *http.Request) { r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/1.0", 1, 0 }

// Other pages show nothing of ours in a frame, and no script but ours works in ours.
func TestEveryAnswerHasSecurityHeaders(t *testing.T) {
	d := newDoor(t, nil)
	for _, response := range []*answer{
		d.send(http.MethodGet, "/", nil), d.send(http.MethodGet, "/login", nil), d.send(http.MethodGet, "/", nil, bearer(readToken)),
		d.send(http.MethodGet, "/static/console.css", nil), d.send(http.MethodPost, "/login", nil), d.send(http.MethodGet, "/", nil, header("Accept", "text/html")),
	} {
		policy := response.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%d: the policy lacks %s: %s", response.StatusCode, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "http") {
			t.Errorf("the policy allows too much: %s", policy)
		}
		for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%d: %s is %q", response.StatusCode, name, got)
			}
		}
	}
}

func TestCookieIsSecureBehindHTTPS(t *testing.T) {
	d := newDoor(t, nil)
	for _, test := range []struct {
		name string
		who  []func(*http.Request)
		want bool
	}{
		{"plain http", nil, false},
		{"https at a proxy on this machine", []func(*http.Request){from("127.0.0.1:1"), header("X-Forwarded-Proto", "https")}, true},
		{"https at a proxy elsewhere", []func(*http.Request){from("172.18.0.1:1"), header("Origin", "https://leads.example.com:8081")}, true},
		{"somebody says so", []func(*http.Request){header("X-Forwarded-Proto", "https")}, false},
	} {
		response := d.send(http.MethodPost, "/login", url.Values{"token": {readToken}}, test.who...)
		if cookies := response.Cookies(); len(cookies) != 1 || cookies[0].Secure != test.want {
			t.Errorf("%s: %v", test.name, cookies)
		}
	}
}
