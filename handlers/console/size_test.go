package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/leads"
)

// mostPage is how large a page may be in these tests, in bytes: a browser on a telephone opens it.
const mostPage = 300_000

// manyLetters are dead letters of many reasons: one of half of them, and others.
func manyLetters(n int, other func(i int) string) (letters []events.DeadLetter) {
	for i := range n {
		reason := fmt.Sprintf("apply a223c6b3710f85df22e9377d6c4f7553/%d: value too long", i)
		if i%2 == 0 {
			reason = other(i)
		}
		letters = append(letters, events.DeadLetter{Notice: events.Notice{Ref: leads.Ref{MemberID: member, LeadID: int64(i + 1)}}, Reason: reason, LastAt: time.Unix(int64(i), 0)})
	}
	return letters
}

var shownLetter = regexp.MustCompile(`href="/dead/` + member + `/([0-9]+)"`)

// Ten thousand letters are shown page by page, and each of them is on one.
func TestTenThousandDeadLettersAreShownInPages(t *testing.T) {
	h := furnished("plain")
	h.letters = manyLetters(10_000, func(int) string { return "the portal answered nonsense" })
	o := open(t, h)
	first := o.page("/dead")
	if len(first) > mostPage || shownLetter.MatchString(first) {
		t.Errorf("the page of two groups has %d bytes", len(first))
	}
	seen := map[string]bool{}
	for _, key := range regexp.MustCompile(`href="/dead\?group=([0-9a-f]+)"`).FindAllStringSubmatch(first, -1) {
		for path := "/dead?group=" + key[1]; path != ""; {
			page := o.page(path)
			found := shownLetter.FindAllStringSubmatch(page, -1)
			if len(page) > mostPage || len(found) != 100 {
				t.Fatalf("%s has %d bytes and %d letters", path, len(page), len(found))
			}
			for _, one := range found {
				seen[one[1]] = true
			}
			path = ""
			if older := regexp.MustCompile(`<a href="([^"]+)">Older</a>`).FindStringSubmatch(page); older != nil {
				path = strings.ReplaceAll(older[1], "&amp;", "&")
			}
		}
	}
	if len(seen) != 10_000 {
		t.Errorf("%d letters were shown", len(seen))
	}
	for _, nonsense := range []string{"x", "-1", "99999999999999999999", "1000000"} {
		if page := o.page("/dead?group=none&page=" + nonsense); len(page) > mostPage {
			t.Errorf("page %s has %d bytes", nonsense, len(page))
		}
	}
}

// Reasons that a portal makes up are no way to make the page large.
func TestManyReasonsAreBounded(t *testing.T) {
	h := furnished("plain")
	h.letters = manyLetters(4_000, func(i int) string { return strings.Repeat("x", i%1000) + strings.Repeat("y", i/1000) })
	o := open(t, h)
	page := o.page("/dead")
	if n := strings.Count(page, `<section class="group">`); n != 50 || len(page) > mostPage || !strings.Contains(page, "Further reasons") {
		t.Errorf("%d groups in %d bytes", n, len(page))
	}
}

// BenchmarkPages is how long pages take that have much to show.
func BenchmarkPages(b *testing.B) {
	h := furnished("plain")
	h.letters = manyLetters(10_000, func(int) string { return "the portal answered nonsense" })
	for i := range 100_000 {
		h.findings = append(h.findings, leads.Finding{Ref: leads.Ref{MemberID: member, LeadID: int64(i + 1)}, Kind: leads.FindingMissed, Fields: []string{"TITLE"}, FoundAt: time.Unix(0, 0)})
	}
	h.trend = trendOf(time.Minute, make([]float64, 60)...)
	c := console.New(h.config())
	for _, path := range []string{"/", "/passes/run-1", "/dead", lead17, "/charts/lag.svg", "/portals/connect"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				c.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, http.NoBody))
				b.ReportMetric(float64(w.Body.Len()), "B/page")
			}
		})
	}
}
