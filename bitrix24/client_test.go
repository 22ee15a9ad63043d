package bitrix24_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

func startPortal(tb testing.TB, cfg emulator.Config) *emulator.Portal {
	tb.Helper()
	p, err := emulator.Start(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Error(err)
		}
	})
	return p
}

// webhookClient is a portal and a client that uses its inbound webhook.
func webhookClient(tb testing.TB, cfg emulator.Config) (*emulator.Portal, *bitrix24.Client) {
	tb.Helper()
	cfg.NoLimits = true
	p := startPortal(tb, cfg)
	return p, bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(p.Info().Webhook)})
}

func draws() bitrix24.Draw { return leads.NewTickets(1).Draw }

// truth is what the portal's leads really are.
func truth(tb testing.TB, p *emulator.Portal) map[int64]leads.Lead {
	tb.Helper()
	all := map[int64]leads.Lead{}
	for id, card := range p.Leads() {
		lead, err := leads.Parse(card)
		if err != nil {
			tb.Fatal(err)
		}
		all[id] = lead
	}
	return all
}

func sortedIDs(all map[int64]leads.Lead) []int64 { return slices.Sorted(maps.Keys(all)) }

func TestReadsFewAndManyLeadsAlike(t *testing.T) {
	p, client := webhookClient(t, emulator.Config{Leads: 3000, Seed: 3})
	all := truth(t, p)
	ids := sortedIDs(all)
	gone := ids[0]
	if err := p.Delete(gone); err != nil {
		t.Fatal(err)
	}
	for _, count := range []int{1, 2, 50, 51, 2600} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			snaps, err := client.Leads().Read(t.Context(), ids[:count], draws())
			if err != nil {
				t.Fatal(err)
			}
			if len(snaps) != count {
				t.Fatalf("%d snapshots for %d ids", len(snaps), count)
			}
			for i, s := range snaps {
				if s.LeadID != ids[i] || s.Err != nil || s.Ticket == 0 {
					t.Fatalf("snapshot %d is lead %d, want %d; err %v, ticket %d", i, s.LeadID, ids[i], s.Err, s.Ticket)
				}
				want := all[s.LeadID]
				switch {
				case s.LeadID == gone && s.Sight != leads.Absent:
					t.Errorf("the deleted lead was seen as %v", s.Sight)
				case s.LeadID != gone && leads.Diff(&want, &s.Lead) != nil:
					t.Errorf("lead %d differs in %v", s.LeadID, leads.Diff(&want, &s.Lead))
				}
			}
		})
	}
}

func TestTwoThousandFiveHundredLeadsCostOneRequest(t *testing.T) {
	p, client := webhookClient(t, emulator.Config{Leads: 2500, Seed: 1})
	ids := sortedIDs(truth(t, p))
	for _, count := range []int{1, 50, 2500} {
		before := client.Requests()
		if _, err := client.Leads().Read(t.Context(), ids[:count], draws()); err != nil {
			t.Fatal(err)
		}
		if got := client.Requests() - before; got != 1 {
			t.Errorf("%d leads cost %d requests, want 1", count, got)
		}
	}
}

func TestScanShowsEveryLeadOnce(t *testing.T) {
	long(t)
	for _, count := range []int{0, 1, 49, 50, 51, 2500, 2501, 5100} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			p, client := webhookClient(t, emulator.Config{Leads: count, Seed: 2})
			want, got := truth(t, p), map[int64]leads.Lead{}
			for after, last := int64(0), false; !last; {
				page, err := client.Leads().Scan(t.Context(), after, draws())
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range page.Snapshots {
					got[s.LeadID] = s.Lead
				}
				after, last = page.UpTo, page.Last
			}
			if len(got) != len(want) {
				t.Fatalf("scanned %d leads of %d", len(got), len(want))
			}
			for id, lead := range want {
				seen := got[id]
				if diff := leads.Diff(&lead, &seen); diff != nil {
					t.Fatalf("lead %d differs between crm.lead.get and crm.lead.list in %v", id, diff)
				}
			}
			if limit := int64(count/2500 + 3); client.Requests() > limit {
				t.Errorf("%d requests, at most %d are needed", client.Requests(), limit)
			}
		})
	}
}

// answering is a portal that gives these answers in turn, and then the last one again.
func answering(t *testing.T, answers ...func(http.ResponseWriter)) *bitrix24.Client {
	t.Helper()
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answers[min(n, len(answers)-1)](w)
		n++
	}))
	t.Cleanup(server.Close)
	return bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(server.URL + "/rest/")})
}

func answer(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   bitrix24.Reaction
	}{
		{"expired token", 401, `{"error":"expired_token","error_description":"The access token provided has expired."}`, bitrix24.Refresh},
		{"invalid token", 401, `{"error":"invalid_token"}`, bitrix24.Refresh},
		{"no auth", 401, `{"error":"NO_AUTH_FOUND","error_description":"Wrong authorization data"}`, bitrix24.Reauthorize},
		{"dismissed user", 401, `{"error":"authorization_error"}`, bitrix24.Reauthorize},
		{"payment", 401, `{"error":"PAYMENT_REQUIRED"}`, bitrix24.Stop},
		{"credentials", 403, `{"error":"INVALID_CREDENTIALS"}`, bitrix24.Reauthorize},
		{"scope", 403, `{"error":"insufficient_scope"}`, bitrix24.Never},
		{"tariff", 403, `{"error":"ACCESS_DENIED","error_description":"REST API is available only on commercial plans"}`, bitrix24.Stop},
		{"method", 404, `{"error":"ERROR_METHOD_NOT_FOUND"}`, bitrix24.Never},
		{"method, old status", 400, `{"error":"ERROR_METHOD_NOT_FOUND"}`, bitrix24.Never},
		{"argument", 400, `{"error":"ERROR_ARGUMENT"}`, bitrix24.Never},
		{"lead not found", 400, `{"error":"","error_description":"Not found"}`, bitrix24.NotFound},
		{"lead denied", 400, `{"error":"","error_description":"Access denied."}`, bitrix24.NoAccess},
		{"lead denied, without the dot", 400, `{"error":"","error_description":"Access denied"}`, bitrix24.NoAccess},
		{"item not found", 400, `{"error":"NOT_FOUND","error_description":"Element not found"}`, bitrix24.NotFound},
		{"bad id", 400, `{"error":"","error_description":"ID is not defined or invalid."}`, bitrix24.Never},
		{"overload", 503, `{"error":"OVERLOAD_LIMIT"}`, bitrix24.Stop},
		{"deleted portal", 500, `{"error":"PORTAL_DELETED"}`, bitrix24.Stop},
		{"deleted portal, other status", 410, `{"error":"PORTAL_DELETED"}`, bitrix24.Stop},
		{"an error with status 200", 200, `{"error":"NO_AUTH_FOUND"}`, bitrix24.Reauthorize},
		{"a numeric error", 400, `{"error":0,"error_description":"odd"}`, bitrix24.Never},
		{"moved, and no server to ask for the address", 302, ``, bitrix24.Stop},
		{"a page of HTML", 404, `<html>nginx</html>`, bitrix24.Never},
		{"half an answer", 200, `{"result":{"ID":`, bitrix24.Repeat},
		{"an empty answer", 200, ``, bitrix24.Repeat},
		{"a server error", 500, `{"error":"INTERNAL_SERVER_ERROR"}`, bitrix24.Repeat},
		{"an unknown server error", 502, `{"error":"ODD"}`, bitrix24.Repeat},
		{"application not found", 401, `{"error":"APPLICATION_NOT_FOUND"}`, bitrix24.Reauthorize},
		{"application not installed", 401, `{"error":"ERROR_OAUTH"}`, bitrix24.Reauthorize},
		{"waiting for confirmation", 401, `{"error":"METHOD_CONFIRM_WAITING"}`, bitrix24.Never},
		{"confirmation denied", 403, `{"error":"METHOD_CONFIRM_DENIED"}`, bitrix24.Never},
		{"credentials, other status", 401, `{"error":"INVALID_CREDENTIALS"}`, bitrix24.Reauthorize},
		{"no access to the application", 403, `{"error":"user_access_error"}`, bitrix24.Reauthorize},
		{"wrong kind of authorization", 403, `{"error":"WRONG_AUTH_TYPE"}`, bitrix24.Never},
		{"intranet users only", 403, `{"error":"allowed_only_intranet_user"}`, bitrix24.Never},
		{"access error", 403, `{"error":"ACCESS_ERROR"}`, bitrix24.Never},
		{"manifest", 404, `{"error":"ERROR_MANIFEST_IS_NOT_AVAILABLE"}`, bitrix24.Never},
		{"not for batches", 405, `{"error":"ERROR_BATCH_METHOD_NOT_ALLOWED"}`, bitrix24.Never},
		{"batch too long", 400, `{"error":"ERROR_BATCH_LENGTH_EXCEEDED"}`, bitrix24.Repeat},
		{"plain http", 400, `{"error":"INVALID_REQUEST","error_description":"Https required."}`, bitrix24.Never},
		{"argument value", 400, `{"error":"INVALID_ARG_VALUE"}`, bitrix24.Never},
		{"core", 400, `{"error":"ERROR_CORE"}`, bitrix24.Never},
		{"operating time", 429, `{"error":"OPERATION_TIME_LIMIT"}`, bitrix24.SlowDown},
		{"too many requests", 503, `{"error":"QUERY_LIMIT_EXCEEDED"}`, bitrix24.SlowDown},
		{"too many requests, old status", 200, `{"error":"query_limit_exceeded"}`, bitrix24.SlowDown},
		{"an unexpected answer", 500, `{"error":"ERROR_UNEXPECTED_ANSWER"}`, bitrix24.Repeat},
		{"a page of HTML from a failing server", 503, `<html>maintenance</html>`, bitrix24.Repeat},
		{"a gateway's time-out", 504, `<html>504</html>`, bitrix24.Repeat},
		{"OAuth: a dead refresh token", 400, `{"error":"invalid_grant"}`, bitrix24.Reauthorize},
		{"OAuth: a wrong secret", 400, `{"error":"invalid_client"}`, bitrix24.Stop},
		{"OAuth: an unknown application", 200, `{"error":"wrong_client"}`, bitrix24.Stop},
		{"OAuth: malformed", 400, `{"error":"invalid_request"}`, bitrix24.Never},
		{"OAuth: scope", 403, `{"error":"INVALID_SCOPE"}`, bitrix24.Never},
		{"OAuth: not installed", 401, `{"error":"NOT_INSTALLED"}`, bitrix24.Reauthorize},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := bitrix24.NewClient(bitrix24.ClientConfig{
					Endpoint: emulatortest.PortalURL + "/rest/", Budget: bitrix24.NewBudget(true),
					HTTP: &http.Client{
						Transport:     roundTripFunc(func(*http.Request) *http.Response { return emulatortest.Response(test.status, test.body) }),
						CheckRedirect: bitrix24.NewHTTP().CheckRedirect,
					},
				})
				_, err := client.Call(t.Context(), "crm.lead.get", nil)
				var refusal *bitrix24.Error
				if !errors.As(err, &refusal) {
					t.Fatalf("got %v, want a refusal", err)
				}
				if refusal.Reaction != test.want {
					t.Errorf("reaction %d, want %d (%v)", refusal.Reaction, test.want, err)
				}
			})
		})
	}
}

func TestReadRepeatsAndCallDoesNot(t *testing.T) {
	html := answer(502, "<html>bad gateway</html>")
	good := answer(200, `{"result":true,"time":{}}`)
	if _, err := answering(t, html, good).Read(t.Context(), "crm.lead.get", nil); err != nil {
		t.Errorf("a read gave up at the first bad answer: %v", err)
	}
	if _, err := answering(t, html, good).Call(t.Context(), "event.bind", nil); err == nil {
		t.Error("a call that changes something was sent twice")
	}
}

func TestAnOddRowSpoilsNoOther(t *testing.T) {
	client := answering(t, answer(200, `{"result":{"result":{"p0":[{"ID":"1"},{"ID":"2","PHONE":["+7900"]},{"ID":"3"}]},"result_error":[]},"time":{}}`))
	page, err := client.Leads().Scan(t.Context(), 0, draws())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range page.Snapshots {
		if odd := len(s.Lead.Odd) > 0; s.Err != nil || odd != (s.LeadID == 2) {
			t.Errorf("lead %d: odd fields %v, %v", s.LeadID, s.Lead.Odd, s.Err)
		}
	}
	if len(page.Snapshots) != 3 || page.UpTo != 3 {
		t.Errorf("%d rows, up to %d", len(page.Snapshots), page.UpTo)
	}
}

func TestBatchKeepsItsOrderAndSeparatesErrors(t *testing.T) {
	p, client := webhookClient(t, emulator.Config{Leads: 10, Seed: 1})
	ids := sortedIDs(truth(t, p))
	first, gone := strconv.FormatInt(ids[0], 10), strconv.FormatInt(ids[1], 10)
	if err := p.Delete(ids[1]); err != nil {
		t.Fatal(err)
	}
	batch, err := client.Batch(t.Context(), []bitrix24.Command{
		{Key: "z", Method: "crm.lead.get", Query: map[string][]string{"id": {first}}},
		{Key: "a", Method: "crm.lead.get", Query: map[string][]string{"id": {"$result[z][ID]"}}},
		{Key: "m", Method: "crm.lead.get", Query: map[string][]string{"id": {gone}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var card struct{ ID string }
	if err := json.Unmarshal(batch.Results["a"], &card); err != nil || card.ID != first {
		t.Errorf("a command that refers to an earlier one got %s, %v", batch.Results["a"], err)
	}
	if e := batch.Errors["m"]; e == nil || e.Reaction != bitrix24.NotFound {
		t.Errorf("the deleted lead's error is %v", e)
	}
	if len(batch.Results) != 2 {
		t.Errorf("%d results, want 2", len(batch.Results))
	}
}

// grants stores tokens in memory.
type grants struct {
	grant   leads.Grant
	rotated int
}

func (g *grants) RotateGrant(_ context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	if g.grant.RefreshToken != old {
		return false, nil
	}
	g.grant = next
	g.rotated++
	return true, nil
}

func (g *grants) Grants(context.Context, string) ([]leads.Grant, error) {
	if g.grant.AccessToken == "" {
		return nil, nil
	}
	return []leads.Grant{g.grant}, nil
}

func (g *grants) BeginRefresh(_ context.Context, pair leads.Grant, _ string, _ time.Duration) (bool, error) {
	return pair.RefreshToken == g.grant.RefreshToken, nil
}

// installed installs the application on an emulated portal and returns a client that uses
// its tokens.
func installed(t *testing.T, cfg emulator.Config) (*emulator.Portal, *bitrix24.Client, *grants) {
	t.Helper()
	cfg.NoLimits = true
	p := startPortal(t, cfg)
	bodies := make(chan string, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- string(body)
	}))
	t.Cleanup(app.Close)
	p.Install(app.URL, app.URL)
	cb, err := bitrix24.ParseCallback(<-bodies)
	if err != nil || cb.Event != bitrix24.AppInstall {
		t.Fatalf("installation sent %v, %v", cb.Event, err)
	}
	trust := bitrix24.Trust{Insecure: []string{hostOf(t, p.Info().Portal), hostOf(t, p.Info().OAuth)}}
	oauth := &bitrix24.OAuth{
		ClientID: p.Info().ClientID, ClientSecret: leads.Secret(p.Info().ClientSecret), Trust: trust,
		HTTP: bitrix24.NewHTTP(), Now: time.Now,
	}
	store := &grants{grant: leads.Grant{MemberID: cb.MemberID, AccessToken: cb.AccessToken, RefreshToken: cb.RefreshToken}}
	chain := &bitrix24.TokenSource{MemberID: cb.MemberID, Server: cb.ServerEndpoint, OAuth: oauth, Grants: store}
	return p, bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(cb.ClientEndpoint), Tokens: chain}), store
}

func hostOf(tb testing.TB, raw string) string {
	tb.Helper()
	r, err := http.NewRequest(http.MethodGet, raw, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return r.URL.Host
}

func TestAnExpiredTokenIsRefreshedOnce(t *testing.T) {
	p, client, store := installed(t, emulator.Config{Leads: 5, AccessLife: time.Hour})
	old := store.grant
	p.Advance(2 * time.Hour)
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			_, err := client.Read(t.Context(), "server.time", nil)
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if store.rotated != 1 || store.grant.RefreshToken == old.RefreshToken {
		t.Errorf("eight callers caused %d refreshes", store.rotated)
	}
}

func TestInvalidRefreshTokensAreUnauthorized(t *testing.T) {
	p, client, store := installed(t, emulator.Config{Leads: 5})
	store.grant.RefreshToken = "used"
	p.Advance(2 * time.Hour)
	if _, err := client.Read(t.Context(), "server.time", nil); !errors.Is(err, leads.ErrUnauthorized) {
		t.Errorf("got %v, want %v", err, leads.ErrUnauthorized)
	}
}

func TestBindAddsOnlyWhatIsMissing(t *testing.T) {
	_, client, _ := installed(t, emulator.Config{Leads: 1})
	const handler = "http://127.0.0.1:1/bitrix24/events"
	_, added, err := client.Events().Bind(t.Context(), handler)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bitrix24.Bound, added); diff != "" {
		t.Errorf("first binding (-want +got):\n%s", diff)
	}
	bound, added, err := client.Events().Bind(t.Context(), handler)
	if err != nil || len(added) != 0 || len(bound) < len(bitrix24.Bound) {
		t.Errorf("second binding added %v to %v, %v", added, bound, err)
	}
	if err := client.Events().Unbind(t.Context(), handler); err != nil {
		t.Fatal(err)
	}
	left, err := client.Events().Bindings(t.Context())
	if err != nil || slices.ContainsFunc(left, func(b bitrix24.Binding) bool { return b.Handler == handler }) {
		t.Errorf("still bound: %v, %v", left, err)
	}
}

func TestTrustSendsSecretsNowhereElse(t *testing.T) {
	trust := bitrix24.Trust{Insecure: []string{"127.0.0.1:99"}}
	for _, good := range []string{"https://oauth.bitrix.info/rest/", "oauth.bitrix24.tech", "127.0.0.1:99", "http://127.0.0.1:99/rest/"} {
		if _, err := trust.AuthServer(good); err != nil {
			t.Errorf("%s is refused: %v", good, err)
		}
	}
	trust.AuthHosts = []string{"oauth.bitrix24.info"}
	for _, good := range []string{"https://oauth.bitrix24.info/rest/", "oauth.bitrix24.info", "https://OAuth.Bitrix24.info:443", "oauth.bitrix24.tech"} {
		if _, err := trust.AuthServer(good); err != nil {
			t.Errorf("%s is refused: %v", good, err)
		}
	}
	for _, bad := range []string{"http://oauth.bitrix24.info/", "oauth.bitrix24.info:8443", "x.oauth.bitrix24.info", "https://evil.example/rest/", "http://oauth.bitrix.info/rest/", "https://oauth.bitrix.info@evil.example/", "https://oauth.bitrix.info.evil.example/", "127.0.0.1:98", "", "://"} {
		if base, err := trust.AuthServer(bad); !errors.Is(err, bitrix24.ErrUntrusted) {
			t.Errorf("%q is trusted as %q", bad, base)
		}
	}
}
