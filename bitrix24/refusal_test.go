package bitrix24_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

// refuse answers the commands of a batch that match with an error, as the portal would.
func refuse(h *emulatortest.Harness, code, description string, match func(command string) bool) {
	alter(h, func(request string, status int, answer []byte) (int, []byte) {
		var asked struct{ Cmd map[string]string }
		var said struct {
			Result map[string]json.RawMessage `json:"result"`
			Time   json.RawMessage            `json:"time"`
		}
		if json.Unmarshal([]byte(request), &asked) != nil || json.Unmarshal(answer, &said) != nil {
			return status, answer
		}
		results, refusals := map[string]json.RawMessage{}, map[string]any{}
		_ = json.Unmarshal(said.Result["result"], &results)
		_ = json.Unmarshal(said.Result["result_error"], &refusals)
		for key, cmd := range asked.Cmd {
			if match(cmd) {
				delete(results, key)
				refusals[key] = map[string]string{"error": code, "error_description": description}
			}
		}
		out, _ := json.Marshal(map[string]any{"time": said.Time, "result": map[string]any{
			"result": results, "result_error": refusals, "result_time": said.Result["result_time"],
		}})
		return status, out
	})
}

func everyCommand(string) bool { return true }

func TestErrorsSayWhatThePortalSaid(t *testing.T) {
	for body, want := range map[string]string{
		`{"error":"error_argument","error_description":"is wrong"}`: "x: HTTP 400: ERROR_ARGUMENT: is wrong",
		`{"error":"","error_description":"Not found"}`:              "x: HTTP 400: Not found",
		`{"error":"NEW"}`: "x: HTTP 400: NEW",
		`{"error":"","error_description":"` + strings.Repeat("ж", 400) + `"}`: "x: HTTP 400: " + strings.Repeat("ж", 300),
	} {
		if _, err := fixed(400, body).Call(t.Context(), "x", nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	batch, err := fixed(200, `{"result":{"result":[],"result_error":{"a":{"error":"NEW","error_description":"d"}}}}`).Batch(t.Context(), []bitrix24.Command{{Key: "a", Method: "m"}})
	if err != nil || batch.Errors["a"].Error() != "m: NEW: d" {
		t.Errorf("a command: %v, %v", batch.Errors["a"], err)
	}
	batch, err = fixed(200, `{"result":{"result_error":{"a":{"error":"NEW","error_description":"d"}}}}`).Batch(t.Context(), []bitrix24.Command{{Key: "a", Method: "m"}})
	if err != nil || batch.Errors["a"].Error() != "m: NEW: d" {
		t.Errorf("without results: %v, %v", batch.Errors["a"], err)
	}
	for _, body := range []string{`{"result":{}}`, `{"result":{"ID":"1"}}`, `{"result":true}`} {
		var client *bitrix24.Client
		synctest.Test(t, func(t *testing.T) {
			client = fixed(200, body)
			batch, err = client.Batch(t.Context(), []bitrix24.Command{{Key: "a", Method: "m"}})
		})
		if err == nil || !strings.Contains(err.Error(), "the answer is not one to a batch") {
			t.Errorf("%s: %+v, %v", body, batch, err)
		}
	}
}

func TestPortalThatRefusesEverythingIsLeftAlone(t *testing.T) {
	long(t)
	tests := []struct{ code, text, words string }{
		{"insufficient_scope", "The request requires higher privileges than provided by the webhook token", "tick CRM in the inbound webhook"},
		{"ERROR_METHOD_NOT_FOUND", "Method not found!", "CRM is switched on"},
		{"ACCESS_DENIED", "REST API is available only on commercial plans", "plan"},
		{"ACCESS_DENIED", "REST API Available only on extended plans", "plan"},
		{"access_denied", "REST API доступен только на коммерческих тарифах", "plan"},
		{"PAYMENT_REQUIRED", "Subscription has been ended", "plan"},
		{"INVALID_CREDENTIALS", "Invalid request credentials", "create an inbound webhook"},
		{"authorization_error", "Unable to authorize user", "create an inbound webhook"},
		{"expired_token", "The access token provided has expired.", "create an inbound webhook"},
		{"OVERLOAD_LIMIT", "REST API is blocked due to overload", "support"},
		{"PORTAL_DELETED", "Portal was deleted", "deleted"},
		{"METHOD_CONFIRM_WAITING", "Waiting for confirmation", "administrator"},
		{"SOMETHING_NEW", "Nobody knows", "SOMETHING_NEW"},
	}
	for _, test := range tests {
		for _, outside := range []bool{false, true} {
			for _, count := range []int{1, 60} {
				t.Run(test.code+" outside "+strconv.FormatBool(outside)+" for "+strconv.Itoa(count), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						h := emulatortest.New(t, emulator.Config{Leads: 60, Seed: 1})
						ids := sortedIDs(truth(t, h.Portal))[:count]
						if outside {
							body, _ := json.Marshal(map[string]string{"error": test.code, "error_description": test.text})
							alter(h, func(string, int, []byte) (int, []byte) { return 403, body })
						} else {
							refuse(h, test.code, test.text, everyCommand)
						}
						client := h.Webhook(bitrix24.NewBudget(true))
						checkRefuses(t, h, client, ids, test.words)
					})
				})
			}
		}
	}
}

// checkRefuses reads while the portal refuses everything, and afterwards.
func checkRefuses(t *testing.T, h *emulatortest.Harness, client *bitrix24.Client, ids []int64, words string) {
	t.Helper()
	_, err := client.Leads().Read(t.Context(), ids, draws())
	var asks interface{ RetryAfter() time.Duration }
	if !errors.Is(err, leads.ErrPortalRefuses) || leads.MeaningOf(err) != leads.TryLater || errors.Is(err, leads.ErrRefused) ||
		!errors.As(err, &asks) || asks.RetryAfter() < 29*time.Second || asks.RetryAfter() > 31*time.Second {
		t.Fatalf("got %v, want the portal's refusal", err)
	}
	if text := err.Error(); !strings.Contains(text, words) || !strings.Contains(text, "company.bitrix24.com") ||
		strings.Contains(text, "oauth/start") || strings.Contains(text, "HTTP 0") {
		t.Errorf("it says %q", text)
	}
	state := client.State()
	if state.Problem == "" || state.ProblemSince.IsZero() {
		t.Errorf("the state is %q since %s", state.Problem, state.ProblemSince)
	}
	sent, begin := client.Requests(), time.Now()
	for time.Since(begin) < 10*time.Minute { // every lane asks all the time
		if _, err := client.In(bitrix24.Background).Leads().Scan(t.Context(), 0, draws()); !errors.Is(err, leads.ErrPortalRefuses) {
			t.Fatalf("after %s: %v", time.Since(begin), err)
		}
		if _, err := client.Clock(t.Context()); !errors.Is(err, leads.ErrPortalRefuses) {
			t.Fatalf("after %s: %v", time.Since(begin), err)
		}
		time.Sleep(5 * time.Second)
	}
	// Probes after 30 s, 1, 2, 4 and 5 minutes.
	if n := client.Requests() - sent; n < 4 || n > 5 {
		t.Errorf("%d requests within ten minutes", n)
	}
	h.Transport.Intercept(nil)
	time.Sleep(5 * time.Minute)
	snaps, err := client.Leads().Read(t.Context(), ids, draws())
	if err != nil || len(snaps) != len(ids) || client.State().Problem != "" {
		t.Errorf("refuses no more: %d snapshots, %v, problem %q", len(snaps), err, client.State().Problem)
	}
}

// A mixed batch, and a lead that alone is refused, say nothing about the portal.
func TestRefusedLeadsAloneAreToBlame(t *testing.T) {
	for _, code := range []string{"insufficient_scope", "ACCESS_DENIED", "SOMETHING_NEW", "NO_AUTH_FOUND", ""} {
		for _, count := range []int{1, 2, 50, 60} {
			t.Run(code+" among "+strconv.Itoa(count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := emulatortest.New(t, emulator.Config{Leads: 60, Seed: 1})
					ids := sortedIDs(truth(t, h.Portal))[:count]
					bad := map[int64]bool{ids[0]: true, ids[count/2]: true} // with two leads, all of them
					refuse(h, code, "out of order", func(cmd string) bool {
						for id := range bad {
							if cmd == "crm.lead.get?id="+strconv.FormatInt(id, 10) || strings.Contains(cmd+"&", "%5D="+strconv.FormatInt(id, 10)+"&") {
								return true
							}
						}
						return false
					})
					client := h.Webhook(bitrix24.NewBudget(true))
					snaps, err := client.Leads().Read(t.Context(), ids, draws())
					if err != nil || len(snaps) != count || client.State().Problem != "" {
						t.Fatalf("%d snapshots, %v, problem %q", len(snaps), err, client.State().Problem)
					}
					for _, s := range snaps {
						if (s.Err != nil) != bad[s.LeadID] {
							t.Errorf("lead %d: %v", s.LeadID, s.Err)
						}
					}
				})
			})
		}
	}
}

// gone is a portal that says of leads which are gone something else than "Not found".
func gone(t *testing.T, code, words string) (h *emulatortest.Harness, there, deleted []int64) {
	t.Helper()
	h = emulatortest.New(t, emulator.Config{Leads: 60, Seed: 1})
	ids := sortedIDs(truth(t, h.Portal))
	for _, id := range ids[:55] {
		if err := h.Portal.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	said, _ := json.Marshal(map[string]string{"error": code, "error_description": words})
	alter(h, func(_ string, status int, answer []byte) (int, []byte) {
		return status, bytes.ReplaceAll(answer, []byte(`{"error":"","error_description":"Not found"}`), said)
	})
	return h, ids[55:], ids[:55]
}

func TestNotFoundIsRecognisedHoweverItIsWritten(t *testing.T) {
	for _, said := range []struct{ code, words string }{
		{"", "Not found"},
		{"", "NOT FOUND."},
		{"", " Not  found!"},
		{"", "<b>Not found</b><br>"},
		{"", "Not&nbsp;found&#46;<br />"},
		{"", "Element not found"},
		{"", "Lead not found."},
		{"NOT_FOUND", "Element not found"},
		{"ERROR_NOT_FOUND", "Not found"},
		{"error_core", "Not found<br>"},
		{"", "Не найден"},
		{"", "Элемент не найден."},
		{"", "ЛИД НЕ НАЙДЕН"},
	} {
		t.Run(said.code+" "+said.words, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, _, deleted := gone(t, said.code, said.words)
				client := h.Webhook(bitrix24.NewBudget(true))
				snaps, err := client.Leads().Read(t.Context(), deleted[:3], draws())
				if err != nil || client.Requests() != 1 {
					t.Fatalf("%d requests, %v", client.Requests(), err)
				}
				for _, s := range snaps {
					if s.Sight != leads.Absent || s.Err != nil {
						t.Errorf("lead %d: sight %v, %v", s.LeadID, s.Sight, s.Err)
					}
				}
			})
		})
	}
}

// Words that nobody knows delete nothing, and they do not stop a portal that lists leads.
func TestUnknownWordsForNotFoundAreTheLeadsMatter(t *testing.T) {
	for _, said := range []struct{ code, words string }{
		{"", "Nicht gefunden"},
		{"", "Lead 7 could not be found"},
		{"", "Method not found"},
		{"ERROR_NOT_FOUND", "Company not found"},
		{"ERROR_NOT_FOUND", ""},
		{"ERROR_METHOD_NOT_FOUND", "Not found"},
		{"ACCESS_DENIED", "Not found"},
		{"SOMETHING_NEW", "Not found"},
		{"", "???"},
		{"", "<br>"},
		{"", "Not found in your plan"},
	} {
		for _, count := range []int{1, 55} {
			t.Run(said.code+" "+said.words+" for "+strconv.Itoa(count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h, there, deleted := gone(t, said.code, said.words)
					client := h.Webhook(bitrix24.NewBudget(true))
					snaps, err := client.Leads().Read(t.Context(), deleted[:count], draws())
					if err != nil || len(snaps) != count || client.State().Problem != "" {
						t.Fatalf("%d snapshots, %v, problem %q", len(snaps), err, client.State().Problem)
					}
					for _, s := range snaps {
						if s.Sight != leads.Present || s.Err == nil {
							t.Errorf("lead %d: sight %v, %v", s.LeadID, s.Sight, s.Err)
						}
					}
					snaps, err = client.Leads().Read(t.Context(), there, draws())
					if err != nil || len(snaps) != 5 || snaps[0].Err != nil {
						t.Errorf("the others: %d snapshots, %v", len(snaps), err)
					}
					if n := client.Requests(); n > 7 {
						t.Errorf("%d requests", n)
					}
				})
			})
		}
	}
}

// Without the list as a witness the same words are the portal's.
func TestUnknownWordsForEverythingAreThePortals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, deleted := gone(t, "", "Not found")
		refuse(h, "", "Nicht gefunden", everyCommand)
		client := h.Webhook(bitrix24.NewBudget(true))
		if snaps, err := client.Leads().Read(t.Context(), deleted[:3], draws()); !errors.Is(err, leads.ErrPortalRefuses) {
			t.Errorf("%d snapshots, %v", len(snaps), err)
		}
	})
}

// For an application, its own pages mend what is wrong, and dead tokens stay a matter of
// their source.
func TestApplicationsGetTheirOwnWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5, Seed: 1})
		grant := h.Install(t)
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: emulatortest.PortalURL + "/rest/", HTTP: h.HTTP(), Budget: bitrix24.NewBudget(true),
			Tokens: &bitrix24.TokenSource{MemberID: grant.MemberID, Server: emulatortest.OAuthURL, OAuth: h.OAuth(), Grants: &grants{grant: grant}},
		})
		ids := sortedIDs(truth(t, h.Portal))
		refuse(h, "insufficient_scope", "no", everyCommand)
		_, err := client.Leads().Read(t.Context(), ids, draws())
		if !errors.Is(err, leads.ErrPortalRefuses) || !strings.Contains(err.Error(), "/bitrix24/oauth/start?domain=company.bitrix24.com") {
			t.Errorf("got %v", err)
		}
		time.Sleep(time.Minute)
		refuse(h, "expired_token", "The access token provided has expired.", everyCommand)
		before := h.Portal.Stats().Requests["batch"]
		if _, err = client.Leads().Read(t.Context(), ids, draws()); err == nil {
			t.Error("an expired token was taken for an answer")
		}
		if n := h.Portal.Stats().Requests["batch"] - before; n > 4 {
			t.Errorf("%d requests", n)
		}
		alter(h, func(string, int, []byte) (int, []byte) { return 401, []byte(`{"error":"authorization_error"}`) })
		time.Sleep(5 * time.Minute)
		if _, err = client.Leads().Read(t.Context(), ids, draws()); !errors.Is(err, leads.ErrUnauthorized) || errors.Is(err, leads.ErrPortalRefuses) {
			t.Errorf("got %v, want %v", err, leads.ErrUnauthorized)
		}
	})
}

// A walk whose user may not read leads at all is the portal's matter.
func TestListsThatNobodyMayReadAreRefusedByThePortal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5, Seed: 1})
		refuse(h, "", "Access denied.", func(cmd string) bool { return strings.HasPrefix(cmd, "crm.lead.list") })
		client := h.Webhook(bitrix24.NewBudget(true))
		if _, err := client.Leads().Scan(t.Context(), 0, draws()); !errors.Is(err, leads.ErrPortalRefuses) || !strings.Contains(err.Error(), "Access permissions") {
			t.Errorf("got %v", err)
		}
	})
}

func TestLimitsInsideABatchCountLikeThoseOutside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 10, Seed: 1})
		ids := sortedIDs(truth(t, h.Portal))
		budget := bitrix24.NewBudget(true)
		client := h.Webhook(budget)
		var times []time.Time
		alter(h, func(_ string, status int, answer []byte) (int, []byte) {
			if times = append(times, time.Now()); len(times) > 3 {
				return status, answer
			}
			refusals := map[string]any{}
			for _, id := range ids {
				refusals["l"+strconv.FormatInt(id, 10)] = map[string]string{"error": "QUERY_LIMIT_EXCEEDED", "error_description": "Too many requests"}
			}
			body, _ := json.Marshal(map[string]any{"result": map[string]any{"result": []int{}, "result_error": refusals}})
			return 200, body
		})
		snaps, err := client.Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != 10 || len(times) != 4 {
			t.Fatalf("%d snapshots, %v, sent at %v", len(snaps), err, times)
		}
		for i, least := range []time.Duration{800 * time.Millisecond, 1700 * time.Millisecond, 3500 * time.Millisecond} {
			if pause := times[i+1].Sub(times[i]); pause < least {
				t.Errorf("pause %d is %s", i, pause)
			}
		}
		if state := budget.State(); state.Refusals != 3 || state.Share >= 1 || client.Refused() != 3 {
			t.Errorf("budget %+v, %d refused", state, client.Refused())
		}
		// One command of several: the others keep their answers, and the budget learns of it.
		refused := 0
		refuse(h, "QUERY_LIMIT_EXCEEDED", "Too many requests", func(cmd string) bool {
			if strings.HasSuffix(cmd, "="+strconv.FormatInt(ids[3], 10)) {
				refused++
				return refused == 1
			}
			return false
		})
		before := h.Portal.Stats().Commands["crm.lead.get"]
		snaps, err = client.Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != 10 || budget.State().Refusals != 4 || h.Portal.Stats().Commands["crm.lead.get"]-before != 11 {
			t.Errorf("%d snapshots, %v, %+v, %d commands", len(snaps), err, budget.State(), h.Portal.Stats().Commands["crm.lead.get"]-before)
		}
	})
}

func TestAuthorizationHostsCanBeAdded(t *testing.T) {
	const host = "oauth.bitrix24.info"
	_, err := bitrix24.Trust{}.AuthServer("https://" + host + "/rest/")
	if !errors.Is(err, bitrix24.ErrUntrusted) || !strings.Contains(err.Error(), host) || !strings.Contains(err.Error(), "LEADSYNC_B24_AUTH_HOSTS") {
		t.Errorf("the refusal says %v", err)
	}
	trust := bitrix24.Trust{AuthHosts: []string{host}}
	for _, named := range []string{"https://" + host + "/rest/", host, "https://OAuth.Bitrix24.info/rest/"} {
		if base, err := trust.AuthServer(named); err != nil || !strings.EqualFold(base, "https://"+host) {
			t.Errorf("%s: %s, %v", named, base, err)
		}
	}
	for _, bad := range []string{"http://" + host + "/rest/", "https://" + host + ".evil.example/", "https://" + host + "@evil.example/"} {
		if _, err := trust.AuthServer(bad); !errors.Is(err, bitrix24.ErrUntrusted) {
			t.Errorf("%s is trusted: %v", bad, err)
		}
	}
}

func TestEndpointsHaveOneSpelling(t *testing.T) {
	trust := bitrix24.Trust{Insecure: []string{"127.0.0.1:8924", "Emulator:8924"}}
	for named, want := range map[string]string{
		"http://Emulator:8924/rest/":         "http://Emulator:8924/rest/", // as it is listed, else it would not be trusted again
		"https://company.bitrix24.com/rest/": "https://company.bitrix24.com/rest/", "https://Company.Bitrix24.com:443/rest": "https://company.bitrix24.com/rest/",
		"https://company.bitrix24.com./rest/1/AbC//": "https://company.bitrix24.com/rest/1/AbC/", "https://crm.example.org:8443/rest/": "https://crm.example.org:8443/rest/",
		"http://127.0.0.1:8924/rest/": "http://127.0.0.1:8924/rest/",
	} {
		if got, err := trust.Endpoint(named); err != nil || got != want {
			t.Errorf("%s is %s, want %s; %v", named, got, want, err)
		}
	}
}
