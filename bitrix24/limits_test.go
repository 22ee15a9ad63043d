package bitrix24_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
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

// scanAll walks over all leads and returns their ids.
func scanAll(tb testing.TB, client *bitrix24.Client) []int64 {
	tb.Helper()
	var ids []int64
	for after, last := int64(0), false; !last; {
		page, err := client.Leads().Scan(tb.Context(), after, draws())
		if err != nil {
			tb.Fatal(err)
		}
		for _, s := range page.Snapshots {
			if s.Err == nil {
				ids = append(ids, s.LeadID)
			}
		}
		after, last = page.UpTo, page.Last
	}
	return ids
}

func wantNoRefusal(tb testing.TB, p *emulator.Portal) {
	tb.Helper()
	if r := p.Stats().Refusals; len(r) > 0 {
		tb.Errorf("the portal refused %v", r)
	}
}

// What an import of a large portal costs, with the real limits.
func TestImportSpendsTheFewestRequests(t *testing.T) {
	long(t)
	count := 20_000
	if os.Getenv("LEADSYNC_TEST_SCALE") != "" {
		count = 100_000 // make test-scale
	}
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: count, Seed: 1})
		client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
		begin := time.Now()
		if got := len(scanAll(t, client)); got != count {
			t.Errorf("scanned %d leads of %d", got, count)
		}
		// One more request proves the end: only an empty answer is the end.
		limit := (count+2499)/2500 + 1
		if got := h.Portal.Stats().Requests["batch"]; got > limit {
			t.Errorf("%d requests, at most %d are allowed", got, limit)
		}
		wantNoRefusal(t, h.Portal)
		t.Logf("%d leads: %d requests, %d pages, %s by the limits alone", count, h.Portal.Stats().Requests["batch"],
			h.Portal.Stats().Commands["crm.lead.list"], time.Since(begin).Round(time.Second))
	})
}

// Reading a million leads takes little longer, by the portal's clock, than its limits require:
// 50 requests at once, then two a second. The limit of operating time, 480 s of lists within
// ten minutes, is more than a million leads need.
func TestAMillionLeadsTakeWhatTheLimitsAllow(t *testing.T) {
	if os.Getenv("LEADSYNC_TEST_SCALE") == "" {
		t.Skip("make test-scale: takes a minute and 800 MB")
	}
	const count = 1_000_000
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: count, Seed: 1})
		client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
		begin, seen := time.Now(), 0
		for after, last := int64(0), false; !last; {
			page, err := client.Leads().Scan(t.Context(), after, draws())
			if err != nil {
				t.Fatal(err)
			}
			seen += len(page.Snapshots)
			after, last = page.UpTo, page.Last
		}
		took, requests := time.Since(begin), h.Portal.Stats().Requests["batch"]
		allowed := time.Duration((count+2499)/2500-50) * time.Second / 2
		t.Logf("%d leads: %d requests, %s by the portal's clock, its limits allow %s: %.2f of it", seen, requests, took.Round(time.Second), allowed, took.Seconds()/allowed.Seconds())
		if seen != count || took > allowed*5/4 {
			t.Errorf("%d leads in %s", seen, took)
		}
		wantNoRefusal(t, h.Portal)
	})
}

// With list pages that cost 5 s of operating time, ten minutes allow 96 of them, and a pass may
// use only part of that.
func TestPassesStayWithinTheOperatingTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5_000, Seed: 1, PageCost: 5 * time.Second})
		client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
		begin := time.Now()
		if got := len(scanAll(t, client)); got != 5_000 {
			t.Errorf("scanned %d leads", got)
		}
		wantNoRefusal(t, h.Portal)
		if took := time.Since(begin); took < 10*time.Minute {
			t.Errorf("500 s of operating time within %s", took)
		}
		if state := client.State().Methods["crm.lead.list"]; state.Pauses == 0 || state.Refused != 0 {
			t.Errorf("state %+v", state)
		}
	})
}

// Even a backlog of callbacks does not make the portal block a method.
func TestLiveReadsStayWithinTheOperatingTime(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 2500, Seed: 1, PageCost: 1100 * time.Millisecond})
		ids := sortedIDs(truth(t, h.Portal))
		client := h.Webhook(bitrix24.NewBudget(true))
		var err error
		reads := 0
		for ; err == nil && reads < 20; reads++ {
			_, err = client.Leads().Read(t.Context(), ids, draws())
		}
		if bitrix24.ReactionTo(err) != bitrix24.SlowDown || reads < 7 {
			t.Errorf("after %d reads: %v", reads, err)
		}
		wantNoRefusal(t, h.Portal)
	})
}

// Without the operating time in its answers, only a refusal shows that a method is blocked.
func TestARefusedMethodIsLeftAlone(t *testing.T) {
	for _, bill := range []bool{false, true} {
		t.Run("billed to batch "+strconv.FormatBool(bill), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := emulatortest.New(t, emulator.Config{
					Leads: 3_000, Seed: 1, PageCost: 5 * time.Second, OperatingLimit: 60 * time.Second,
					Switches: emulator.Switches{NoOperating: true, BillBatch: bill},
				})
				client := h.Webhook(bitrix24.NewBudget(true)).In(bitrix24.Background)
				begin := time.Now()
				if got := len(scanAll(t, client)); got != 3_000 {
					t.Errorf("scanned %d leads", got)
				}
				took := time.Since(begin)
				if min := 10 * time.Minute; took < min {
					t.Errorf("it took %s", took)
				}
				if n := h.Portal.Stats().Requests["batch"]; n > int(took/time.Minute)+30 {
					t.Errorf("%d requests within %s: a blocked method was called again and again", n, took)
				}
			})
		})
	}
}

func TestALiveReadDoesNotWaitForABlockedMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5, Seed: 1, CallCost: 20 * time.Second, OperatingLimit: 30 * time.Second})
		ids := sortedIDs(truth(t, h.Portal))
		client := h.Webhook(bitrix24.NewBudget(true))
		if _, err := client.Leads().Read(t.Context(), ids[:2], draws()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		_, err := client.Leads().Read(t.Context(), ids[2:3], draws())
		if bitrix24.ReactionTo(err) != bitrix24.SlowDown || time.Since(begin) > 5*time.Second {
			t.Fatalf("after %s: %v", time.Since(begin), err)
		}
		sent := client.Requests()
		if _, err = client.Leads().Read(t.Context(), ids[2:3], draws()); err == nil || client.Requests() != sent {
			t.Errorf("asked again at once: %v", err)
		}
		time.Sleep(10 * time.Minute)
		if _, err = client.Leads().Read(t.Context(), ids[2:3], draws()); err != nil {
			t.Errorf("after ten minutes: %v", err)
		}
	})
}

// Fifty pages of 2 s take longer than the 60 s after which the web server answers 504.
func TestBatchesShrinkUntilTheyFitIntoAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 4_000, Seed: 1, PageCost: 2 * time.Second, NoLimits: true})
		client := h.Webhook(nil).In(bitrix24.Background)
		if got := len(scanAll(t, client)); got != 4_000 {
			t.Errorf("scanned %d leads", got)
		}
		if n := client.Requests(); n > 12 {
			t.Errorf("%d requests", n)
		}
		h = emulatortest.New(t, emulator.Config{Leads: 2500, Seed: 1, PageCost: 2 * time.Second, NoLimits: true})
		ids := sortedIDs(truth(t, h.Portal))
		snaps, err := h.Webhook(nil).Leads().Read(t.Context(), ids, draws())
		if err != nil || len(snaps) != 2500 {
			t.Errorf("read %d leads, %v", len(snaps), err)
		}
	})
}

// failCommands makes the portal answer the commands that match with an error.
func failCommands(h *emulatortest.Harness, bad func(command string) bool, code string) {
	h.Transport.Intercept(func(r *http.Request) *http.Response {
		if !strings.HasSuffix(r.URL.Path, "batch") {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return emulatortest.Response(500, "")
		}
		text := string(body)
		var keys []string
		for cmd := range strings.SplitSeq(text, `","`) {
			if bad(cmd) {
				_, after, _ := strings.Cut(cmd, `{"cmd":{"`)
				if after == "" {
					after = cmd
				}
				key, _, _ := strings.Cut(after, `":"`)
				keys = append(keys, key)
				// The portal does not know the method: an error of this command alone.
				text = strings.Replace(text, `"`+key+`":"crm.`, `"`+key+`":"broken.`, 1)
			}
		}
		r.Body = io.NopCloser(strings.NewReader(text))
		resp, err := emulatortest.NewTransport(h.Portal).RoundTrip(r)
		if err != nil || len(keys) == 0 {
			return resp
		}
		data, _ := io.ReadAll(resp.Body)
		answer := strings.ReplaceAll(string(data), `{"error":"ERROR_METHOD_NOT_FOUND","error_description":"Method not found!"}`,
			`{"error":"`+code+`","error_description":"broken"}`)
		return emulatortest.Response(resp.StatusCode, answer)
	})
}

func TestOneBadLeadDoesNotHideTheOthers(t *testing.T) {
	for _, code := range []string{"INTERNAL_SERVER_ERROR", "ERROR_CORE"} {
		for _, count := range []int{50, 400} {
			t.Run(code+" among "+strconv.Itoa(count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := emulatortest.New(t, emulator.Config{Leads: count, Seed: 1, NoLimits: true})
					ids := sortedIDs(truth(t, h.Portal))
					bad := ids[17]
					// Neither a list that contains it nor the lead itself can be read.
					failCommands(h, func(cmd string) bool {
						u, _ := url.QueryUnescape(strings.ReplaceAll(cmd, `\u0026`, "&"))
						return strings.Contains(u+"&", "="+strconv.FormatInt(bad, 10)+"&") || strings.Contains(u, "="+strconv.FormatInt(bad, 10)+`"`)
					}, code)
					snaps, err := h.Webhook(nil).Leads().Read(t.Context(), ids, draws())
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range snaps {
						if (s.Err != nil) != (s.LeadID == bad) {
							t.Errorf("lead %d: %v", s.LeadID, s.Err)
						}
					}
				})
			})
		}
	}
}

// A page of the scan that cannot be listed is read lead by lead.
func TestAPageThatCannotBeListedIsReadLeadByLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 500, Seed: 1, NoLimits: true})
		ids := sortedIDs(truth(t, h.Portal))
		third := strconv.FormatInt(ids[149], 10)
		failCommands(h, func(cmd string) bool {
			return strings.Contains(cmd, `"p3":`) || strings.Contains(cmd, `p3":"crm.lead.list`) || strings.Contains(cmd, "filter%5B%3EID%5D="+third+"\\u0026")
		}, "INTERNAL_SERVER_ERROR")
		got := scanAll(t, h.Webhook(nil))
		if !slices.Equal(got, ids) {
			t.Errorf("scanned %d leads of %d", len(got), len(ids))
		}
		if h.Portal.Stats().Commands["crm.lead.get"] == 0 {
			t.Error("no lead was read alone: the page was not refused")
		}
	})
}

func TestOtherProgramsGetTheirShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5, Seed: 1})
		budget := bitrix24.NewBudget(true)
		client := h.Webhook(budget)
		// Another program on our address uses three of four requests that leak out, and
		// does not repeat what is refused.
		stop := make(chan struct{})
		refused := 0
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			foreign := h.HTTP()
			for {
				select {
				case <-stop:
					return
				case <-time.After(2 * time.Second / 3):
				}
				resp, err := foreign.Post(h.Portal.Info().Webhook+"server.time", "application/json", strings.NewReader("{}"))
				if err != nil {
					continue
				}
				_ = resp.Body.Close()
				if resp.StatusCode == http.StatusServiceUnavailable {
					refused++
				}
			}
		}()
		for begin := time.Now(); time.Since(begin) < 10*time.Minute; {
			for range 20 {
				if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(5 * time.Second)
		}
		state := budget.State()
		if state.Share >= 1 || state.Refusals == 0 {
			t.Errorf("the other program was not noticed: %+v", state)
		}
		close(stop)
		<-stopped
		if state.Refusals > 30 || refused > 60 {
			t.Errorf("we were refused %d times within ten minutes, the other %d times: nothing was yielded", state.Refusals, refused)
		}
		t.Logf("within ten minutes we were refused %d times, the other %d times of 900; share %.3f, %d requests sent",
			state.Refusals, refused, state.Share, state.Sent)
		time.Sleep(5 * time.Minute)
		if share := budget.State().Share; share != 1 {
			t.Errorf("share %v after five quiet minutes", share)
		}
	})
}

// Owners that take over from each other never fill the bucket, even together.
func TestOwnersInSuccessionNeverFillTheBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 5, Seed: 1})
		for epoch := range 30 {
			client := h.Webhook(bitrix24.NewBudget(epoch == 0))
			for begin := time.Now(); time.Since(begin) < time.Duration(1+epoch%7)*time.Second; {
				if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantNoRefusal(t, h.Portal)
	})
}

func TestLiveReadsDoNotWaitForAPass(t *testing.T) {
	long(t)
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 60, Seed: 1})
		client := h.Webhook(bitrix24.NewBudget(true))
		id := sortedIDs(truth(t, h.Portal))[0]
		begin, done := time.Now(), make(chan struct{})
		go func() {
			defer close(done)
			for time.Since(begin) < 3*time.Minute {
				scanAll(t, client.In(bitrix24.Background))
			}
		}()
		var longest time.Duration
		for reading := true; reading; {
			select {
			case <-done:
				reading = false
			case <-time.After(time.Second):
				asked := time.Now()
				if _, err := client.Leads().Read(t.Context(), []int64{id}, draws()); err != nil {
					t.Fatal(err)
				}
				longest = max(longest, time.Since(asked))
			}
		}
		if longest >= time.Second {
			t.Errorf("a live read waited %s", longest)
		}
		wantNoRefusal(t, h.Portal)
	})
}

func TestLenientAnswersAreUnderstood(t *testing.T) {
	for _, body := range []string{
		`{"result":[],"time":[]}`, `{"result":{},"total":"5","next":false,"time":{"operating":"1.5","duration":null,"operating_reset_at":false}}`,
		`{"result":null,"time":null}`, `{"result":"x","total":null,"time":{"operating":[]}}`,
	} {
		if _, err := answering(t, answer(200, body)).Call(t.Context(), "x", nil); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	oauth := &bitrix24.OAuth{ClientID: "c", ClientSecret: "s", HTTP: &http.Client{Transport: roundTripFunc(func(*http.Request) *http.Response {
		return emulatortest.Response(200, `{"access_token":"a","refresh_token":"r","expires_in":"3600","user_id":"67","member_id":null,"scope":false}`)
	})}, Now: time.Now}
	pair, err := oauth.Refresh(t.Context(), emulatortest.OAuthURL, "old")
	if err != nil || pair.RefreshToken != leads.Secret("r") || time.Until(pair.ExpiresAt) < 59*time.Minute || pair.UserID != 67 {
		t.Errorf("pair %+v, %v", pair, err)
	}
}

type roundTripFunc func(*http.Request) *http.Response

func (f roundTripFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// A client waits by the clock that it is given: with a clock set by hand, a wait by a timer
// would never end.
func TestWaitsUseTheClientsClock(t *testing.T) {
	p, err := emulator.New(emulator.Config{Leads: 10, Seed: 1, NoLimits: true, PortalAddr: "portal.example.com", OAuthAddr: "oauth.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.SetFaults(emulator.Faults{CommandLimit: 1})
	now, waited := time.Now(), time.Duration(0)
	transport := emulatortest.NewTransport(p)
	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(p.Info().Webhook), HTTP: &http.Client{Transport: transport}, Now: func() time.Time { return now },
		Wait: func(ctx context.Context, d time.Duration) error {
			p.SetFaults(emulator.Faults{})
			now, waited = now.Add(d), waited+d
			return ctx.Err()
		},
	}).In(bitrix24.Background)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if page, err := client.Leads().Scan(ctx, 0, draws()); err != nil || len(page.Snapshots) != 10 {
		t.Fatalf("%d leads, %v", len(page.Snapshots), err)
	}
	if waited < time.Minute {
		t.Errorf("waited %s by its clock", waited)
	}
}

// Operating time is free again after ten minutes at the latest, whatever a portal's clocks say.
func TestNoMethodIsBlockedForEver(t *testing.T) {
	for finish, reset := range map[string]string{
		`1000000000`: `1000086400`, `1705765533.5`: `1705765533000`, `1705765533.25`: `"253402300799"`, `1705765533.75`: `"Inf"`, `"NaN"`: `"NaN"`, `-5`: `7`,
	} {
		synctest.Test(t, func(t *testing.T) {
			client, sent := busy(bitrix24.NewBudget(true), 429, `{"error":"OPERATION_TIME_LIMIT","time":{"finish":`+finish+`,"operating_reset_at":`+reset+`}}`)
			if _, err := client.In(bitrix24.Background).Read(t.Context(), "x", nil); err != nil || paused(*sent) < time.Minute || paused(*sent) > 10*time.Minute {
				t.Errorf("%s until %s: paused for %s, %v", finish, reset, paused(*sent), err)
			}
		})
	}
}

// PHP's sums of operating time differ in their last digits. A call that seems to cost next to
// nothing does not make batches small.
func TestRoundingDoesNotShrinkBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var pages []int
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{Transport: roundTripFunc(func(r *http.Request) *http.Response {
				count := strings.Count(readBody(r), "crm.lead.list")
				operating := [...]string{"0.1", "0.10000000000000002", `"NaN"`, `"Infinity"`}[len(pages)]
				var results, times []string
				for p := range count {
					var rows []string
					for row := range 50 {
						rows = append(rows, fmt.Sprintf(`{"ID":"%d"}`, len(pages)*2500+p*50+row+1))
					}
					results = append(results, fmt.Sprintf(`"p%d":[%s]`, p, strings.Join(rows, ",")))
					times = append(times, fmt.Sprintf(`"p%d":{"finish":1000,"operating_reset_at":1600,"operating":%s}`, p, operating))
				}
				pages = append(pages, count)
				return emulatortest.Response(200, `{"result":{"result":{`+strings.Join(results, ",")+`},"result_error":[],"result_time":{`+strings.Join(times, ",")+`}}}`)
			})},
		}).In(bitrix24.Background)
		for after := range int64(4) {
			if _, err := client.Leads().Scan(t.Context(), after*2500, draws()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(pages, []int{50, 50, 50, 50}) {
			t.Errorf("requests of %v pages", pages)
		}
	})
}

// A portal, or what stands before it, may take fewer commands than the documentation says.
func TestPortalsMayTakeFewerCommands(t *testing.T) {
	const tooMany = `{"error":"ERROR_BATCH_LENGTH_EXCEEDED","error_description":"Max batch length exceeded"}`
	for _, whole := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := emulatortest.New(t, emulator.Config{Leads: 1000, Seed: 1, NoLimits: true})
			alter(h, func(request string, status int, answer []byte) (int, []byte) {
				var sent struct {
					Commands map[string]string `json:"cmd"`
				}
				var got struct {
					Result struct {
						Results json.RawMessage `json:"result"`
					} `json:"result"`
				}
				if err := errors.Join(json.Unmarshal([]byte(request), &sent), json.Unmarshal(answer, &got)); err != nil {
					t.Error(err)
				}
				switch keys := slices.Sorted(maps.Keys(sent.Commands)); {
				case len(keys) <= 7:
					return status, answer
				case whole:
					return http.StatusBadRequest, []byte(tooMany)
				default:
					results, refusals := map[string]json.RawMessage{}, map[string]json.RawMessage{}
					if err := json.Unmarshal(got.Result.Results, &results); err != nil {
						t.Error(err)
					}
					for _, key := range keys[7:] {
						delete(results, key)
						refusals[key] = json.RawMessage(tooMany)
					}
					answer, _ = json.Marshal(map[string]any{"result": map[string]any{"result": results, "result_error": refusals}})
					return status, answer
				}
			})
			client := h.Webhook(bitrix24.NewBudget(true))
			ids := sortedIDs(truth(t, h.Portal))
			snaps, err := client.Leads().Read(t.Context(), ids[:50], draws())
			if err != nil || len(snaps) != 50 {
				t.Fatalf("whole %t: %d snapshots, %v", whole, len(snaps), err)
			}
			for _, s := range snaps {
				if s.Err != nil {
					t.Errorf("whole %t: lead %d: %v", whole, s.LeadID, s.Err)
				}
			}
			if gone := make([]int64, 1000); whole { // deleted leads are read one by one
				for i := range gone {
					gone[i] = ids[len(ids)-1] + 1 + int64(i)
				}
				if snaps, err = h.Webhook(bitrix24.NewBudget(true)).Leads().Read(t.Context(), gone, draws()); err != nil || len(snaps) != 1000 {
					t.Errorf("leads that were deleted: %d snapshots, %v", len(snaps), err)
				}
			}
			if got := len(scanAll(t, client)); got != 1000 || client.Requests() > 30 || client.State().Problem != "" {
				t.Errorf("whole %t: %d leads, %d requests, problem %q", whole, got, client.Requests(), client.State().Problem)
			}
		})
	}
}
