package bitrix24_test

import (
	"errors"
	"net/http"
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

// refusing answers REST calls whose token refused says so in place of the portal, and counts
// them.
func (h *tokenHarness) refusing(status int, body string, refused func(request string) bool) *int {
	count := 0
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		if !strings.HasPrefix(r.URL.Path, "/rest/") || r.URL.Host != "company.bitrix24.com" {
			return nil
		}
		text := readBody(r)
		if r.Body = bodyOf(text); !refused(text) {
			return nil
		}
		count++
		return emulatortest.Response(status, body)
	})
	return &count
}

func (h *tokenHarness) refreshes() int { return h.Portal.Stats().Requests["oauth.token"] - 1 } // one was the code's exchange

func TestA401WithoutAReasonRefreshesOnce(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": "<html><h1>401 Unauthorized</h1></html>", "empty": "", "no code": `{"error":"","error_description":"Unauthorized"}`,
		"not found": `{"error":"","error_description":"Not found"}`, "unknown code": `{"error":"WHO_ARE_YOU","error_description":"x"}`, "cut": `{"error":"expi`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTokenHarness(t, emulator.Config{Leads: 3, Seed: 1})
				ids := sortedIDs(truth(t, h.Portal))
				old := h.store.grants[0].AccessToken.Reveal()
				refused := h.refusing(401, body, func(request string) bool { return strings.Contains(request, old) })
				snaps, err := h.client.Leads().Read(t.Context(), ids, draws())
				if err != nil || len(snaps) != 3 || snaps[0].Err != nil {
					t.Fatalf("%d snapshots, %v", len(snaps), err)
				}
				if h.refreshes() != 1 || *refused != 1 {
					t.Errorf("%d refreshes, %d refused", h.refreshes(), *refused)
				}
				// The new token expires in its turn.
				time.Sleep(10 * time.Minute)
				old = h.store.grants[0].AccessToken.Reveal()
				if err := h.call(t); err != nil || h.refreshes() != 2 {
					t.Errorf("later: %v, %d refreshes", err, h.refreshes())
				}
			})
		})
	}
}

// Where a new token is refused in the same way, the token is not the reason: no further call
// refreshes it, and the tokens stay.
func TestAWallThatAnswers401CostsOneRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{Leads: 3, Seed: 1})
		ids := sortedIDs(truth(t, h.Portal))
		wall := true
		h.refusing(401, "<html>Authorization required</html>", func(string) bool { return wall })
		for range 20 {
			if _, err := h.client.Call(t.Context(), "event.get", nil); err == nil || errors.Is(err, leads.ErrUnauthorized) {
				t.Fatalf("behind a wall: %v", err)
			}
			if _, err := h.client.Leads().Read(t.Context(), ids, draws()); !errors.Is(err, leads.ErrPortalRefuses) {
				t.Fatalf("behind a wall: %v", err)
			}
			time.Sleep(time.Minute)
		}
		if h.refreshes() != 1 {
			t.Errorf("%d refreshes", h.refreshes())
		}
		wall = false
		time.Sleep(10 * time.Minute)
		if _, err := h.client.Leads().Read(t.Context(), ids, draws()); err != nil || h.client.State().Problem != "" {
			t.Errorf("without the wall: %v", err)
		}
	})
}

// What the portal explains is taken as it says.
func TestA401WithAReasonRefreshesNothing(t *testing.T) {
	for _, body := range []string{
		`{"error":"METHOD_CONFIRM_WAITING","error_description":"Waiting for confirmation"}`, `{"error":"PAYMENT_REQUIRED"}`,
		`{"error":"insufficient_scope"}`, `{"error":"","error_description":"REST API is available only on commercial plans"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newTokenHarness(t, emulator.Config{})
			h.refusing(401, body, func(string) bool { return true })
			if err := h.call(t); err == nil || h.refreshes() != 0 {
				t.Errorf("%s: %v, %d refreshes", body, err, h.refreshes())
			}
		})
	}
	hook := fixed(401, "<html>")
	if _, err := hook.Call(t.Context(), "x", nil); bitrix24.ReactionTo(err) != bitrix24.Never || hook.Requests() != 1 {
		t.Errorf("a webhook: %v after %d requests", err, hook.Requests())
	}
}

// refusingCommands makes the portal refuse commands of batches whose request matches, inside
// an answer that accepts the batch; it counts the batches.
func (h *tokenHarness) refusingCommands(code string, refused func(request, command string) bool) *int {
	count, request := 0, ""
	refuse(h.Harness, code, "no", func(command string) bool { return refused(request, command) })
	answers := h.Transport.Intercept(nil)
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		if strings.HasSuffix(r.URL.Path, "batch") {
			count++
			request = readBody(r)
			r.Body = bodyOf(request)
		}
		return answers(r)
	})
	return &count
}

// Commands whose token is refused get what single calls get: a refreshed token, one that
// another process has stored, or another user's.
func TestCommandsAreTriedWithOtherTokens(t *testing.T) {
	for _, test := range []struct {
		code      string
		refreshes int
		abandoned bool
	}{
		{"expired_token", 1, false},
		{"invalid_token", 1, false},
		{"NO_AUTH_FOUND", 1, false},
		{"authorization_error", 0, true},
		{"user_access_error", 0, true},
	} {
		for _, part := range []bool{false, true} {
			t.Run(test.code+" of a part "+strconv.FormatBool(part), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newTokenHarness(t, emulator.Config{Leads: 5, Seed: 1})
					ids := sortedIDs(truth(t, h.Portal))
					other := h.Install(t)
					other.System = true // and so preferred
					h.store.save(other)
					bad, before := other.AccessToken.Reveal(), h.refreshes()
					first := "crm.lead.get?id=" + strconv.FormatInt(ids[0], 10)
					batches := h.refusingCommands(test.code, func(request, command string) bool {
						return strings.Contains(request, bad) && (!part || command != first)
					})
					snaps, err := h.client.Leads().Read(t.Context(), ids, draws())
					if err != nil || len(snaps) != 5 {
						t.Fatalf("%d snapshots, %v", len(snaps), err)
					}
					for _, s := range snaps {
						if s.Err != nil || s.Sight != leads.Present {
							t.Errorf("lead %d: %v", s.LeadID, s.Err)
						}
					}
					token, err := h.source.Token(t.Context())
					if err != nil || (token == h.store.at(h.store.grants[0].RefreshToken).AccessToken) != test.abandoned {
						t.Errorf("the other pair is used: %t, %v", !test.abandoned, err)
					}
					if n := h.refreshes() - before; n != test.refreshes || *batches > 5 {
						t.Errorf("%d refreshes, want %d; %d batches", n, test.refreshes, *batches)
					}
				})
			})
		}
	}
}

func TestCommandsUseAPairThatAnotherProcessStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{Leads: 5, Seed: 1})
		ids := sortedIDs(truth(t, h.Portal))
		if err := h.call(t); err != nil {
			t.Fatal(err)
		}
		bad := h.store.grants[0].AccessToken.Reveal()
		h.store.save(h.Install(t))
		before := h.refreshes()
		h.refusingCommands("expired_token", func(request, _ string) bool { return strings.Contains(request, bad) })
		snaps, err := h.client.Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != 5 || snaps[0].Err != nil || h.refreshes() != before {
			t.Errorf("%d snapshots, %v, %d refreshes", len(snaps), err, h.refreshes()-before)
		}
	})
}

// Where no pair is accepted, somebody must authorize again; the portal is not at fault.
func TestCommandsOfDeadTokensAskForAuthorization(t *testing.T) {
	for _, code := range []string{"NO_AUTH_FOUND", "authorization_error"} {
		synctest.Test(t, func(t *testing.T) {
			h := newTokenHarness(t, emulator.Config{Leads: 5, Seed: 1})
			ids := sortedIDs(truth(t, h.Portal))
			batches := h.refusingCommands(code, func(string, string) bool { return true })
			_, err := h.client.Leads().Read(t.Context(), ids, draws())
			if !errors.Is(err, leads.ErrUnauthorized) || errors.Is(err, leads.ErrPortalRefuses) || h.client.State().Problem != "" || *batches > 5 {
				t.Errorf("%s: %v, %d batches", code, err, *batches)
			}
		})
	}
}

// A lead for which alone the portal refuses the token costs neither the pair nor a refresh.
func TestALeadThatRefusesTokensIsToBlame(t *testing.T) {
	for _, code := range []string{"NO_AUTH_FOUND", "authorization_error", "expired_token"} {
		for _, count := range []int{1, 5} {
			synctest.Test(t, func(t *testing.T) {
				h := newTokenHarness(t, emulator.Config{Leads: 5, Seed: 1})
				ids := sortedIDs(truth(t, h.Portal))[:count]
				bad := "crm.lead.get?id=" + strconv.FormatInt(ids[0], 10)
				batches := h.refusingCommands(code, func(_, command string) bool { return command == bad })
				snaps, err := h.client.Leads().Read(t.Context(), ids, draws())
				if err != nil || len(snaps) != count || *batches > 14 {
					t.Fatalf("%s among %d: %d snapshots, %v, %d batches", code, count, len(snaps), err, *batches)
				}
				for _, s := range snaps {
					if (s.Err != nil) != (s.LeadID == ids[0]) {
						t.Errorf("%s among %d: lead %d: %v", code, count, s.LeadID, s.Err)
					}
				}
				if h.refreshes() != 0 || h.call(t) != nil {
					t.Errorf("%s: %d refreshes", code, h.refreshes())
				}
			})
		}
	}
}
