package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leadsync/bitrix24/emulator"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// harness is a portal that listens, with what a test needs to talk to it.
type harness struct {
	*emulator.Portal
	info   emulator.Info
	client *http.Client
}

func start(tb testing.TB, cfg emulator.Config) *harness {
	tb.Helper()
	p, err := emulator.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	tb.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := p.Close(); err != nil {
			tb.Error("close:", err)
		}
	})
	client := &http.Client{
		Transport:     transport,
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &harness{Portal: p, info: p.Info(), client: client}
}

// reply is an answer as it came.
type reply struct {
	status int
	header http.Header
	body   []byte
	tree   map[string]any
}

func (b *harness) do(tb testing.TB, method, address, contentType, body string) reply {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), method, address, strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: text}
	_ = json.Unmarshal(text, &r.tree) // not every answer is JSON
	return r
}

// hook calls a method by the webhook, with a JSON body.
func (b *harness) hook(tb testing.TB, method, body string) reply {
	tb.Helper()
	return b.do(tb, http.MethodPost, b.info.Webhook+method, "application/json", body)
}

// rest calls a method with an access token, with a form body.
func (b *harness) rest(tb testing.TB, token, method, form string) reply {
	tb.Helper()
	return b.do(tb, http.MethodPost, b.info.Portal+"/rest/"+method, "application/x-www-form-urlencoded", form+"&auth="+token)
}

// authorize goes through log-in and code exchange; the application is installed
// first.
func (b *harness) authorize(tb testing.TB) (access, refresh string) {
	tb.Helper()
	b.Install("", "http://127.0.0.1/callback")
	r := b.do(tb, http.MethodGet, b.info.Portal+"/oauth/authorize/?client_id="+b.info.ClientID+"&state=s1", "", "")
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusFound {
		tb.Fatalf("authorize: status %d, location %v", r.status, err)
	}
	t := b.token(tb, "grant_type=authorization_code&code="+to.Query().Get("code"))
	access, _ = t.tree["access_token"].(string)
	refresh, _ = t.tree["refresh_token"].(string)
	if access == "" || refresh == "" {
		tb.Fatalf("no tokens: %s", t.body)
	}
	return access, refresh
}

func (b *harness) token(tb testing.TB, query string) reply {
	tb.Helper()
	return b.do(tb, http.MethodPost, b.info.OAuth+"/oauth/token/", "application/x-www-form-urlencoded",
		query+"&client_id="+b.info.ClientID+"&client_secret="+b.info.ClientSecret)
}

func (r reply) wantError(tb testing.TB, status int, code, text string) {
	tb.Helper()
	if got, ok := r.tree["error"].(string); r.status != status || !ok || got != code || r.tree["error_description"] != text {
		tb.Errorf("got %d %s, want %d %q %q", r.status, r.body, status, code, text)
	}
}

// rows are the rows of a list.
func (r reply) rows(tb testing.TB) []map[string]any {
	tb.Helper()
	var list struct {
		Result []map[string]any `json:"result"`
	}
	if err := json.Unmarshal(r.body, &list); err != nil || r.status != http.StatusOK {
		tb.Fatalf("no list: %d %.300s", r.status, r.body)
	}
	return list.Result
}

// receiver collects callbacks.
type receiver struct {
	*httptest.Server
	forms chan url.Values
}

func receive(tb testing.TB) *receiver {
	tb.Helper()
	r := &receiver{forms: make(chan url.Values, 10000)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		form, err := url.ParseQuery(string(body))
		if err == nil {
			form.Set("raw", string(body))
			r.forms <- form
		}
	}))
	tb.Cleanup(r.Close)
	return r
}

// drain waits for the deliveries and returns what came.
func (b *harness) drain(tb testing.TB, r *receiver) []url.Values {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	if err := b.DrainCallbacks(ctx); err != nil {
		tb.Fatal("callbacks still pending:", err)
	}
	var all []url.Values
	for {
		select {
		case f := <-r.forms:
			all = append(all, f)
		default:
			return all
		}
	}
}

func TestListRowEqualsGet(t *testing.T) {
	b := start(t, emulator.Config{Leads: 120, Seed: 3, NoLimits: true})
	rows := b.hook(t, "crm.lead.list", `{"select":["*","UF_*","PHONE","EMAIL","WEB","IM","LINK"],"start":-1}`)
	var list struct{ Result []json.RawMessage }
	if err := json.Unmarshal(rows.body, &list); err != nil || len(list.Result) != 50 {
		t.Fatalf("%d rows, %v: %.200s", len(list.Result), err, rows.body)
	}
	truth := maps.Collect(b.Leads())
	for _, row := range list.Result {
		var head struct {
			ID int64 `json:",string"`
		}
		if err := json.Unmarshal(row, &head); err != nil {
			t.Fatal(err)
		}
		var got struct{ Result json.RawMessage }
		if err := json.Unmarshal(b.hook(t, "crm.lead.get", `{"id":"`+strconv.FormatInt(head.ID, 10)+`"}`).body, &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(row, got.Result) || !bytes.Equal(row, truth[head.ID]) {
			t.Errorf("lead %d\nlist  %s\nget   %s\ntruth %s", head.ID, row, got.Result, truth[head.ID])
		}
	}
}
