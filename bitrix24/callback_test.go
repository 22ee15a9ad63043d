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

func FuzzParseCallback(f *testing.F) {
	files, err := filepath.Glob("testdata/*.urlencoded")
	if err != nil || len(files) == 0 {
		f.Fatal("no payloads to start from", err)
	}
	for _, file := range files {
		f.Add(readCallback(f, filepath.Base(file)))
	}
	f.Fuzz(func(t *testing.T, body string) {
		cb, err := bitrix24.ParseCallback(body)
		if err != nil {
			if !errors.Is(err, bitrix24.ErrCallback) && !errors.Is(err, bitrix24.ErrForm) {
				t.Errorf("error of an unknown kind: %v", err)
			}
			return
		}
		if cb.Event.IsLead() && (cb.LeadID < 1 || cb.LeadID > 1<<31-1) {
			t.Errorf("lead id %d", cb.LeadID)
		}
	})
}
