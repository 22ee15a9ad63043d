package leads_test

import (
	"encoding/json"
	"strings"
	"testing"

	"leadsync/leads"
)

func TestTokensAreCutFromLinks(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"first", "/x?auth=SECRET&fileId=1", "/x?fileId=1"},
		{"last", "/x?fileId=1&auth=SECRET", "/x?fileId=1"},
		{"alone", "https://a/x?auth=SECRET", "https://a/x"},
		{"before a fragment", "https://a/x?auth=SECRET#top", "https://a/x#top"},
		{"in a fragment", "https://a/x#access_token=SECRET&state=1", "https://a/x#state=1"},
		{"between", "/x?a=1&token=crm%7CSECRET&sessid=SECRET&b=2", "/x?a=1&b=2"},
		{"two apart", "/x?auth=SECRET&a=1&token=crm|SECRET", "/x?a=1"},
		{"capital", "/x?AUTH_ID=SECRET&REFRESH_ID=SECRET&DOMAIN=a", "/x?DOMAIN=a"},
		{"PHP's brackets", "/x?auth[access_token]=SECRET&a=1&data%5Btoken%5D=SECRET", "/x?a=1"},
		{"HTML", `<a href="/x?auth=SECRET&amp;id=1">x</a> <img src='/y?id=2&amp;token=SECRET'>`, `<a href="/x?id=1">x</a> <img src='/y?id=2'>`},
		{"HTML numbers", "/x?id=1&#38;auth=SECRET&#x26;b=2", "/x?id=1&#x26;b=2"},
		{"BBCode", "[url=/x?auth=SECRET]text[/url]", "[url=/x]text[/url]"},
		{"in text", "see https://a/x?auth=SECRET and https://b/?token=SECRET.", "see https://a/x and https://b/"},
		{"encoded", "/go?url=%2Fx%3Fauth%3DSECRET%26id%3D1", "/go?url=%2Fx%3Fid%3D1"},
		{"encoded small letters", "/go?url=%2fx%3fid%3d1%26token%3dcrm%257CSECRET", "/go?url=%2fx%3fid%3d1"},
		{"encoded, then more", "/go?url=%2Fx%3Fauth%3DSECRET&id=1", "/go?url=%2Fx&id=1"},
		{"encoded twice", "/go?u=%252Fx%253Fauth%253DSECRET%2526token%253Dcrm%25257CSECRET%2526id%253D1", "/go?u=%252Fx%253Fid%253D1"},
		{"JSON in a string", `{"u":"\/x?auth=SECRET\u0026id=1"}`, `{"u":"\/x?id=1"}`},
		{"webhook", "https://a/rest/1/abcdefSECRET1/download/?id=1", "https://a/rest/1/-/download/?id=1"},
		{"webhook encoded", "/go?u=%2Frest%2F1%2FabcdefSECRET1%2Fx", "/go?u=%2Frest%2F1%2F-%2Fx"},
		{"another parameter", "/x?author=a&tokens=2&design=3&utm_source=auth", "/x?author=a&tokens=2&design=3&utm_source=auth"},
		{"no link", "auth=1 and token=2", "auth=1 and token=2"},
		{"a method", "/rest/1/crm.lead.get", "/rest/1/crm.lead.get"},
	} {
		t.Run(c.name, func(t *testing.T) {
			card := func(text string) string {
				return `{"ID":"1","COMMENTS":` + quoted(text) + `,"UF_A":[{"a":{"` + "b" + `":` + quoted(text) + `}}]}`
			}
			lead := parse(t, card(c.text))
			if got := lead.Value("COMMENTS"); got != c.want || strings.Contains(string(lead.Raw), "SECRET") {
				t.Errorf("got  %s\nwant %s\nraw  %s", got, c.want, lead.Raw)
			}
			signedAnew := parse(t, card(strings.ReplaceAll(c.text, "SECRET", "OTHER")))
			if lead.Hash() != signedAnew.Hash() || leads.Diff(&lead, &signedAnew) != nil {
				t.Error("signed anew it is another card")
			}
			escaped := strings.NewReplacer("/", `\/`, "auth", `\u0061uth`, "=", `\u003d`, "%", `\u0025`).Replace(quoted(c.text))
			if lead := parse(t, `{"ID":"1","COMMENTS":`+escaped+`}`); !strings.Contains(c.text, `\`) && lead.Value("COMMENTS") != c.want {
				t.Errorf("escaped: %s", lead.Raw)
			}
		})
	}
	if got := leads.WithoutTokens(json.RawMessage(`{"a":"/x?auth=SECRET`)); strings.Contains(string(got), "SECRET") {
		t.Errorf("of broken JSON: %s", got)
	}
	const untouched = `{"a":"\u041f\/?x=1","b":"\ud83d\ude42"}`
	if got := leads.WithoutTokens(json.RawMessage(untouched)); string(got) != untouched {
		t.Errorf("text without tokens became %s", got)
	}
}

func quoted(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}
