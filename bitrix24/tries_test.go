package bitrix24_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

// commandPortal answers each command of a batch with what say returns for it: a result, or a
// refusal, as JSON.
func commandPortal(say func(key string) (result, refusal string)) *bitrix24.Client {
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", Budget: bitrix24.NewBudget(true),
		HTTP: &http.Client{Transport: roundTripFunc(func(r *http.Request) *http.Response {
			var asked struct{ Cmd map[string]string }
			_ = json.Unmarshal([]byte(readBody(r)), &asked)
			results, refusals := map[string]json.RawMessage{}, map[string]json.RawMessage{}
			for key := range asked.Cmd {
				if result, refusal := say(key); refusal != "" {
					refusals[key] = json.RawMessage(refusal)
				} else {
					results[key] = json.RawMessage(result)
				}
			}
			body, _ := json.Marshal(map[string]any{"result": map[string]any{"result": results, "result_error": refusals}})
			return emulatortest.Response(200, string(body))
		})},
	})
}

const serverError = `{"error":"INTERNAL_SERVER_ERROR","error_description":"x"}`

// How often what fails is tried, and whom that blames.
func TestHowOftenCommandsAreTried(t *testing.T) {
	for name, test := range map[string]struct {
		ids      []int64
		say      func(key string) (result, refusal string)
		requests int64
		blamed   int // leads; -1 blames the portal
	}{
		"everything fails": {[]int64{1, 2}, func(string) (string, string) { return "", serverError }, 6, -1},
		"one of two fails": {[]int64{1, 2}, func(key string) (string, string) {
			if key == "l1" {
				return "", serverError
			}
			return `{"ID":"` + strings.TrimLeft(key, "l") + `"}`, ""
		}, 4, 1},
		"all leads fail, others do not": {[]int64{1, 2}, func(key string) (string, string) {
			if key[0] == 'l' && key != "list" {
				return "", serverError
			}
			return `[]`, `{"error":"","error_description":"Not found"}`
		}, 6, 2},
		"all are refused, and the witness fails": {[]int64{1, 2}, func(key string) (string, string) {
			if key[0] == 'l' && key != "list" {
				return "", `{"error":"NEW","error_description":"x"}`
			}
			return "", serverError
		}, 2, -1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := commandPortal(test.say)
				snaps, err := client.Leads().Read(t.Context(), test.ids, draws())
				blamed := 0
				for _, s := range snaps {
					if s.Err != nil {
						blamed++
					}
				}
				if err != nil {
					blamed = -1
				}
				if blamed != test.blamed || client.Requests() != test.requests || errors.Is(err, leads.ErrPortalRefuses) {
					t.Errorf("%d requests, want %d; %d leads blamed, want %d; %v", client.Requests(), test.requests, blamed, test.blamed, err)
				}
			})
		})
	}
}

// Answers that are useless in a different way each time are the portal's fault.
func TestDifferentComplaintsBlameThePortal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{Transport: roundTripFunc(func(*http.Request) *http.Response {
				n++
				return emulatortest.Response(510+n, "<html>"+strconv.Itoa(n))
			})},
		})
		if snaps, err := client.Leads().Read(t.Context(), []int64{1}, draws()); err == nil || client.Requests() != 6 {
			t.Errorf("%d snapshots, %v, after %d requests", len(snaps), err, client.Requests())
		}
	})
}

// A list in which no row has the id of a lead is not the end of the leads; one that lies
// beyond all ids is.
func TestAListWithoutLeadsIsNotTheEnd(t *testing.T) {
	const beyond = `{"ID":"2147483648"}`
	for row, ends := range map[string]bool{
		`{"ID":"x"}`: false, `{"ID":0}`: false, `7`: false, beyond: true, strings.Repeat(beyond+",", 49) + beyond: true,
	} {
		synctest.Test(t, func(t *testing.T) {
			client := commandPortal(func(string) (string, string) { return `[` + row + `]`, "" })
			page, err := client.Leads().Scan(t.Context(), 0, draws())
			if (err == nil && page.Last) != ends {
				t.Errorf("%s: %+v, %v", row, page, err)
			}
		})
	}
}

func TestPagesOfServersByStatus(t *testing.T) {
	for status, want := range map[int]bitrix24.Reaction{
		200: bitrix24.Repeat, 299: bitrix24.Repeat, 400: bitrix24.Never, 408: bitrix24.Repeat, 429: bitrix24.SlowDown, 499: bitrix24.Never,
		500: bitrix24.Repeat, 503: bitrix24.Repeat,
	} {
		synctest.Test(t, func(t *testing.T) {
			if _, err := fixed(status, "<html>").Call(t.Context(), "x", nil); bitrix24.ReactionTo(err) != want {
				t.Errorf("status %d: %v, reaction %d", status, err, bitrix24.ReactionTo(err))
			}
			if _, err := fixed(status, `{"error":"NEW"}`).Call(t.Context(), "x", nil); status >= 429 && (bitrix24.ReactionTo(err) == bitrix24.Never) != (status == 499) {
				t.Errorf("status %d with a new code: %v, reaction %d", status, err, bitrix24.ReactionTo(err))
			}
		})
	}
}

// Each refusal says what is wrong and who changes it, without waiting for anything.
func TestRefusalsSayWhatToDo(t *testing.T) {
	for _, test := range []struct{ code, text, words string }{
		{"insufficient_scope", "no", "tick CRM in the inbound webhook"},
		{"ERROR_METHOD_NOT_FOUND", "Method not found!", "CRM is switched on"},
		{"ACCESS_DENIED", "REST API is available only on commercial plans", "plan (tariff)"},
		{"ACCESS_DENIED", "Current user can't be authorized in this context", "may not read leads"},
		{"ACCESS_ERROR", "x", "may not read leads"},
		{"INVALID_CREDENTIALS", "x", "create an inbound webhook"},
		{"expired_token", "x", "create an inbound webhook"},
		{"OVERLOAD_LIMIT", "your plan", "support to unblock"},
		{"PORTAL_DELETED", "x", "was deleted"},
		{"SOMETHING_NEW", "x", "the reason SOMETHING_NEW is not one that leadsync knows"},
		{"", "who knows", "something else than Bitrix24"},
	} {
		synctest.Test(t, func(t *testing.T) {
			refusal, _ := json.Marshal(map[string]string{"error": test.code, "error_description": test.text})
			client := commandPortal(func(string) (string, string) { return "", string(refusal) })
			_, err := client.Leads().Read(t.Context(), []int64{1, 2}, draws())
			if !errors.Is(err, leads.ErrPortalRefuses) || !strings.Contains(err.Error(), test.words) || client.State().Problem != err.Error() {
				t.Errorf("%s %s: %v", test.code, test.text, err)
			}
		})
	}
}

// A lead that alone makes answers useless is asked for three times, with one harmless request.
func TestHowOftenAUselessLeadIsTried(t *testing.T) {
	for body, want := range map[string]int64{"": 4, "504": 3} {
		synctest.Test(t, func(t *testing.T) {
			client := bitrix24.NewClient(bitrix24.ClientConfig{
				Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{Transport: roundTripFunc(func(r *http.Request) *http.Response {
					switch sent := readBody(r); {
					case strings.Contains(sent, `"ask"`):
						return emulatortest.Response(200, `{"result":{"result":{"list":[]},"result_error":{"ask":{"error":"","error_description":"Not found"}}}}`)
					case body == "504":
						return emulatortest.Response(504, "")
					default:
						return emulatortest.Response(200, body)
					}
				})},
			})
			snaps, err := client.Leads().Read(t.Context(), []int64{1}, draws())
			if err != nil || len(snaps) != 1 || snaps[0].Err == nil || snaps[0].Sight != leads.Present || client.Requests() != want {
				t.Errorf("%q: %+v, %v, after %d requests", body, snaps, err, client.Requests())
			}
		})
	}
}

func TestABatchHasFiftyCommandsAtMost(t *testing.T) {
	var commands []bitrix24.Command
	for i := range 51 {
		commands = append(commands, bitrix24.Command{Key: "c" + strconv.Itoa(i), Method: "x"})
	}
	client := commandPortal(func(string) (string, string) { return "true", "" })
	if batch, err := client.Batch(t.Context(), commands[:50]); err != nil || len(batch.Results) != 50 {
		t.Errorf("fifty: %d results, %v", len(batch.Results), err)
	}
	if _, err := client.Batch(t.Context(), commands); err == nil || !strings.Contains(err.Error(), "51 commands") || client.Requests() != 1 {
		t.Errorf("fifty-one: %v, %d requests", err, client.Requests())
	}
}

func TestAnotherApplicationKeepsTheRest(t *testing.T) {
	own := tokenServer(`{"access_token":"a","refresh_token":"r"}`)
	if own.As("", "x") != own {
		t.Error("no other application is another")
	}
	pair, err := own.As("other", "secret").Refresh(t.Context(), emulatortest.OAuthURL, "old")
	if err != nil || pair.ClientID != "other" || own.ClientID != "c" {
		t.Errorf("%q, own %q, %v", pair.ClientID, own.ClientID, err)
	}
}
