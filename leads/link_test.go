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
		{"mixed case", "/x?Access_Token=SECRET&ReFresh_Token=SECRET&a=1", "/x?a=1"},
		{"encoded names", "/x?access%5Ftoken=SECRET&%61uth=SECRET&A%55TH%5fID=SECRET&a=1", "/x?a=1"},
		{"encoded names in an encoded link", "/go?u=%2Fx%3Faccess%255Ftoken%3DSECRET%26%2561uth%3DSECRET%26a%3D1", "/go?u=%2Fx%3Fa%3D1"},
		{"S3", "https://s3/f.pdf?X-Amz-Algorithm=AWS4&X-Amz-Credential=SECRET%2F20261126%2Fs3&X-Amz-Date=SECRET&X-Amz-Expires=SECRET&X-Amz-SignedHeaders=host&X-Amz-Security-Token=SECRET&X-Amz-Signature=SECRET&v=1", "https://s3/f.pdf?v=1"},
		{"S3 in small letters, encoded", "/go?u=%2Ff%3Fv%3D1%26x-amz-date%3DSECRET%26x%252Damz-signature%3DSECRET", "/go?u=%2Ff%3Fv%3D1"},
		{"S3 before", "https://s3/f?AWSAccessKeyId=SECRET&Expires=SECRET&Signature=SECRET%3D&v=1", "https://s3/f?v=1"},
		{"S3 before, in another order", "https://s3/f?v=1&Expires=SECRET&Signature=SECRET", "https://s3/f?v=1"},
		{"other storages", "https://g/f?GoogleAccessId=SECRET&X-Goog-Date=SECRET&v=1 https://o/f?temp_url_sig=SECRET&temp_url_expires=SECRET", "https://g/f?v=1 https://o/f"},
		{"a date that signs nothing", "https://a/x?expires=2027-01-01&policy=7", "https://a/x?expires=2027-01-01&policy=7"},
		{"HTML quotes", "&lt;a href=&quot;/x?auth=SECRET&quot;&gt;x&lt;/a&gt; &#39;/y?a=1&token=SECRET&#39;", "&lt;a href=&quot;/x&quot;&gt;x&lt;/a&gt; &#39;/y?a=1&#39;"},
		{"HTML quotes of an encoded text", "%26quot%3B%2Fx%3Fauth%3DSECRET%26quot%3B", "%26quot%3B%2Fx%26quot%3B"},
		{"HTML twice", "/x?id=1&amp;amp;auth=SECRET&amp;amp;b=2 &amp;quot;/y?sid=SECRET&amp;quot;", "/x?id=1&amp;amp;b=2 &amp;quot;/y&amp;quot;"},
		{"JSON in JSON", `{"u":"\\/x\u003fauth\u003dSECRET\\/SECRET\u003d\u0026id=1"}`, `{"u":"\\/x\u003fid=1"}`},
		{"JSON escapes", `"\/x?id=1&token=SECRET=&b=2"`, `"\/x?id=1&b=2"`},
		{"words", "R&D; token of thanks; author? signature: yes&no, sign=here", "R&D; token of thanks; author? signature: yes&no, sign=here"},
		{"names that only look alike", "/x?assign=1&design=2&sigma=3&signs=4&insid=5&x-amz-meta=6&authors=7&expiresat=8", "/x?assign=1&design=2&sigma=3&signs=4&insid=5&x-amz-meta=6&authors=7&expiresat=8"},
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

// A card of 64 KB that is full of links is cleaned fast enough for thousands of cards; what
// this measures is compared by hand.
func BenchmarkWithoutTokens(b *testing.B) {
	links := strings.Repeat(`see https://company.bitrix24.com/disk/?id=17&file=report.pdf&auth=0123456789abcdef&v=1 and some words. `, 600)
	card := json.RawMessage(`{"COMMENTS":` + quoted(links) + `}`)
	b.SetBytes(int64(len(card)))
	for b.Loop() {
		leads.WithoutTokens(card)
	}
}
