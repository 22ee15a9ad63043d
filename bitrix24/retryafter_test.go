package bitrix24_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator/emulatortest"
)

// busy is a portal that answers its first request like this, and works afterwards; sent
// gets when each came.
func busy(budget *bitrix24.Budget, status int, body string, header ...string) (client *bitrix24.Client, sent *[]time.Time) {
	sent = &[]time.Time{}
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", Budget: budget,
		HTTP: &http.Client{Transport: roundTripFunc(func(*http.Request) *http.Response {
			if *sent = append(*sent, time.Now()); len(*sent) == 1 {
				return emulatortest.Response(status, body, header...)
			}
			return emulatortest.Response(200, `{"result":true}`)
		})},
	}), sent
}

// paused is the pause between the first two requests.
func paused(sent []time.Time) time.Duration {
	if len(sent) < 2 {
		return -1
	}
	return sent[1].Sub(sent[0])
}

func TestTheServerSaysHowLongToWait(t *testing.T) {
	const html = "<html>busy</html>"
	const crowded = `{"error":"QUERY_LIMIT_EXCEEDED","error_description":"Too many requests"}`
	at := func(s string) string { return "Thu, 01 Jan 1970 00:" + s + " GMT" }
	for name, test := range map[string]struct {
		status      int
		body        string
		header      []string
		least, most time.Duration
	}{
		"seconds":                {429, html, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"a 503":                  {503, html, []string{"Retry-After", " 7 "}, 7 * time.Second, 8 * time.Second},
		"the portal's code":      {503, crowded, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"an unknown code":        {503, `{"error":"NEW"}`, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"no code":                {503, `{"error":"","error_description":"busy"}`, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"neither of both":        {429, `{}`, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"cut":                    {503, `{"resu`, []string{"Retry-After", "7"}, 7 * time.Second, 8 * time.Second},
		"an hour":                {429, html, []string{"Retry-After", "3600"}, 10 * time.Minute, 10*time.Minute + time.Second},
		"for ever":               {429, html, []string{"Retry-After", "99999999999999999999"}, 10 * time.Minute, 10*time.Minute + time.Second},
		"a date":                 {429, html, []string{"Retry-After", at("05:30"), "Date", at("05:00")}, 30 * time.Second, 31 * time.Second},
		"a date far away":        {429, html, []string{"Retry-After", "Fri, 02 Jan 1970 00:00:00 GMT", "Date", at("05:00")}, 10 * time.Minute, 10*time.Minute + time.Second},
		"a date that has passed": {429, html, []string{"Retry-After", at("05:00"), "Date", at("05:30")}, 800 * time.Millisecond, 2 * time.Second},
		"our clock":              {429, html, []string{"Retry-After", "Sat, 01 Jan 2000 00:00:30 GMT"}, 30 * time.Second, 31 * time.Second},
		"nothing":                {429, html, nil, 800 * time.Millisecond, 2 * time.Second},
		"less than our pause":    {429, html, []string{"Retry-After", "0"}, 800 * time.Millisecond, 2 * time.Second},
		"nonsense":               {429, html, []string{"Retry-After", "-5"}, 800 * time.Millisecond, 2 * time.Second},
		"a 500":                  {500, html, []string{"Retry-After", "7"}, 800 * time.Millisecond, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			for _, budget := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) { // its clock begins at 2000-01-01 00:00
					var b *bitrix24.Budget
					if budget {
						b = bitrix24.NewBudget(true)
					}
					client, sent := busy(b, test.status, test.body, test.header...)
					if _, err := client.In(bitrix24.Background).Read(t.Context(), "x", nil); err != nil {
						t.Fatal(err)
					}
					if got := paused(*sent); got < test.least || got > test.most {
						t.Errorf("budget %t: paused for %s, want %s to %s", budget, got, test.least, test.most)
					}
				})
			}
		})
	}
}

// A live read blocks others while it waits, so it returns how long to wait, and sends nothing
// until then.
func TestLiveCallsReturnHowLongToWait(t *testing.T) {
	for _, budget := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var b *bitrix24.Budget
			if budget {
				b = bitrix24.NewBudget(true)
			}
			client, sent := busy(b, 503, "<html>", "Retry-After", "120")
			var asks interface{ RetryAfter() time.Duration }
			begin := time.Now()
			_, err := client.Read(t.Context(), "x", nil)
			if !errors.As(err, &asks) || asks.RetryAfter() != 2*time.Minute || time.Since(begin) != 0 {
				t.Fatalf("after %s: %v", time.Since(begin), err)
			}
			if !budget {
				return
			}
			time.Sleep(time.Minute)
			_, err = client.In(bitrix24.Background).Hasty().Read(t.Context(), "x", nil)
			if !errors.As(err, &asks) || asks.RetryAfter() != time.Minute || len(*sent) != 1 || bitrix24.ReactionTo(err) != bitrix24.SlowDown {
				t.Errorf("a minute later: %v, %d requests", err, len(*sent))
			}
			if _, err = client.In(bitrix24.Background).Read(t.Context(), "x", nil); err != nil || paused(*sent) < 2*time.Minute {
				t.Errorf("a patient call: %v, sent at %v", err, *sent)
			}
			if _, err = client.Read(t.Context(), "x", nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// A shorter wait that another answer asks for does not end a longer one.
func TestTheLongestWaitCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := bitrix24.NewBudget(true)
		var asked atomic.Int64
		answers := make(chan string, 2)
		answers <- "100"
		answers <- "3"
		both := make(chan struct{})
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: emulatortest.PortalURL + "/rest/", Budget: budget,
			HTTP: &http.Client{Transport: roundTripFunc(func(*http.Request) *http.Response {
				select {
				case seconds := <-answers:
					if asked.Add(1) == 2 {
						close(both)
					}
					<-both
					return emulatortest.Response(429, "", "Retry-After", seconds)
				default:
					return emulatortest.Response(200, `{"result":true}`)
				}
			})},
		}).In(bitrix24.Background)
		begin, done := time.Now(), make(chan error)
		for range 2 {
			go func() {
				_, err := client.Read(t.Context(), "x", nil)
				done <- err
			}()
		}
		for range 2 {
			if err := <-done; err != nil || time.Since(begin) < 100*time.Second {
				t.Errorf("after %s: %v", time.Since(begin), err)
			}
		}
	})
}

// What a batch says about operating time has nothing to do with a full bucket.
func TestAFullBucketIsNotWaitedForAsLongAsABlockedMethod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const block = `,"time":{"finish":1000,"operating_reset_at":1500}`
		client, sent := busy(nil, 503, `{"error":"QUERY_LIMIT_EXCEEDED"`+block+`}`)
		if _, err := client.Read(t.Context(), "x", nil); err != nil || paused(*sent) > 2*time.Second {
			t.Errorf("paused for %s, %v", paused(*sent), err)
		}
		client, sent = busy(nil, 200, `{"result":{"result":[],"result_error":{"a":{"error":"QUERY_LIMIT_EXCEEDED"}},"result_time":{"a":{"finish":1000,"operating_reset_at":1500}}}}`)
		if _, err := client.Batch(t.Context(), []bitrix24.Command{{Key: "a", Method: "x"}}); err == nil || paused(*sent) > 2*time.Second || len(*sent) < 2 {
			t.Errorf("a batch: paused for %s, %v", paused(*sent), err) // the portal's second answer is not one to a batch
		}
		client, sent = busy(nil, 429, `{"error":"OPERATION_TIME_LIMIT"`+block+`}`, "Retry-After", "9")
		if _, err := client.In(bitrix24.Background).Read(t.Context(), "x", nil); err != nil || paused(*sent) != 500*time.Second {
			t.Errorf("a blocked method: paused for %s, %v", paused(*sent), err)
		}
		client, sent = busy(bitrix24.NewBudget(true), 429, `{"error":"OPERATION_TIME_LIMIT"}`, "Retry-After", "9")
		client = client.In(bitrix24.Background)
		if _, err := client.Read(t.Context(), "x", nil); err != nil || paused(*sent) != 9*time.Second || client.State().Budget.Refusals != 0 {
			t.Errorf("a blocked method: paused for %s, %v, %+v", paused(*sent), err, client.State().Budget)
		}
	})
}

func TestAnAuthorizationServerSaysHowLongToWait(t *testing.T) {
	for _, body := range []string{"<html>", `{"error":"x"}`, `{}`, `{"error":[`} {
		oauth := tokenServer("")
		oauth.HTTP.Transport = roundTripFunc(func(*http.Request) *http.Response {
			return emulatortest.Response(503, body, "Retry-After", "40")
		})
		_, err := oauth.Refresh(t.Context(), emulatortest.OAuthURL, "old")
		var asks interface{ RetryAfter() time.Duration }
		if !errors.As(err, &asks) || asks.RetryAfter() != 40*time.Second || strings.Contains(err.Error(), "old") {
			t.Errorf("%s: %v", body, err)
		}
	}
}
