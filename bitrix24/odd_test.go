package bitrix24_test

import (
	"errors"
	"io"
	"net/http"
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

func TestMapsWithWholeNumbersAreLists(t *testing.T) {
	const row1, row2, row3 = `{"ID":"1"}`, `{"ID":"2"}`, `{"ID":"3"}`
	for _, list := range []string{
		`[` + row1 + `,` + row2 + `,` + row3 + `]`, `{"0":` + row1 + `,"1":` + row2 + `,"2":` + row3 + `}`,
		`{"7":` + row3 + `,"1":` + row1 + `,"3":` + row2 + `}`, `{"10":` + row3 + `,"9":` + row2 + `,"-1":` + row1 + `}`,
	} {
		client := answering(t, answer(200, `{"result":{"result":{"p0":`+list+`},"result_error":[]},"time":{}}`))
		page, err := client.Leads().Scan(t.Context(), 0, draws())
		if err != nil || len(page.Snapshots) != 3 || page.UpTo != 3 {
			t.Errorf("%s: %d rows up to %d, %v", list, len(page.Snapshots), page.UpTo, err)
		}
	}
	for _, none := range []string{`null`, `false`, `""`, `"x"`, `7`, `{"a":` + row1 + `}`, `true`} {
		synctest.Test(t, func(t *testing.T) {
			client := fixed(200, `{"result":{"result":{"p0":`+none+`,"ids":`+none+`,"ask":`+none+`},"result_error":[]},"time":{}}`)
			if page, err := client.Leads().Scan(t.Context(), 0, draws()); err == nil {
				t.Errorf("%s is taken for a list: %+v", none, page)
			}
		})
	}
	client := fixed(200, `{"result":{"4":{"event":"ONCRMLEADADD","handler":"x"},"2":{"event":"ONCRMLEADUPDATE","handler":"y"}},"time":{}}`)
	if bound, err := client.Events().Bindings(t.Context()); err != nil || len(bound) != 2 || bound[0].Handler != "y" {
		t.Errorf("bindings %v, %v", bound, err)
	}
}

// fixed is a portal that gives the same answer to everything.
func fixed(status int, body string) *bitrix24.Client {
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", Budget: bitrix24.NewBudget(true),
		HTTP: &http.Client{Transport: roundTripFunc(func(*http.Request) *http.Response { return emulatortest.Response(status, body) })},
	})
}

func TestOfflineEventsMayComeAsAMap(t *testing.T) {
	client := fixed(200, `{"result":{"result":{"get":{"process_id":"p","events":{"5":{"EVENT_NAME":"ONCRMLEADADD","EVENT_DATA":{"FIELDS":{"ID":9}},"MESSAGE_ID":"m"}}}},"result_error":[]},"time":{}}`)
	queue, err := client.Events().OfflineQueue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if batch, err := queue.Next(t.Context(), leads.OfflineBatch{}); err != nil || len(batch.Events) != 1 || batch.Events[0].LeadID != 9 {
		t.Errorf("%+v, %v", batch, err)
	}
}

func TestEmptyErrorsAreNone(t *testing.T) {
	for _, none := range []string{`null`, `""`, `false`, `[]`, `{}`, `0`} {
		if _, err := fixed(200, `{"error":`+none+`,"error_description":null,"result":{"ID":"1"}}`).Call(t.Context(), "x", nil); err != nil {
			t.Errorf("%s beside a result: %v", none, err)
		}
		oauth := tokenServer(`{"error":` + none + `,"error_description":"","access_token":"a","refresh_token":"r"}`)
		if pair, err := oauth.Refresh(t.Context(), emulatortest.OAuthURL, "old"); err != nil || pair.RefreshToken != leads.Secret("r") {
			t.Errorf("%s beside tokens: %v", none, err)
		}
		batch, err := fixed(200, `{"result":{"result":{"a":{"ID":"1"},"b":[]},"result_error":{"a":`+none+`,"b":{"error":`+none+`}}}}`).Batch(t.Context(), []bitrix24.Command{{Key: "a"}, {Key: "b"}})
		if err != nil || none != "0" && len(batch.Errors) != 0 {
			t.Errorf("%s in result_error: %v, %v", none, batch.Errors, err)
		}
	}
	if _, err := fixed(400, `{"error":"","error_description":"Not found"}`).Call(t.Context(), "x", nil); bitrix24.ReactionTo(err) != bitrix24.NotFound {
		t.Errorf("an empty code with a text: %v", err)
	}
	if _, err := tokenServer(`{"error":"invalid_grant","access_token":""}`).Refresh(t.Context(), emulatortest.OAuthURL, "old"); !errors.Is(err, leads.ErrUnauthorized) {
		t.Errorf("a refusal: %v", err)
	}
}

// Gateways, and newer versions of the API, write code and text into "error".
func TestErrorsMayBeMaps(t *testing.T) {
	const busy, gone = `{"code":"query_limit_exceeded","message":"Too many requests"}`, `{"code":"NOT_FOUND","message":"Not found"}`
	for body, want := range map[string]bitrix24.Reaction{
		`{"error":` + gone + `}`:                                 bitrix24.NotFound,
		`{"error":{"code":"","description":"Not found"}}`:        bitrix24.Never,
		`{"error":{"code":"PORTAL_DELETED"}}`:                    bitrix24.Stop,
		`{"error":{"x":1},"error_description":"Not found"}`:      bitrix24.Never,
		`{"error":{"code":429},"error_description":"Not found"}`: bitrix24.Never,
	} {
		if _, err := fixed(400, body).Call(t.Context(), "x", nil); bitrix24.ReactionTo(err) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
	batch, err := fixed(200, `{"result":{"result":[],"result_error":{"a":{"error":`+busy+`},"b":{"error":`+gone+`}}}}`).Batch(t.Context(), []bitrix24.Command{{Key: "a"}, {Key: "b"}})
	if err != nil || batch.Errors["a"].Reaction != bitrix24.SlowDown || batch.Errors["b"].Reaction != bitrix24.NotFound {
		t.Errorf("%v, %v", batch.Errors, err)
	}
	if _, err := tokenServer(`{"error":{"code":"invalid_grant","message":"spent"}}`).Refresh(t.Context(), emulatortest.OAuthURL, "old"); !errors.Is(err, leads.ErrUnauthorized) {
		t.Errorf("%v", err)
	}
}

// tokenServer is an authorization server that answers everything with this body.
func tokenServer(body string) *bitrix24.OAuth {
	return &bitrix24.OAuth{ClientID: "c", ClientSecret: "s", Now: time.Now, HTTP: &http.Client{
		Transport: roundTripFunc(func(*http.Request) *http.Response { return emulatortest.Response(200, body) }),
	}}
}

func TestTextAroundTheJSONLosesNoTokens(t *testing.T) {
	const pair = `{"access_token":"a","refresh_token":"r","expires_in":3600}`
	for _, body := range []string{
		"\ufeff" + pair, " \r\n" + pair + "\n", ")]}'\n" + pair, pair + "<!-- cached -->", pair + pair, pair + "}",
		"<br />\n<b>Warning</b>: foreach() {closure} in <b>/x.php</b> on line <b>1</b><br />\n" + pair,
		"<style>a{color:red} b{}</style><script>f({x:1},{\"y\":2})</script>" + pair, "\ufeff\ufeff" + pair,
	} {
		got, err := tokenServer(body).Refresh(t.Context(), emulatortest.OAuthURL, "old")
		if err != nil || got.RefreshToken != leads.Secret("r") || got.AccessToken != leads.Secret("a") {
			t.Errorf("%q: %v", body, err)
		}
		if _, err := fixed(200, strings.ReplaceAll(body, pair, `{"result":{"a":{"result":1}}}`)).Call(t.Context(), "x", nil); err != nil {
			t.Errorf("%q: %v", body, err)
		}
	}
	for body, words := range map[string]string{
		"": "empty", "\ufeff ": "empty", "<html>{}</html>": "HTML", `{"access_token":"secret","refr`: "cut off",
		`Warning: x {"access_token":"secret","refr`: "cut off", `{"result":{"access_token":"secret","refresh_token":"r"},"a":`: "cut off",
		"false": "not an object", "secret": "not JSON", `{"access_token":"secret"}`: "no tokens", `{"access_token":secret}`: "not valid JSON",
	} {
		_, err := tokenServer(body).Refresh(t.Context(), emulatortest.OAuthURL, "old")
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v, want words about %q", body, err, words)
		}
	}
}

func TestTokenLivesBeyondBelief(t *testing.T) {
	for value, want := range map[string]time.Duration{
		`3600`: time.Hour, `"1800"`: time.Hour / 2, `null`: time.Hour, `1e300`: time.Hour, `"inf"`: time.Hour, `"nan"`: time.Hour,
		`-5`: time.Hour, `9223372036854775807`: time.Hour, `0`: time.Hour, `86400`: 24 * time.Hour,
	} {
		pair, err := tokenServer(`{"access_token":"a","refresh_token":"r","expires_in":`+value+`}`).Refresh(t.Context(), emulatortest.OAuthURL, "old")
		if left := time.Until(pair.ExpiresAt); err != nil || left > want || left < want-time.Minute {
			t.Errorf("%s: %s left, %v", value, left, err)
		}
	}
	for value, want := range map[string]int64{"": 3600, "x": 3600, "9223372036854775807": 3600, "600": 600, "-1": 3600} {
		c, err := bitrix24.ParseCallback("event=ONAPPINSTALL&auth[member_id]=m&auth[access_token]=a&auth[expires_in]=" + value)
		if err != nil || c.ExpiresIn != want {
			t.Errorf("callback with %q: %d, %v", value, c.ExpiresIn, err)
		}
	}
}

func TestRowsWithOddIDsAreLeftOutOnce(t *testing.T) {
	long(t)
	for _, odd := range []string{`"2147483648"`, `0`, `"x"`, `null`, `-4`, `"99999999999999999999"`, `[]`} {
		for _, at := range []int{0, 30, 49, 50, 119} {
			t.Run(odd+" at "+strconv.Itoa(at), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := emulatortest.New(t, emulator.Config{Leads: 120, Seed: 1})
					ids := sortedIDs(truth(t, h.Portal))
					mark := `{"ID":"` + strconv.FormatInt(ids[at], 10) + `","TITLE"`
					alter(h, func(_ string, status int, answer []byte) (int, []byte) {
						return status, []byte(strings.ReplaceAll(string(answer), mark, `{"ID":`+odd+`,"TITLE"`))
					})
					client := h.Webhook(bitrix24.NewBudget(true))
					got := scanAll(t, client)
					got = slices.DeleteFunc(got, func(id int64) bool { return id == ids[at] })
					want := slices.Delete(slices.Clone(ids), at, at+1)
					if !slices.Equal(got, want) || client.Requests() > 20 || client.State().OddRows == 0 {
						t.Errorf("%d leads of 119, %d requests, %d odd rows", len(got), client.Requests(), client.State().OddRows)
					}
				})
			})
		}
	}
}

func TestLeadsNobodyAskedForAreLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Leads: 120, Seed: 1})
		ids := sortedIDs(truth(t, h.Portal))
		// The portal does not understand the filter: it returns the first page whatever is asked.
		ignore := func(filter string) {
			h.Transport.Intercept(func(r *http.Request) *http.Response {
				body := readBody(r)
				changed := strings.NewReader(strings.ReplaceAll(body, filter, "filter%5Bodd"))
				r.Body, r.ContentLength = io.NopCloser(changed), int64(changed.Len())
				return nil
			})
		}
		ignore("filter%5B%40ID")
		client := h.Webhook(bitrix24.NewBudget(true))
		asked := slices.Concat(ids[:1], ids[60:])
		snaps, err := client.Leads().Read(t.Context(), asked, draws())
		if err != nil || len(snaps) != len(asked) {
			t.Fatalf("%d snapshots for %d ids, %v", len(snaps), len(asked), err)
		}
		for i, s := range snaps {
			if s.LeadID != asked[i] || s.Err != nil || s.Lead.ID != asked[i] {
				t.Errorf("snapshot %d is lead %d, card %d, %v", i, s.LeadID, s.Lead.ID, s.Err)
			}
		}
		ignore("filter%5B%3EID")
		page, err := client.Leads().Scan(t.Context(), ids[119], draws())
		if err == nil || !strings.Contains(err.Error(), "ignores the filter") {
			t.Errorf("%d rows up to %d, %v", len(page.Snapshots), page.UpTo, err)
		}
	})
}

func TestAnotherLeadsCardIsNotTaken(t *testing.T) {
	client := fixed(200, `{"result":{"result":{"l5":{"ID":"6","TITLE":"another"}},"result_error":[]},"time":{}}`)
	snaps, err := client.Leads().Read(t.Context(), []int64{5}, draws())
	if err != nil || len(snaps) != 1 || snaps[0].LeadID != 5 || !errors.Is(snaps[0].Err, leads.ErrNoLead) || client.State().OddRows != 1 {
		t.Errorf("%+v, %v", snaps, err)
	}
}

func readBody(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	return string(body)
}

func bodyOf(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }

// What stands before an answer is searched for it up to 64 KB, braces or not; behind that,
// it is somebody else's page.
func TestAnswersAreFoundBehindSixtyFourKilobytes(t *testing.T) {
	const object = `{"result":true}`
	for name, filler := range map[string]string{"text": "x", "braces": "{x}", "objects": `y{"a":1}`} {
		long := strings.Repeat(filler, 900)
		long += strings.Repeat("y", 64<<10-len(long))
		if _, err := fixed(200, long+object).Call(t.Context(), "x", nil); err != nil {
			t.Errorf("behind 64 KB of %s: %v", name, err)
		}
		if _, err := fixed(200, long+"y"+object).Call(t.Context(), "x", nil); err == nil {
			t.Errorf("behind more than 64 KB of %s an answer is found", name)
		}
	}
	if _, err := fixed(200, strings.Repeat("{x}", 1000)+object).Call(t.Context(), "x", nil); err == nil {
		t.Error("an answer is found behind a thousand braces")
	}
}

// Every redirect is one, and nothing else is.
func TestStatusesOfRedirects(t *testing.T) {
	for status, redirects := range map[int]bool{299: false, 300: true, 308: true, 399: true, 400: false} {
		client := bitrix24.NewClient(bitrix24.ClientConfig{
			Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{
				Transport: roundTripFunc(func(*http.Request) *http.Response {
					return emulatortest.Response(status, `{"result":true}`, "Location", "https://elsewhere.example/")
				}),
				CheckRedirect: bitrix24.NewHTTP().CheckRedirect,
			},
		})
		_, err := client.Call(t.Context(), "x", nil)
		if moved := err != nil && strings.Contains(err.Error(), "elsewhere.example"); moved != redirects {
			t.Errorf("status %d: %v", status, err)
		}
	}
}

// A portal may list an address in another spelling than it was bound in. Nothing was unbound then.
func TestEventsThatAreAlreadyBoundAreNotAdded(t *testing.T) {
	const handler = "https://Leads.example.com/bitrix24/events"
	var listed, refused []string
	for _, event := range append(slices.Clone(bitrix24.Bound), bitrix24.OfflineSignal) {
		listed = append(listed, `{"event":"`+string(event)+`","handler":"`+strings.ToLower(handler)+`"}`)
	}
	already := map[string]bool{}
	client := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: emulatortest.PortalURL + "/rest/", HTTP: &http.Client{
		Transport: roundTripFunc(func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, "event.get") {
				return emulatortest.Response(200, `{"result":[`+strings.Join(listed, ",")+`]}`)
			}
			results := []string{}
			refused = nil
			for part := range strings.SplitSeq(readBody(r), `"`) {
				if !strings.HasPrefix(part, "e_") && !strings.HasPrefix(part, "o_") {
					continue
				}
				if already[part] {
					refused = append(refused, `"`+part+`":{"error":"ERROR_CORE","error_description":"Unable to set event handler: Handler already binded"}`)
					continue
				}
				results = append(results, `"`+part+`":true`)
			}
			return emulatortest.Response(200, `{"result":{"result":{`+strings.Join(results, ",")+`},"result_error":{`+strings.Join(refused, ",")+`}}}`)
		}),
	}})
	for _, event := range append(slices.Clone(bitrix24.Bound), bitrix24.OfflineSignal) {
		already["e_"+strings.ToLower(string(event))] = event != bitrix24.LeadDelete
	}
	bound, added, err := client.Events().Bind(t.Context(), handler)
	if err != nil || !slices.Equal(added, []bitrix24.Event{bitrix24.LeadDelete}) || len(bound) != len(listed)+len(bitrix24.Bound) {
		t.Errorf("%d bound, added %v, %v", len(bound), added, err)
	}
	already["o_oncrmleadadd"] = true
	offline, err := client.Events().BindOffline(t.Context(), bound, handler)
	if err != nil || len(offline) != 2 || offline[0].Event != bitrix24.LeadUpdate || offline[1].Event != bitrix24.LeadDelete {
		t.Errorf("added offline %v, %v", offline, err)
	}
}
