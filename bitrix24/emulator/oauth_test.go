package emulator_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

func TestAuthorizeRedirectsWithSixParameters(t *testing.T) {
	b := start(t, emulator.Config{})
	b.Install("", "http://127.0.0.1:1/callback?x=1")
	r := b.do(t, http.MethodGet, b.info.Portal+"/oauth/authorize/?client_id="+b.info.ClientID+"&state=a+b%2F", "", "")
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusFound {
		t.Fatalf("status %d, %v", r.status, err)
	}
	q := to.Query()
	oauth, _ := url.Parse(b.info.OAuth)
	home, _ := url.Parse(b.info.Portal)
	want := map[string]string{
		"x": "1", "state": "a b/", "domain": home.Host, "member_id": b.info.MemberID,
		"scope": "crm,user,department", "server_domain": oauth.Host,
	}
	for k, v := range want {
		if q.Get(k) != v {
			t.Errorf("%s = %q, want %q", k, q.Get(k), v)
		}
	}
	if q.Get("code") == "" {
		t.Error("no code")
	}
}

func TestAuthorizeShowsAPageWhenItCannotRedirect(t *testing.T) {
	b := start(t, emulator.Config{})
	page := b.info.Portal + "/oauth/authorize/?client_id="
	if r := b.do(t, http.MethodGet, page+"local.unknown", "", ""); r.status != http.StatusNotFound {
		t.Errorf("unknown application: %d", r.status)
	}
	if r := b.do(t, http.MethodGet, page+b.info.ClientID, "", ""); r.status != http.StatusForbidden {
		t.Errorf("application that is not installed: %d", r.status)
	}
}

func TestAuthorizeWithAClick(t *testing.T) {
	b := start(t, emulator.Config{AskLogin: true})
	b.Install("", "http://127.0.0.1/callback")
	page := b.info.Portal + "/oauth/authorize/?client_id=" + b.info.ClientID + "&state=s%261"
	r := b.do(t, http.MethodGet, page, "", "")
	link := regexp.MustCompile(`href="([^"]+)"`).FindSubmatch(r.body)
	if r.status != http.StatusOK || link == nil {
		t.Fatalf("%d %s", r.status, r.body)
	}
	r = b.do(t, http.MethodGet, b.info.Portal+"/oauth/authorize/"+html.UnescapeString(string(link[1])), "", "")
	if to, err := url.Parse(r.header.Get("Location")); err != nil || to.Query().Get("state") != "s&1" {
		t.Errorf("%d %s", r.status, r.header.Get("Location"))
	}
	b.Uninstall(false)
	b.Install("", "")
}

func TestCodeWorksOnceAndForThirtySeconds(t *testing.T) {
	b := start(t, emulator.Config{})
	code := func() string {
		b.Install("", "http://127.0.0.1/callback")
		r := b.do(t, http.MethodGet, b.info.Portal+"/oauth/authorize/?client_id="+b.info.ClientID, "", "")
		to, _ := url.Parse(r.header.Get("Location"))
		return to.Query().Get("code")
	}
	c := code()
	if r := b.token(t, "grant_type=authorization_code&code="+c); r.tree["access_token"] == nil {
		t.Fatalf("first use: %s", r.body)
	}
	if r := b.token(t, "grant_type=authorization_code&code="+c); r.status != 400 || r.tree["error"] != "invalid_grant" {
		t.Errorf("second use: %d %s", r.status, r.body)
	}
	c = code()
	b.Advance(31 * time.Second)
	if r := b.token(t, "grant_type=authorization_code&code="+c); r.tree["error"] != "invalid_grant" {
		t.Errorf("late use: %s", r.body)
	}
}

func TestRefreshRotates(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		b := start(t, emulator.Config{Switches: emulator.Switches{LenientRotation: lenient}})
		access, refresh := b.authorize(t)
		b.Advance(time.Hour)
		b.rest(t, access, "profile", "").wantError(t, 401, "expired_token", "The access token provided has expired.")
		r := b.do(t, http.MethodGet, b.info.OAuth+"/oauth/token/?grant_type=refresh_token&client_id="+b.info.ClientID+
			"&client_secret="+b.info.ClientSecret+"&refresh_token="+refresh, "", "")
		next, _ := r.tree["refresh_token"].(string)
		token, _ := r.tree["access_token"].(string)
		if next == "" || next == refresh || token == access {
			t.Fatalf("no new pair: %s", r.body)
		}
		if r := b.rest(t, token, "profile", ""); r.status != http.StatusOK {
			t.Errorf("new token: %s", r.body)
		}
		again := b.token(t, "grant_type=refresh_token&refresh_token="+refresh)
		if got := again.tree["error"] == "invalid_grant"; got == lenient {
			t.Errorf("lenient %t: old refresh token: %s", lenient, again.body)
		}
	}
}

// Of many callers who use the same refresh token at once, one gets a pair.
func TestRefreshTokensWorkOnce(t *testing.T) {
	b := start(t, emulator.Config{})
	_, refresh := b.authorize(t)
	var won atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if r := b.token(t, "grant_type=refresh_token&refresh_token="+refresh); r.tree["access_token"] != nil {
				won.Add(1)
			}
		})
	}
	all.Wait()
	if n := won.Load(); n != 1 {
		t.Errorf("%d got a pair", n)
	}
}

func TestRefreshMayEndTheAccessToken(t *testing.T) {
	for _, kills := range []bool{false, true} {
		b := start(t, emulator.Config{Switches: emulator.Switches{RefreshKillsAccess: kills}})
		access, refresh := b.authorize(t)
		b.token(t, "grant_type=refresh_token&refresh_token="+refresh)
		if r := b.rest(t, access, "profile", ""); (r.status == http.StatusOK) == kills {
			t.Errorf("kills %t: %d", kills, r.status)
		}
	}
}

func TestLifetimesAreConfigurable(t *testing.T) {
	b := start(t, emulator.Config{AccessLife: time.Minute, RefreshLife: time.Hour})
	access, refresh := b.authorize(t)
	b.Advance(59 * time.Second)
	if r := b.rest(t, access, "profile", ""); r.status != http.StatusOK {
		t.Errorf("before its end: %s", r.body)
	}
	b.Advance(time.Second)
	b.rest(t, access, "profile", "").wantError(t, 401, "expired_token", "The access token provided has expired.")
	b.Advance(time.Hour)
	if r := b.token(t, "grant_type=refresh_token&refresh_token="+refresh); r.tree["error"] != "invalid_grant" {
		t.Errorf("refresh token after its end: %s", r.body)
	}
}

func TestTokenShape(t *testing.T) {
	b := start(t, emulator.Config{})
	access, refresh := b.authorize(t)
	shape := regexp.MustCompile(`^[0-9a-f]{24}00000001[0-9a-f]{38}$`)
	if !shape.MatchString(access) || !shape.MatchString(refresh) {
		t.Errorf("tokens %s %s", access, refresh)
	}
}

func TestTokenErrors(t *testing.T) {
	b := start(t, emulator.Config{})
	b.Install("", "http://127.0.0.1/callback")
	base := "client_id=" + b.info.ClientID + "&client_secret=" + b.info.ClientSecret
	for name, c := range map[string]struct {
		form   string
		status int
		code   string
	}{
		"unknown client is 200":     {"grant_type=refresh_token&refresh_token=x&client_id=local.x&client_secret=y", 200, "wrong_client"},
		"bad secret":                {"grant_type=refresh_token&refresh_token=x&client_id=" + b.info.ClientID + "&client_secret=y", 400, "invalid_client"},
		"unknown refresh token":     {"grant_type=refresh_token&refresh_token=x&" + base, 400, "invalid_grant"},
		"missing refresh token":     {"grant_type=refresh_token&" + base, 400, "invalid_request"},
		"unknown grant":             {"grant_type=password&" + base, 400, "invalid_request"},
		"more scope than there is":  {"grant_type=refresh_token&refresh_token=x&scope=crm,disk&" + base, 403, "INVALID_SCOPE"},
		"body that cannot be read":  {"grant_type=%zz", 400, "invalid_request"},
		"nothing but a grant given": {"grant_type=authorization_code", 400, "invalid_request"},
	} {
		r := b.do(t, http.MethodPost, b.info.OAuth+"/oauth/token/", "application/x-www-form-urlencoded", c.form)
		if r.status != c.status || r.tree["error"] != c.code {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	b.SetFaults(emulator.Faults{PaymentRequired: true})
	if r := b.token(t, "grant_type=refresh_token&refresh_token=x"); r.tree["error"] != "PAYMENT_REQUIRED" {
		t.Errorf("payment: %s", r.body)
	}
}

func TestAuthServerAppInfo(t *testing.T) {
	b := start(t, emulator.Config{})
	access, _ := b.authorize(t)
	r := b.do(t, http.MethodGet, b.info.OAuth+"/rest/app.info?auth="+access, "", "")
	result, _ := r.tree["result"].(map[string]any)
	install, _ := result["install"].(map[string]any)
	if result["client_id"] != b.info.ClientID || install["member_id"] != b.info.MemberID ||
		install["client_endpoint"] != b.info.Portal+"/rest/" {
		t.Errorf("%s", r.body)
	}
	b.do(t, http.MethodGet, b.info.OAuth+"/rest/app.info?auth=x", "", "").wantError(t, 401, "NO_AUTH_FOUND", "Wrong authorization data")
}
