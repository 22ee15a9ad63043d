package bitrix24_test

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"slices"
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

// long skips a test of thousands of leads with -short: the race detector takes minutes for it,
// and the same code runs under it with fewer leads.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped because of -short: it reads thousands of leads")
	}
}

// alter changes the portal's answers to batches; change gets the request's body and the answer.
func alter(h *emulatortest.Harness, change func(request string, status int, answer []byte) (int, []byte)) {
	direct := emulatortest.NewTransport(h.Portal)
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		if !strings.HasSuffix(r.URL.Path, "batch") {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return emulatortest.Response(500, "")
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := direct.RoundTrip(r)
		if err != nil {
			return emulatortest.Response(500, "")
		}
		answer, _ := io.ReadAll(resp.Body)
		status, answer := change(string(body), resp.StatusCode, answer)
		return emulatortest.Response(status, string(answer))
	})
}

// poison makes every answer useless that contains one of these leads with a card; if bare is
// set, one of their ids alone too.
func poison(h *emulatortest.Harness, ids []int64, bare bool, instead func([]byte) (int, []byte)) {
	alter(h, func(_ string, status int, answer []byte) (int, []byte) {
		for _, id := range ids {
			mark := `{"ID":"` + strconv.FormatInt(id, 10) + `"`
			if bytes.Contains(answer, []byte(mark+`,"TITLE"`)) || bare && bytes.Contains(answer, []byte(mark+`}`)) {
				return instead(answer)
			}
		}
		return status, answer
	})
}

// The ways in which one lead spoils the answer to a whole batch.
var spoilt = map[string]func([]byte) (int, []byte){
	"empty":   func([]byte) (int, []byte) { return 200, nil },
	"false":   func([]byte) (int, []byte) { return 200, []byte("false") },
	"cut":     func(b []byte) (int, []byte) { return 200, b[:len(b)/2] },
	"500":     func([]byte) (int, []byte) { return 500, []byte(`{"error":"INTERNAL_SERVER_ERROR"}`) },
	"502":     func([]byte) (int, []byte) { return 502, []byte("<html>bad gateway</html>") },
	"403":     func([]byte) (int, []byte) { return 403, []byte("<html>blocked by the firewall</html>") },
	"504":     func([]byte) (int, []byte) { return 504, nil },
	"warning": func([]byte) (int, []byte) { return 200, []byte("<b>Fatal error</b>: Allowed memory size {exhausted}") },
}

func TestScanNamesTheLeadsThatSpoilBatches(t *testing.T) {
	long(t)
	for _, name := range []string{"empty", "cut", "502"} {
		instead := spoilt[name]
		for _, bare := range []bool{false, true} {
			t.Run(name+" bare "+strconv.FormatBool(bare), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := emulatortest.New(t, emulator.Config{Leads: 1000, Seed: 1})
					ids := sortedIDs(truth(t, h.Portal))
					bad := []int64{ids[100], ids[420], ids[997]}
					poison(h, bad, bare, instead)
					client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
					good, odd := scanBoth(t, client)
					if len(good) != 997 || !slices.Equal(odd, bad) {
						t.Errorf("%d good leads, odd ones %v, want 997 and %v", len(good), odd, bad)
					}
					if n := client.Requests(); n > 120 {
						t.Errorf("%d requests, at most 120 are needed", n)
					} else {
						t.Logf("%d requests", n)
					}
				})
			})
		}
	}
}

// scanBoth walks over all leads and returns the ids of those that could be read, and of those
// that could not.
func scanBoth(tb testing.TB, client *bitrix24.Client) (good, odd []int64) {
	tb.Helper()
	for after, last := int64(0), false; !last && after < leads.MaxID; {
		page, err := client.Leads().Scan(tb.Context(), after, draws())
		if err != nil {
			tb.Fatal(err)
		}
		for _, s := range page.Snapshots {
			if s.Err != nil {
				odd = append(odd, s.LeadID)
			} else {
				good = append(good, s.LeadID)
			}
		}
		after, last = page.UpTo, page.Last
	}
	return good, odd
}

func TestReadBlamesOnlyTheLeadThatSpoilsBatches(t *testing.T) {
	for name, instead := range spoilt {
		for _, count := range []int{1, 4, 50, 120} {
			t.Run(name+" among "+strconv.Itoa(count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := emulatortest.New(t, emulator.Config{Leads: count, Seed: 1})
					ids := sortedIDs(truth(t, h.Portal))
					bad := ids[count/3]
					poison(h, []int64{bad}, true, instead)
					client, begin := h.Webhook(bitrix24.NewBudget(true)), time.Now()
					snaps, err := client.Leads().Read(t.Context(), ids, draws())
					if err != nil || len(snaps) != count {
						t.Fatalf("%d snapshots, %v", len(snaps), err)
					}
					for _, s := range snaps {
						if (s.Err != nil) != (s.LeadID == bad) || s.Sight != leads.Present || s.Ticket == 0 {
							t.Errorf("lead %d: %v, sight %d, ticket %d", s.LeadID, s.Err, s.Sight, s.Ticket)
						}
					}
					if n := client.Requests(); n > 45 || time.Since(begin) > 30*time.Second {
						t.Errorf("%d requests in %s", n, time.Since(begin))
					}
				})
			})
		}
	}
}

// Where nothing is answered, no lead is to blame.
func TestFailingPortalBlamesNoLead(t *testing.T) {
	for name, instead := range spoilt {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := emulatortest.New(t, emulator.Config{Leads: 50, Seed: 1})
				ids := sortedIDs(truth(t, h.Portal))
				alter(h, func(_ string, _ int, answer []byte) (int, []byte) { return instead(answer) })
				client := h.Webhook(bitrix24.NewBudget(true))
				if snaps, err := client.Leads().Read(t.Context(), ids, draws()); err == nil {
					t.Errorf("%d snapshots", len(snaps))
				}
				if _, err := client.Leads().Scan(t.Context(), 0, draws()); err == nil {
					t.Error("the scan has a page")
				}
				if n := client.Requests(); n > 30 {
					t.Errorf("%d requests to a portal that answers nothing", n)
				}
			})
		})
	}
}

// A portal that answers each crm.lead.get with nothing fails as a whole: a lead that does not
// exist is "Not found".
func TestEmptyCardsBlameNoLead(t *testing.T) {
	for _, nothing := range []string{"null", "false", "[]", `""`} {
		t.Run(nothing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := emulatortest.New(t, emulator.Config{Leads: 50, Seed: 1})
				ids := sortedIDs(truth(t, h.Portal))
				alter(h, func(request string, status int, _ []byte) (int, []byte) {
					keys := regexp.MustCompile(`"(\w+)":"crm\.lead\.get`).FindAllStringSubmatch(request, -1)
					var results []string
					for _, key := range keys {
						results = append(results, `"`+key[1]+`":`+nothing)
					}
					return status, []byte(`{"result":{"result":{` + strings.Join(results, ",") + `},"result_error":[]}}`)
				})
				client := h.Webhook(bitrix24.NewBudget(true))
				snaps, err := client.Leads().Read(t.Context(), ids, draws())
				if err == nil || !strings.Contains(err.Error(), "empty") {
					t.Errorf("%d snapshots, %v", len(snaps), err)
				}
			})
		})
	}
}

// The sizes of batches grow again after a lead has spoilt some.
func TestBatchesGrowAgainAfterASpoiltOne(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 6000, Seed: 1})
		ids := sortedIDs(truth(t, h.Portal))
		poison(h, ids[30:31], false, spoilt["empty"])
		client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
		good, odd := scanBoth(t, client)
		if len(good) != 5999 || len(odd) != 1 || client.Requests() > 50 || client.State().Lists < 25 {
			t.Errorf("%d good, %d odd, %d requests, %d pages next", len(good), len(odd), client.Requests(), client.State().Lists)
		}
	})
}

func TestOtherWalksGetPastASpoiltPage(t *testing.T) {
	for _, bare := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := emulatortest.New(t, emulator.Config{Leads: 200, Seed: 1})
			ids := sortedIDs(truth(t, h.Portal))
			poison(h, ids[70:71], bare, spoilt["empty"])
			client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
			walks := map[string]func(int64) (leads.Page, error){
				"ids": func(after int64) (leads.Page, error) { return client.Leads().IDs(t.Context(), after, draws()) },
				"changed": func(after int64) (leads.Page, error) {
					return client.Leads().Changed(t.Context(), after, time.Unix(0, 0).UTC(), draws())
				},
			}
			for name, walk := range walks {
				var seen []int64
				for after := int64(0); after < leads.MaxID; {
					page, err := walk(after)
					if err != nil || page.UpTo <= after {
						t.Fatalf("%s above %d: up to %d, %v", name, after, page.UpTo, err)
					}
					for _, s := range page.Snapshots {
						seen = append(seen, s.LeadID)
					}
					after = page.UpTo
				}
				if !slices.Equal(seen, ids) {
					t.Errorf("%s, bare %t: saw %d leads of %d", name, bare, len(seen), len(ids))
				}
			}
		})
	}
}
