package emulator_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

// TestSystemErrors has a line for each error of docs/bitrix24.md 3.4 that applies: what causes
// it.
func TestSystemErrors(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, text string
		cause      func(x *scenario) reply
	}{
		{401, "expired_token", "The access token provided has expired.", func(x *scenario) reply {
			x.b.ExpireTokens()
			return x.b.rest(x.t, x.token, "profile", "")
		}},
		{401, "NO_AUTH_FOUND", "Wrong authorization data", func(x *scenario) reply {
			return x.b.rest(x.t, "unknown", "profile", "")
		}},
		{401, "ERROR_OAUTH", "Application not installed", func(x *scenario) reply {
			x.b.Uninstall(false) // all its tokens become invalid
			return x.b.rest(x.t, x.token, "profile", "")
		}},
		{401, "NOT_INSTALLED", "Application not installed", func(x *scenario) reply {
			x.b.Uninstall(false)
			return x.b.do(x.t, http.MethodGet, x.b.info.OAuth+"/rest/app.info?auth="+x.token, "", "")
		}},
		{401, "NO_AUTH_FOUND", "Wrong authorization data", func(x *scenario) reply {
			x.b.Uninstall(false)
			x.b.Install("", "") // a new installation has new tokens
			return x.b.rest(x.t, x.token, "profile", "")
		}},
		{403, "ACCESS_DENIED", "Access denied!", func(x *scenario) reply {
			return x.b.rest(x.t, employee(x.t, x.b), "event.bind", "event=ONCRMLEADADD&event_type=offline")
		}},
		{403, "ACCESS_DENIED", "Access denied!", func(x *scenario) reply { // with another user's tokens
			return x.b.rest(x.t, employee(x.t, x.b), "event.bind", "event=ONCRMLEADADD&auth_type=1&handler=http://a.b/")
		}},
		{403, "WRONG_AUTH_TYPE", "Current authorization type is denied for this method", func(x *scenario) reply {
			return x.b.hook(x.t, "event.get", "")
		}},
		{404, "ERROR_METHOD_NOT_FOUND", "Method not found!", func(x *scenario) reply {
			return x.b.hook(x.t, "crm.lead.frobnicate", "")
		}},
		{400, "ERROR_ARGUMENT", "Argument 'cmd' is null or empty", func(x *scenario) reply {
			return x.b.hook(x.t, "batch", "{}")
		}},
		{500, "PORTAL_DELETED", "Portal was deleted", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Deleted: true})
			return x.b.hook(x.t, "profile", "")
		}},
		{503, "OVERLOAD_LIMIT", "REST API is blocked due to overload", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Overload: true})
			return x.b.hook(x.t, "profile", "")
		}},
		{503, "QUERY_LIMIT_EXCEEDED", "Too many requests", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Error503: 1})
			return x.b.hook(x.t, "profile", "")
		}},
		{429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Error429: 1})
			return x.b.hook(x.t, "profile", "")
		}},
		{500, "INTERNAL_SERVER_ERROR", "Internal server error", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Error500: 1})
			return x.b.hook(x.t, "profile", "")
		}},
		{401, "expired_token", "The access token provided has expired.", func(x *scenario) reply {
			x.b.SetFaults(emulator.Faults{Error401: 1})
			return x.b.rest(x.t, x.token, "profile", "")
		}},
		{401, "invalid_token", "Unable to get application by token", withFault("invalid_token")},
		{401, "authorization_error", "Unable to authorize user", withFault("authorization_error")},
		{401, "APPLICATION_NOT_FOUND", "Application not found", withFault("APPLICATION_NOT_FOUND")},
		{401, "ERROR_OAUTH", "Application not installed", withFault("ERROR_OAUTH")},
		{401, "PAYMENT_REQUIRED", "Subscription has been ended", withFault("PAYMENT_REQUIRED")},
		{401, "METHOD_CONFIRM_WAITING", "Waiting for confirmation", withFault("METHOD_CONFIRM_WAITING")},
		{403, "METHOD_CONFIRM_DENIED", "Method call denied", withFault("METHOD_CONFIRM_DENIED")},
		{403, "INVALID_CREDENTIALS", "Invalid request credentials", withFault("INVALID_CREDENTIALS")},
		{403, "user_access_error", "The user does not have access to the application.", withFault("user_access_error")},
		{403, "ACCESS_DENIED", "REST API is available only on commercial plans", withFault("ACCESS_DENIED")},
		{403, "allowed_only_intranet_user", "Allowed only for intranet users", withFault("allowed_only_intranet_user")},
		{403, "ACCESS_ERROR", "Access denied", withFault("ACCESS_ERROR")},
		{404, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available", withFault("ERROR_MANIFEST_IS_NOT_AVAILABLE")},
		{400, "INVALID_REQUEST", "Https required.", withFault("INVALID_REQUEST")},
		{500, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response", withFault("ERROR_UNEXPECTED_ANSWER")},
	} {
		t.Run(c.code, func(t *testing.T) {
			b := start(t, emulator.Config{Leads: 1, NoLimits: true})
			token, _ := b.authorize(t)
			c.cause(&scenario{t, b, token}).wantError(t, c.status, c.code, c.text)
			b.SetFaults(emulator.Faults{})
			if r := b.hook(t, "profile", ""); r.status != http.StatusOK {
				t.Errorf("after the fault: %d %s", r.status, r.body)
			}
		})
	}
}

func withFault(code string) func(*scenario) reply {
	return func(x *scenario) reply {
		x.b.SetFaults(emulator.Faults{Refuse: code})
		return x.b.rest(x.t, x.token, "profile", "")
	}
}

func TestInvalidCredentialsSwitch(t *testing.T) {
	b := start(t, emulator.Config{Switches: emulator.Switches{WebhookCredentials: true}})
	b.do(t, "GET", b.info.Portal+"/rest/1/wrong/profile", "", "").wantError(t, 403, "INVALID_CREDENTIALS", "Invalid request credentials")
}

func TestUnknownRefuseCodeIsNotSwallowed(t *testing.T) {
	b := start(t, emulator.Config{})
	if r := b.do(t, "PUT", b.info.Portal+"/_portal/faults", "", `{"refuse":"NO_SUCH_CODE"}`); r.status != http.StatusBadRequest {
		t.Errorf("%d %s", r.status, r.body)
	}
}

func TestBrokenAnswers(t *testing.T) {
	b := start(t, emulator.Config{Leads: 3, NoLimits: true})
	b.SetFaults(emulator.Faults{ErrorHTML: 1})
	if r := b.hook(t, "profile", ""); r.status != 500 || !strings.HasPrefix(string(r.body), "<html>") {
		t.Errorf("html: %d %s", r.status, r.body)
	}
	b.SetFaults(emulator.Faults{Error504: 1})
	if r := b.hook(t, "crm.lead.add", ""); r.status != 504 || len(truths(t, b.Portal)) != 4 {
		t.Errorf("504, the write has happened: %d, %d leads", r.status, len(truths(t, b.Portal)))
	}
	b.SetFaults(emulator.Faults{Truncate: 1})
	if r := b.hook(t, "crm.lead.get", `{"id":1}`); r.tree != nil || !bytes.HasPrefix(r.body, []byte(`{"result":{"ID":"1"`)) {
		t.Errorf("truncated: %s", r.body)
	}
	b.SetFaults(emulator.Faults{Reset: 1})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.info.Webhook+"crm.lead.add", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := b.client.Do(req); err == nil {
		resp.Body.Close()
		t.Errorf("the connection is not broken: %s", resp.Status)
	}
	if n := len(truths(t, b.Portal)); n != 5 {
		t.Errorf("%d leads after the reset, the write has not happened", n)
	}
	b.SetFaults(emulator.Faults{RenamedTo: "https://new.example.com"})
	if r := b.hook(t, "profile", ""); r.status != 302 || !strings.HasPrefix(r.header.Get("Location"), "https://new.example.com/rest/1/") {
		t.Errorf("renamed: %d %s", r.status, r.header.Get("Location"))
	}
	b.SetFaults(emulator.Faults{TokenError503: 1})
	if r := b.token(t, "grant_type=refresh_token&refresh_token=x"); r.status != 503 {
		t.Errorf("token: %d", r.status)
	}
	b.SetFaults(emulator.Faults{CommandLimit: 1})
	if r := b.hook(t, "batch", `{"cmd":{"a":"profile"}}`); !strings.Contains(string(r.body), "OPERATION_TIME_LIMIT") || r.status != 200 {
		t.Errorf("limit in a batch: %s", r.body)
	}
}

func TestWallOfSixtySeconds(t *testing.T) {
	b := start(t, emulator.Config{Leads: 60, NoLimits: true, PageCost: 2 * time.Second, Wall: 5 * time.Second})
	if r := b.hook(t, "batch", `{"cmd":{"a":"crm.lead.list","b":"crm.lead.list"}}`); r.status != 200 {
		t.Errorf("within the wall: %d", r.status)
	}
	if r := b.hook(t, "batch", `{"cmd":{"a":"crm.lead.list","b":"crm.lead.list","c":"crm.lead.list"}}`); r.status != 504 {
		t.Errorf("beyond the wall: %d", r.status)
	}
}

func TestSlowAnswersEndWithTheCaller(t *testing.T) {
	b := start(t, emulator.Config{Faults: emulator.Faults{SlowMS: 3_600_000}})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.info.Webhook+"profile", nil)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(10*time.Millisecond, cancel)
	if resp, err := b.client.Do(req); err == nil {
		resp.Body.Close()
		t.Error("answered:", resp.Status)
	} // and Close, in the cleanup, does not wait for an hour
}

func TestHiddenLeadsVanishFromListsAndAreDeniedByGet(t *testing.T) {
	b := start(t, emulator.Config{Leads: 100, Seed: 2, NoLimits: true})
	b.SetFaults(emulator.Faults{Hidden: 0.3})
	seen := map[any]bool{}
	for _, start := range []string{"0", "50"} {
		for _, row := range b.hook(t, "crm.lead.list", `{"select":["ID"],"start":`+start+`}`).rows(t) {
			seen[row["ID"]] = true
		}
	}
	denied := 0
	for _, lead := range truths(t, b.Portal) { // the truth does not hide them
		r := b.hook(t, "crm.lead.get", `{"id":`+lead.values("ID")[0]+`}`)
		if r.status == http.StatusOK != seen[lead["ID"]] {
			t.Errorf("lead %v: in lists %t, get %d", lead["ID"], seen[lead["ID"]], r.status)
		}
		if r.status != http.StatusOK {
			r.wantError(t, 400, "", "Access denied.")
			denied++
		}
	}
	if denied < 15 || denied > 45 {
		t.Errorf("%d of 100 denied", denied)
	}
}

func TestCallbackFaults(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 5, NoLimits: true}), receive(t)
	b.bind(t, r)
	b.SetFaults(emulator.Faults{WrongToken: 1})
	b.MassEdit(1)
	if f := b.drain(t, r)[0]; f.Get("auth[application_token]") == b.info.ApplicationToken || len(f.Get("auth[application_token]")) != 32 {
		t.Errorf("wrong token: %s", f.Get("raw"))
	}
	b.SetFaults(emulator.Faults{NoUser: 1})
	b.MassEdit(1)
	if f := b.drain(t, r)[0]; f.Has("auth[access_token]") || f.Get("auth[application_token]") != b.info.ApplicationToken {
		t.Errorf("no user: %s", f.Get("raw"))
	}
}

func TestReorderedCallbacksComeAfterLaterOnes(t *testing.T) {
	b, r := start(t, emulator.Config{Leads: 5, NoLimits: true, Delay: time.Millisecond, DelayMax: time.Millisecond}), receive(t)
	b.bind(t, r)
	b.SetFaults(emulator.Faults{Reorder: 1})
	late := b.Add(1)[0]
	b.SetFaults(emulator.Faults{})
	early := b.Add(1)[0]
	forms := b.drain(t, r)
	if len(forms) != 2 || forms[0].Get("data[FIELDS][ID]") != jsonText(t, early) || forms[1].Get("data[FIELDS][ID]") != jsonText(t, late) {
		t.Errorf("%v", forms)
	}
}

func TestMergeMovesTheContacts(t *testing.T) {
	b, r := start(t, emulator.Config{NoLimits: true}), receive(t)
	b.hook(t, "crm.lead.add", `{"fields":{"PHONE":[{"VALUE":"1"}]}}`)
	b.hook(t, "crm.lead.add", `{"fields":{"PHONE":[{"VALUE":"2"}],"EMAIL":[{"VALUE":"a@b.c"}]}}`)
	b.OutgoingWebhook(r.URL)
	b.control(t, "POST", "merge", `{"keep":1,"drop":2}`)
	all := truths(t, b.Portal)
	if len(all) != 1 || len(all[0].values("PHONE")) != 2 || all[0].values("EMAIL")[0] != "a@b.c" {
		t.Errorf("%v", all)
	}
	if forms := b.drain(t, r); len(forms) != 2 {
		t.Errorf("%d callbacks", len(forms))
	}
}
