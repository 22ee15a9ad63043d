package handlers_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

func TestAnySpellingOfThePathIsServed(t *testing.T) {
	h := open(t, func(h *harness) { h.cfg.PublicURL = "https://example.com/Leads/" })
	h.installed()
	info := h.portal.Info()
	for i, path := range []string{
		"/bitrix24/events", "/bitrix24/events/", "//bitrix24/events", "/bitrix24//events", "/bitrix24/events//", "/./bitrix24/./events",
		"/bitrix24%2Fevents", "/bitrix24/%65vents", "/%62itrix24/events%2f", "/Bitrix24/Events", "/BITRIX24/EVENTS/", "/bitrix24/events%20",
		"/bitrix24/events?", "/bitrix24/events/?x=1", "/leads/bitrix24/events", "/Leads//bitrix24/events/", "/bitrix24/oauth/callback",
		"/bitrix24/events.", "/bitrix24/events...", "/bitrix24./events,", "/bitrix24/events/index.php", "/leads/Bitrix24/Events/Index.php/",
		"/bitrix24/events%C2%BB", "/bitrix24/events%22", "/bitrix24/events%C2%A0", "/bitrix24/%E2%80%8Bevents%E2%80%8B", "/bitrix24%252Fevents", "/bitrix24%5Cevents",
		"/bitrix24/oauth/start", "/bitrix24/oauth/start/?domain=p.bitrix24.ru",
	} {
		before := h.messages(events.StreamNotices)
		response, text := h.send(http.MethodPost, path, callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, strconv.Itoa(i+1)))
		if response.StatusCode != http.StatusOK || text != "" || h.messages(events.StreamNotices) != before+1 {
			t.Errorf("%s is answered %d %q %s", path, response.StatusCode, text, response.Header.Get("Location"))
		}
	}
	if status, text := h.get("//bitrix24/oauth//Start/?domain=" + host(t, info.Portal)); status != http.StatusOK || linkIn(text) == "" {
		t.Errorf("the log-in is answered %d: %s", status, text)
	}
}

// The public face has no other page, by no spelling, not even for those who have a token.
func TestPublicFaceHasNoOperatorsPage(t *testing.T) {
	h := open(t, func(h *harness) { h.cfg.Calls = nil })
	for _, path := range []string{
		"/metrics", "/readyz", "/asyncapi.yaml", "/schemas/change.json", "/login", "/logout", "/api/v1/status", "/api/v1/lookup?phone=1234567", "/card?phone=1234567&token=" + cardToken,
		"//metrics", "/METRICS", "/readyz/", "/bitrix24/../metrics", "/bitrix24/%2e%2e/readyz", "/x/../bitrix24/events", "/Card",
		"/metrics.", "/readyz/index.php", "/%2Fmetrics", "/bitrix24/%252e%252e/metrics", "/bitrix24/.../metrics", "/", "/static/console.css",
	} {
		if response, text := h.send(http.MethodGet, path, "", "Authorization", "Bearer "+operatorToken); response.StatusCode != http.StatusNotFound || text != "" && !strings.HasPrefix(text, "Nothing here. ") {
			t.Errorf("%s is answered %d %q", path, response.StatusCode, text)
		}
	}
	if status, _ := h.get("/healthz"); status != http.StatusOK {
		t.Errorf("health is answered %d", status)
	}
}

func TestWhatGoesAstrayIsCounted(t *testing.T) {
	h := open(t, nil)
	robot := url.Values{
		"auth[member_id]": {h.portal.Info().MemberID}, "auth[domain]": {"p.bitrix24.ru"}, "document_id[0]": {"crm"}, "document_id[1]": {"CCrmDocumentLead"}, "document_id[2]": {"LEAD_15"},
	}.Encode()
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		reason                   portals.Reason
	}{
		{"a path that there is not", "POST", "/bitrix24/event", "a=b", 404, portals.UnknownPath},
		{"one below a path", "POST", "/bitrix24/events/x", "a=b", 404, portals.UnknownPath},
		{"the folder", "GET", "/bitrix24/", "", 404, portals.UnknownPath},
		{"a callback by GET", "GET", "/bitrix24/events", "", 405, portals.WrongMethod},
		{"a callback by PUT", "PUT", "/bitrix24/events", "a=b", 405, portals.WrongMethod},
		{"a method that nobody knows", "BREW", "/bitrix24/events", "", 405, portals.WrongMethod},
		{"a log-in by POST", "POST", "/bitrix24/oauth/start?domain=company.bitrix24.com", "a=b", 405, portals.WrongMethod},
		{"a log-in's end by HEAD", "HEAD", "/bitrix24/oauth/callback", "", 405, portals.WrongMethod},
		{"a robot", "POST", "/bitrix24/events", robot, 400, portals.RobotWebhook},
		{"a robot with empty brackets", "POST", "/bitrix24/events", "document_id[]=crm&document_id[]=CCrmDocumentLead", 400, portals.RobotWebhook},
		{"a robot by its address", "POST", "/bitrix24/events?document_id%5B0%5D=crm", "", 400, portals.RobotWebhook},
		{"a robot at the log-in", "POST", "/bitrix24/oauth/start", robot, 400, portals.RobotWebhook},
		{"a robot at another address", "POST", "/bitrix24/oauth/callback", robot, 400, portals.RobotWebhook},
		{"a robot nowhere", "POST", "/bitrix24/robot", robot, 400, portals.RobotWebhook},
		{"a robot at the root", "POST", "/", robot, 400, portals.RobotWebhook},
		{"a form of nobody", "POST", "/bitrix24/events", "foo=bar", 400, portals.Unparsable},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.refused(test.reason)
			response, text := h.send(test.method, test.path, test.body)
			if response.StatusCode != test.status || text == "" && test.method != http.MethodHead {
				t.Errorf("answered %d %q", response.StatusCode, text)
			}
			if h.refused(test.reason) != before+1 {
				t.Errorf("counted %v", h.stats.Refused())
			}
			if test.status == 405 && response.Header.Get("Allow") == "" {
				t.Error("it does not say which method is allowed")
			}
			if !strings.Contains(h.log.String(), "reason="+test.reason.String()) {
				t.Errorf("not logged: %s", h.log)
			}
		})
	}
	before := strings.Count(h.log.String(), "\n")
	for range 20 {
		h.post(robot)
	}
	if n := strings.Count(h.log.String(), "\n") - before; n != 0 {
		t.Errorf("20 more within a minute make %d lines", n)
	}
	h.clock.Advance(time.Minute)
	if h.post(robot); !strings.Contains(h.log.String(), "count=27") {
		t.Errorf("a minute later: %s", h.log)
	}
	if !strings.Contains(h.log.String(), "domain=p.bitrix24.ru") {
		t.Errorf("the log does not say whose robot: %s", h.log)
	}
	if n := h.messages(events.StreamNotices); n != 0 {
		t.Errorf("%d were obeyed", n)
	}
}

// A callback that is posted to a wrong address is lost. Bitrix24 does not say so to anybody.
func TestCallbacksAtWrongAddressesAreCounted(t *testing.T) {
	h := open(t, nil)
	h.installed()
	info := h.portal.Info()
	genuine := callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "1")
	paths := []string{
		"/", "/events", "/index.php", "/bitrix24", "/bitrix24/", "/bitrix24/event", "/bitrix24/events/x", "/bitrix24/..", "/leads/bitrix24/events",
		"/healthz", "/readyz", "/metrics", "/card", "/api/v1/lookup", "/api/v1/leads/a/1",
	}
	for i, path := range paths {
		response, text := h.send(http.MethodPost, path, genuine)
		if response.StatusCode != http.StatusNotFound || !strings.HasPrefix(text, "Events go to another address. ") || h.refused(portals.WrongAddress) != int64(i+1) {
			t.Errorf("%s is answered %d %q, counted %v", path, response.StatusCode, text, h.stats.Refused())
		}
	}
	h.send(http.MethodPost, "/", "event=onCrmLeadAdd")
	h.send(http.MethodPut, "/hook", genuine)
	lines := func() int { return strings.Count(h.log.String(), "reason=wrong_address") }
	if n := lines(); n != 1 {
		t.Errorf("%d lines in the log: %s", n, h.log)
	}
	h.clock.Advance(time.Minute)
	h.send(http.MethodPost, "/hook", genuine)
	if n := lines(); n != 2 || !strings.Contains(h.log.String(), "count="+strconv.Itoa(len(paths)+2)) {
		t.Errorf("%d lines in the log a minute later: %s", n, h.log)
	}
	for _, want := range []string{`posted to \"/\"`, `posted to \"/hook\"`, "want https://leads.example.com/bitrix24/events", "domain=anywhere.example.com"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("the log lacks %s: %s", want, h.log)
		}
	}
	if strings.Contains(h.log.String(), info.ApplicationToken) || h.messages(events.StreamNotices) != 0 {
		t.Errorf("the log shows a token, or one was obeyed: %s", h.log)
	}
}

// Scanners post to everything, and so do load balancers.
func TestOtherFormsAtOtherAddressesAreNobodys(t *testing.T) {
	h := open(t, nil)
	for path, status := range map[string]int{"/": 404, "/events": 404, "/card": 405, "/healthz": 200, "/readyz": 404} {
		for _, body := range []string{"", "a=b", "event=click", "data=ONCRMLEADADD", "%zz", `{"event":1}`} {
			if response, _ := h.send(http.MethodPost, path, body); response.StatusCode != status {
				t.Errorf("%q at %s is answered %d", body, path, response.StatusCode)
			}
		}
	}
	if counted := h.stats.Refused(); len(counted) != 0 || strings.Contains(h.log.String(), "refused") {
		t.Errorf("counted %v: %s", counted, h.log)
	}
}

func TestOpenedApplicationPageSaysWhatToTick(t *testing.T) {
	longest := strings.Repeat("a.", 125) + "com"
	const frame = "DOMAIN=p.bitrix24.ru&PROTOCOL=1&APP_SID=sid"
	body := url.Values{
		"AUTH_ID": {"secretaccess"}, "REFRESH_ID": {"secretrefresh"}, "AUTH_EXPIRES": {"3600"}, "member_id": {"m"}, "PLACEMENT": {"DEFAULT"},
	}.Encode()
	h := open(t, nil)
	for _, test := range []struct{ name, method, path, body, accept, language, frame string }{
		{"callbacks' address", "POST", "/bitrix24/events?" + frame + "&LANG=ru", body, "", "ru", "https://p.bitrix24.ru"},
		{"in English", "POST", "/bitrix24/events?" + frame + "&LANG=en", body, "ru-RU", "en", "https://p.bitrix24.ru"},
		{"in German", "POST", "/bitrix24/events?" + frame + "&LANG=de", body, "", "en", "https://p.bitrix24.ru"},
		{"in Belarus", "POST", "/bitrix24/events?" + frame + "&LANG=by", body, "", "ru", "https://p.bitrix24.ru"},
		{"the browser's language", "POST", "/bitrix24/events?" + frame, body, "ru-RU,ru;q=0.9,en;q=0.8", "ru", "https://p.bitrix24.ru"},
		{"the browser's English", "POST", "/bitrix24/events?" + frame, body, "en,ru", "en", "https://p.bitrix24.ru"},
		{"by GET", "GET", "/bitrix24/events?" + frame + "&AUTH_ID=secretaccess", "", "", "en", "https://p.bitrix24.ru"},
		{"log-in's end", "POST", "/bitrix24/oauth/callback?" + frame, body, "", "en", "https://p.bitrix24.ru"},
		{"log-in's end by GET", "GET", "/bitrix24/oauth/callback?" + frame, "", "", "en", "https://p.bitrix24.ru"},
		{"log-in's start", "POST", "/bitrix24/oauth/start?" + frame, body, "", "en", "https://p.bitrix24.ru"},
		{"an unknown path", "POST", "/bitrix24/app?" + frame, body, "", "en", "https://p.bitrix24.ru"},
		{"the root", "POST", "/?" + frame, body, "", "en", "https://p.bitrix24.ru"},
		{"a page of their own", "POST", "/index.php", body, "", "en", "https:"},
		{"the portal's name alone", "GET", "/bitrix24/events?DOMAIN=p.bitrix24.ru", "", "", "en", "https://p.bitrix24.ru"},
		{"the application alone", "GET", "/bitrix24/events?APP_SID=sid", "", "", "en", "https:"},
		{"a token alone", "POST", "/bitrix24/events", "AUTH_ID=secretaccess", "", "en", "https:"},
		{"the other token alone", "POST", "/bitrix24/events", "REFRESH_ID=secretrefresh", "", "en", "https:"},
		{"a placement alone", "POST", "/bitrix24/events", "PLACEMENT=DEFAULT", "", "en", "https:"},
		{"plain http", "POST", "/?DOMAIN=10.0.0.1:8080&PROTOCOL=0", body, "", "en", "http://10.0.0.1:8080"},
		{"the longest name", "POST", "/?DOMAIN=" + longest, body, "", "en", "https://" + longest},
		{"a name that is too long", "POST", "/?DOMAIN=x" + longest, body, "", "en", "https:"},
		{"somebody who writes policies", "POST", "/?DOMAIN=" + url.QueryEscape("x *; script-src *"), body, "", "en", "https:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := h.refused(portals.ApplicationPage)
			response, text := h.send(test.method, test.path, test.body, "Accept-Language", test.accept)
			if response.StatusCode != http.StatusOK || !strings.Contains(text, "API") || !strings.Contains(text, `<html lang="`+test.language+`">`) ||
				strings.Contains(text, "Отметьте") != (test.language == "ru") {
				t.Errorf("answered %d: %s", response.StatusCode, text)
			}
			if policy := response.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "; frame-ancestors "+test.frame) {
				t.Errorf("policy %q", policy)
			}
			if h.refused(portals.ApplicationPage) != before+1 {
				t.Errorf("counted %v", h.stats.Refused())
			}
			if strings.Contains(text+h.log.String(), "secret") {
				t.Error("a token is shown")
			}
		})
	}
	if n := strings.Count(h.log.String(), "Uses API only"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, h.log)
	}
	if len(h.portals()) != 0 {
		t.Error("it was obeyed")
	}
}

func TestPeopleWhoOpenAnAddressReadSomething(t *testing.T) {
	h := open(t, nil)
	for path, want := range map[string]string{"/bitrix24/events": "Это адрес для Битрикс24", "/bitrix24/x": "Здесь ничего нет"} {
		response, text := h.send(http.MethodGet, path, "", "Accept", "text/html,*/*", "Accept-Language", "ru")
		if !strings.Contains(text, want) || !strings.Contains(response.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: %s", path, text)
		}
	}
}

func TestALesserUserReadsWhy(t *testing.T) {
	h := open(t, nil)
	h.installed()
	p := h.portals()[0]
	p.UserID, p.TokenHash = 41, ""
	if err := h.db.SavePortal(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	back := h.begin()
	h.registry.OAuth.HTTP.Transport = lesser{http.DefaultTransport}
	response, text := h.send(http.MethodGet, path(back), "", "Accept-Language", "ru")
	if response.StatusCode != http.StatusForbidden || !strings.Contains(text, "администратор") || !strings.Contains(linkIn(text), "/bitrix24/oauth/start?domain="+url.QueryEscape(p.Domain)) {
		t.Errorf("answered %d: %s", response.StatusCode, text)
	}
	if _, known, err := h.db.Grant(t.Context(), p.MemberID); err != nil || known {
		t.Errorf("the tokens were stored: %v", err)
	}
}

// lesser is a portal whose users are no administrators.
type lesser struct{ http.RoundTripper }

func (l lesser) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil && strings.HasSuffix(r.URL.Path, "/user.admin") {
		_ = response.Body.Close()
		return emulatortest.Response(http.StatusOK, `{"result":false,"time":{}}`), nil
	}
	return response, err
}

// Callbacks of a portal that has only logged in wait unverified, by the whole way.
func TestUnlearntPortalsCallbacksAreStoredUnverified(t *testing.T) {
	var kept []events.Entry
	h := open(t, func(h *harness) {
		h.cfg.Store = func(_ context.Context, e events.Entry) error {
			kept = append(kept, e)
			return nil
		}
	})
	h.installed()
	p := h.portals()[0]
	p.TokenHash = ""
	if err := h.db.SavePortal(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if status, _ := h.post(callback("ONCRMLEADADD", p.MemberID, "t", "7")); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	if len(kept) != 1 || kept[0].MemberID != p.MemberID || kept[0].TokenHash != leads.HashToken("t") {
		t.Errorf("stored %+v", kept)
	}
}
