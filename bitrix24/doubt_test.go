package bitrix24_test

import (
	"errors"
	"net/http"
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
