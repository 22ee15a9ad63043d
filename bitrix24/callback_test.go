package bitrix24_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
)

func readCallback(tb testing.TB, name string) string {
	tb.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(string(body))
}

func TestParseCallbackReadsTheDocumentedPayloads(t *testing.T) {
	const member = "a223c6b3710f85df22e9377d6c4f7553"
	tests := []struct {
		file string
		want bitrix24.Callback
	}{
		{"event.ONCRMLEADADD.app.urlencoded", bitrix24.Callback{
			Event: bitrix24.LeadAdd, LeadID: 1000983, SentAt: 1742807175, MemberID: member,
			ApplicationToken: "51856fefc120afa4b628cc82d3935cce", Domain: "some-domain.bitrix24.com",
			ServerEndpoint: "https://oauth.bitrix.info/rest/", ClientEndpoint: "https://some-domain.bitrix24.com/rest/",
			Scope: "crm", AccessToken: "s6p6eclrvim6da22ft9ch94ekreb52lv", RefreshToken: "4s386p3q0tr8dy89xvmt96234v3dljg8", ExpiresIn: 3600,
		}},
		{"event.ONCRMLEADADD.outgoing-webhook.urlencoded", bitrix24.Callback{
			Event: bitrix24.LeadAdd, LeadID: 7405, SentAt: 1766047124, MemberID: "d897063e1ce7c5eb9f04b9751eef5915",
			Domain: "some-domain.bitrix24.com", ApplicationToken: "jvh9y1ulvt2m6k5or90v9mg8nn32ozas",
			ServerEndpoint: "https://oauth.bitrix.info/rest/", ClientEndpoint: "https://some-domain.bitrix24.com/rest/",
		}},
	}
	for _, test := range tests {
		t.Run(test.file, func(t *testing.T) {
			got, err := bitrix24.ParseCallback(readCallback(t, test.file))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("callback differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseCallbackRefusesOtherBodies(t *testing.T) {
	const auth = "&auth%5Bmember_id%5D=abc&auth%5Bapplication_token%5D=t"
	tests := []struct {
		name string
		body string
		want error
	}{
		{"no event", "ts=1" + auth, bitrix24.ErrCallback},
		{"no portal", "event=ONCRMLEADADD&data%5BFIELDS%5D%5BID%5D=1", bitrix24.ErrCallback},
		{"a portal that would break a subject", "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=a.b", bitrix24.ErrCallback},
		{"no lead", "event=ONCRMLEADADD" + auth, bitrix24.ErrCallback},
		{"lead zero", "event=ONCRMLEADADD&data[FIELDS][ID]=0" + auth, bitrix24.ErrCallback},
		{"a lead beyond int", "event=ONCRMLEADADD&data[FIELDS][ID]=2147483648" + auth, bitrix24.ErrCallback},
		{"a lead that is no number", "event=ONCRMLEADADD&data[FIELDS][ID]=1%27" + auth, bitrix24.ErrCallback},
		{"a broken escape", "event=%zz", bitrix24.ErrForm},
		{"JSON", `{"event":"ONCRMLEADADD"}`, bitrix24.ErrCallback},
		{"nothing", "", bitrix24.ErrCallback},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := bitrix24.ParseCallback(test.body); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestParseCallbackIgnoresUnknownKeys(t *testing.T) {
	got, err := bitrix24.ParseCallback("event=ONCRMLEADUPDATE&data[FIELDS][ID]=7&data[FIELDS][NEW]=x&later=1&auth[member_id]=abc&auth[application_token]=t&auth[more][deep]=1")
	if err != nil {
		t.Fatal(err)
	}
	want := bitrix24.Callback{Event: bitrix24.LeadUpdate, LeadID: 7, MemberID: "abc", ApplicationToken: "t"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callback differs (-want +got):\n%s", diff)
	}
}

// oddCallbacks are callbacks of lead 15 of portal abc, as relays and other versions of PHP
// write them.
var oddCallbacks = map[string]string{
	"plain":               "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=t",
	"capital letters":     "event=OnCrmLeadUpdate&data[FIELDS][ID]=15&auth[member_id]=ABC&auth[application_token]=t",
	"a fraction":          "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15.0&auth[member_id]=abc&auth[application_token]=t",
	"more of it":          "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15.000&auth[member_id]=abc&auth[application_token]=t",
	"blanks":              "event=+ONCRMLEADUPDATE&data[FIELDS][ID]=+15%0A&auth[member_id]=+abc&auth[application_token]=t",
	"a list":              "event=ONCRMLEADUPDATE&data[FIELDS][ID][]=15&auth[member_id]=abc&auth[application_token]=t",
	"an index":            "event=ONCRMLEADUPDATE&data%5BFIELDS%5D%5BID%5D%5B0%5D=15&auth[member_id]=abc&auth[application_token]=t",
	"the same twice":      "event=ONCRMLEADUPDATE&data[FIELDS][ID][]=15&data[FIELDS][ID][]=15.0&auth[member_id]=abc&auth[application_token]=t",
	"sent twice":          "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15&data[FIELDS][ID]=15&auth[member_id]=abc&auth[member_id]=abc&auth[application_token]=t",
	"a byte order mark":   "\ufeffevent=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=t",
	"an encoded one":      "%EF%BB%BFevent=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=t",
	"JSON":                `{"event":"ONCRMLEADUPDATE","data":{"FIELDS":{"ID":"15"}},"auth":{"member_id":"abc","application_token":"t"}}`,
	"numbers":             "\ufeff \r\n" + `{"event":"ONCRMLEADUPDATE","data":{"FIELDS":{"ID":15}},"more":[null,true,[1.5e3]],"auth":{"member_id":"ABC","application_token":"t"}} `,
	"a JSON list":         `{"event":"ONCRMLEADUPDATE","data":{"FIELDS":{"ID":[15.0]}},"auth":{"member_id":"abc","application_token":"t"}}`,
	"a line's end":        "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=t\r\n",
	"a line before":       "\r\n event=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=t",
	"a token's blanks":    "event=ONCRMLEADUPDATE&data[FIELDS][ID]=15&auth[member_id]=abc&auth[application_token]=+t%0D%0A",
	"flat JSON":           `{"event":"ONCRMLEADUPDATE","data[FIELDS][ID]":"15","auth[member_id]":"abc","auth[application_token]":"t","x[":1,"":[]}`,
	"lists in flat JSON":  `{"event":["ONCRMLEADUPDATE"],"data[FIELDS][ID]":["15"],"auth[member_id]":["abc"],"auth[application_token]":["t"],"y":["1","2"]}`,
	"lists in half of it": `{"event":["ONCRMLEADUPDATE"],"data":{"FIELDS":{"ID":15}},"auth[member_id]":"abc","auth":{"application_token":"t"}}`,
	"PHP's map":           `{"event":"ONCRMLEADUPDATE","data":{"FIELDS":{"ID":{"3":"15"}}},"auth":{"member_id":"abc","application_token":"t"}}`,
}

func TestParseCallbackReadsOddSpellings(t *testing.T) {
	for name, body := range oddCallbacks {
		got, err := bitrix24.ParseCallback(body)
		want := bitrix24.Callback{Event: bitrix24.LeadUpdate, LeadID: 15, MemberID: "abc", ApplicationToken: "t"}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	// What is no hexadecimal number keeps its letters.
	if got, err := bitrix24.ParseCallback("event=ONAPPTEST&auth[member_id]=Portal7"); err != nil || got.MemberID != "Portal7" {
		t.Errorf("%+v, %v", got, err)
	}
	got, err := bitrix24.ParseCallback(`{"event":"ONAPPINSTALL","data":[],"auth":{"member_id":"abc","expires_in":600,"access_token":"a","user_id":7,"scope":null,"domain":true}}`)
	if err != nil || got.ExpiresIn != 600 || got.UserID != 7 || got.AccessToken != "a" || got.Scope != "" || got.Domain != "1" {
		t.Errorf("%+v, %v", got, err)
	}
}

// ambiguousCallbacks say two things; the reason must name where.
var ambiguousCallbacks = map[string]string{
	"two ids":               "event=ONCRMLEADADD&data[FIELDS][ID]=1&data[FIELDS][ID]=2&auth[member_id]=abc",
	"two in a list":         "event=ONCRMLEADADD&data[FIELDS][ID][]=1&data[FIELDS][ID][]=2&auth[member_id]=abc",
	"one and a list":        "event=ONCRMLEADADD&data[FIELDS][ID]=1&data[FIELDS][ID][]=2&auth[member_id]=abc",
	"a list and one":        "event=ONCRMLEADADD&data[FIELDS][ID][]=1&data[FIELDS][ID]=2&auth[member_id]=abc",
	"nothing and one":       "event=ONCRMLEADADD&data[FIELDS][ID]=&data[FIELDS][ID]=2&auth[member_id]=abc",
	"started anew":          "event=ONCRMLEADADD&data[FIELDS][ID]=1&data=x&data[FIELDS][ID]=2&auth[member_id]=abc",
	"two ids in JSON":       `{"event":"ONCRMLEADADD","data":{"FIELDS":{"ID":1,"ID":2}},"auth":{"member_id":"abc"}}`,
	"two data in JSON":      `{"event":"ONCRMLEADADD","data":{"FIELDS":{"ID":1}},"data":{"FIELDS":{"ID":2}},"auth":{"member_id":"abc"}}`,
	"two in a JSON list":    `{"event":"ONCRMLEADADD","data":{"FIELDS":{"ID":[1,2]}},"auth":{"member_id":"abc"}}`,
	"two in flat JSON":      `{"event":"ONCRMLEADADD","data[FIELDS][ID]":1,"data[FIELDS][ID]":2,"auth[member_id]":"abc"}`,
	"flat and nested":       `{"event":"ONCRMLEADADD","data[FIELDS][ID]":["1"],"data":{"FIELDS":{"ID":2}},"auth[member_id]":"abc"}`,
	"two at one place":      `{"event":"ONCRMLEADADD","data[FIELDS][ID]":{"0":1,"0":2},"auth[member_id]":"abc"}`,
	"nested and flat":       `{"event":"ONCRMLEADADD","data":{"FIELDS":{"ID":2}},"data[FIELDS][ID]":["1"],"auth[member_id]":"abc"}`,
	"a list of two":         `{"event":"ONCRMLEADADD","data[FIELDS][ID]":["1","2"],"auth[member_id]":"abc"}`,
	"two lists of one":      `{"event":"ONCRMLEADADD","data[FIELDS][ID]":["1"],"data[FIELDS][ID]":["2"],"auth[member_id]":"abc"}`,
	"a list of lists":       "event=ONCRMLEADADD&data[FIELDS][ID][][]=1&auth[member_id]=abc",
	"a name in the list":    "event=ONCRMLEADADD&data[FIELDS][ID][x]=1&auth[member_id]=abc",
	"a real fraction":       "event=ONCRMLEADADD&data[FIELDS][ID]=15.5&auth[member_id]=abc",
	"a point and no digits": "event=ONCRMLEADADD&data[FIELDS][ID]=15.&auth[member_id]=abc",
	"two portals":           "event=ONAPPTEST&auth[member_id]=abc&auth[member_id]=abd",
	"two tokens":            "event=ONAPPTEST&auth[member_id]=abc&auth[application_token]=a&auth[application_token]=b",
	"two events":            "event=ONCRMLEADADD&event=ONAPPUNINSTALL&auth[member_id]=abc",
}

func TestParseCallbackRefusesWhatIsAmbiguous(t *testing.T) {
	for name, body := range ambiguousCallbacks {
		got, err := bitrix24.ParseCallback(body)
		if !errors.Is(err, bitrix24.ErrCallback) || !strings.Contains(err.Error(), "ID") && !strings.Contains(err.Error(), "two different") {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestParseBodyRefusesBrokenJSON(t *testing.T) {
	for _, body := range []string{
		`{`, `{"a":`, `{"a":1`, `{"a":1}}`, `{"a":1}{"b":2}`, `{"a":1} x`, `{"a":secret}`, `{"a":[1,}`, `{1:2}`, strings.Repeat(`{"a":`, 70) + "1" + strings.Repeat("}", 70),
	} {
		if _, err := bitrix24.ParseBody(body); !errors.Is(err, bitrix24.ErrForm) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", body, err)
		}
	}
	deep := strings.Repeat(`{"a":`, 64) + "7" + strings.Repeat("}", 64)
	form, err := bitrix24.ParseBody(deep)
	if err != nil || form.Text(strings.Split(strings.Repeat("a ", 64), " ")[:64]...) != "7" {
		t.Errorf("64 levels: %v", err)
	}
	form, err = bitrix24.ParseBody(`{"a":["x",{"b":false},true]}`)
	if err != nil || form.Text("a", "0") != "x" || form.Text("a", "1", "b") != "0" || form.Text("a", "2") != "1" {
		t.Errorf("a list: %v, %v", flat(form), err)
	}
}

func FuzzParseCallback(f *testing.F) {
	files, err := filepath.Glob("testdata/*.urlencoded")
	if err != nil || len(files) == 0 {
		f.Fatal("no payloads to start from", err)
	}
	for _, file := range files {
		f.Add(readCallback(f, filepath.Base(file)))
	}
	for _, bodies := range []map[string]string{oddCallbacks, ambiguousCallbacks} {
		for _, body := range bodies {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, body string) {
		cb, err := bitrix24.ParseCallback(body)
		if err != nil {
			if !errors.Is(err, bitrix24.ErrCallback) && !errors.Is(err, bitrix24.ErrForm) {
				t.Errorf("error of an unknown kind: %v", err)
			}
			return
		}
		if again, err := bitrix24.ParseCallback("\ufeff" + body); !strings.HasPrefix(body, "\ufeff") && (err != nil || again != cb) {
			t.Errorf("behind a byte order mark: %+v, %v", again, err)
		}
		if cb.Event.IsLead() && (cb.LeadID < 1 || cb.LeadID > 1<<31-1) {
			t.Errorf("lead id %d", cb.LeadID)
		}
	})
}
