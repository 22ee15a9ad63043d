package emulator_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// loginAs logs in as a user and returns his access token.
func (b *harness) loginAs(tb testing.TB, user string) string {
	tb.Helper()
	r := b.do(tb, http.MethodGet, b.info.Portal+"/oauth/authorize/?client_id="+b.info.ClientID+"&login="+user, "", "")
	to, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != http.StatusFound {
		tb.Fatalf("log-in as %s: %d %v %s", user, r.status, err, r.body)
	}
	token, _ := b.token(tb, "grant_type=authorization_code&code="+to.Query().Get("code")).tree["access_token"].(string)
	return token
}

func TestLoginPageOffersEveryUser(t *testing.T) {
	b := start(t, emulator.Config{AskLogin: true})
	b.Install("", "http://127.0.0.1/callback")
	page := b.info.Portal + "/oauth/authorize/"
	r := b.do(t, http.MethodGet, page+"?client_id="+b.info.ClientID, "", "")
	links := regexp.MustCompile(`href="([^"]+)"`).FindAllSubmatch(r.body, -1)
	if len(links) != 7 || strings.Count(string(r.body), "administrator") != 2 {
		t.Fatalf("%d links: %s", len(links), r.body)
	}
	went := 0
	for _, link := range links {
		if b.do(t, http.MethodGet, page+html.UnescapeString(string(link[1])), "", "").status == http.StatusFound {
			went++
		}
	}
	if went != 6 {
		t.Errorf("%d users may log in, want all but the dismissed one", went)
	}
}

func TestEachUserHasRightsOfHisOwn(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.Install("", "http://127.0.0.1/callback")
	for user, admin := range map[string]bool{"1": true, "7": false, "21": true} {
		token := b.loginAs(t, user)
		profile, _ := b.rest(t, token, "profile", "").tree["result"].(map[string]any)
		current, _ := b.rest(t, token, "user.current", "").tree["result"].(map[string]any)
		if profile["ID"] != user || current["ID"] != user || profile["ADMIN"] != admin {
			t.Errorf("user %s: %v %v", user, profile, current)
		}
		if got := b.rest(t, token, "user.admin", "").tree["result"]; got != admin {
			t.Errorf("user %s: user.admin %v", user, got)
		}
		for _, call := range [][2]string{ // in this order: what is bound twice is refused
			{"event.bind", "event=ONCRMLEADADD&event_type=offline"},
			{"event.offline.get", ""},
			{"event.unbind", "event=ONCRMLEADADD&event_type=offline"},
		} {
			method, form := call[0], call[1]
			if r := b.rest(t, token, method, form); (r.status == http.StatusOK) != admin {
				t.Errorf("user %s: %s %d %s", user, method, r.status, r.body)
			}
		}
	}
	employee := b.loginAs(t, "7")
	b.rest(t, employee, "event.bind", "event=ONCRMLEADADD&handler=http://127.0.0.1:1/x")
	if r := b.rest(t, employee, "event.get", ""); !strings.Contains(string(r.body), `"auth_type":"7"`) {
		t.Errorf("an employee's handler is not bound to himself: %s", r.body)
	}
}

func TestDismissedAndDemotedUsers(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true, LoginUser: 21})
	b.Install("", "http://127.0.0.1/callback")
	token := b.loginAs(t, "") // Config.LoginUser
	b.SetFaults(emulator.Faults{Demoted: 21})
	if got := b.rest(t, token, "user.admin", "").tree["result"]; got != false {
		t.Errorf("demoted: %v", got)
	}
	b.SetFaults(emulator.Faults{Dismissed: 21})
	b.rest(t, token, "profile", "").wantError(t, 401, "authorization_error", "Unable to authorize user")
	b.SetFaults(emulator.Faults{})
	if got := b.rest(t, token, "user.admin", "").tree["result"]; got != true {
		t.Errorf("afterwards: %v", got)
	}
	b.SetFaults(emulator.Faults{Dismissed: 1})
	b.hook(t, "profile", "").wantError(t, 401, "NO_AUTH_FOUND", "Wrong authorization data")
}

func TestEmployeesMaySeeOnlyTheirOwnLeads(t *testing.T) {
	b := start(t, emulator.Config{NoLimits: true})
	b.hook(t, "crm.lead.add", `{"fields":{"ASSIGNED_BY_ID":7}}`)
	b.hook(t, "crm.lead.add", `{"fields":{"ASSIGNED_BY_ID":9}}`)
	b.Install("", "http://127.0.0.1/callback")
	boss, clerk := b.loginAs(t, "1"), b.loginAs(t, "7")
	for _, on := range []bool{true, false} {
		b.SetFaults(emulator.Faults{OwnLeadsOnly: on})
		want := map[bool]int{true: 1, false: 2}[on]
		if n := len(b.rest(t, clerk, "crm.lead.list", "").rows(t)); n != want {
			t.Errorf("on %t: the employee sees %d leads", on, n)
		}
		if r := b.rest(t, clerk, "crm.lead.get", "id=2"); (r.status == http.StatusOK) == on {
			t.Errorf("on %t: somebody else's lead %d", on, r.status)
		}
		if n := len(b.rest(t, boss, "crm.lead.list", "").rows(t)); n != 2 {
			t.Errorf("on %t: the administrator sees %d leads", on, n)
		}
	}
}
