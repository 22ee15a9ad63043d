package emulator_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator"
)

// chainedPages is a batch of 50 pages, each starting after the one before, as leadsync reads a
// whole portal.
func chainedPages() string {
	const page = `crm.lead.list?order[ID]=ASC&select[0]=*&select[1]=UF_*&select[2]=PHONE&select[3]=EMAIL&select[4]=WEB` +
		`&select[5]=IM&select[6]=LINK&start=-1`
	cmds := []string{`"p00":"` + page + `"`}
	for i := 1; i < 50; i++ {
		cmds = append(cmds, fmt.Sprintf(`"p%02d":"%s&filter[%%3EID]=$result[p%02d][49][ID]"`, i, page, i-1))
	}
	return `{"cmd":{` + strings.Join(cmds, ",") + `}}`
}

func serveOnce(tb testing.TB, p *emulator.Portal, method, body string) *httptest.ResponseRecorder {
	tb.Helper()
	w := httptest.NewRecorder()
	path := strings.TrimPrefix(p.Info().Webhook, p.Info().Portal) + method
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	p.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		tb.Fatalf("%d %.300s", w.Code, w.Body)
	}
	return w
}

// BenchmarkBatchOfFiftyLists reads 2,500 whole leads of 100,000 in one batch; the
// goal is under 100 ms of processor time.
func BenchmarkBatchOfFiftyLists(b *testing.B) {
	p, err := emulator.New(emulator.Config{Leads: 100_000, Seed: 1, NoLimits: true})
	if err != nil {
		b.Fatal(err)
	}
	body := chainedPages()
	b.ReportAllocs()
	for b.Loop() {
		w := serveOnce(b, p, "batch", body)
		b.SetBytes(int64(w.Body.Len()))
	}
}

// BenchmarkFirstPage is one list page, counted, of a million leads. It also
// reports what a lead takes in memory.
func BenchmarkFirstPage(b *testing.B) {
	const n = 1_000_000
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p, err := emulator.New(emulator.Config{Leads: n, Seed: 1, NoLimits: true})
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	for b.Loop() {
		serveOnce(b, p, "crm.lead.list", "{}")
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/n, "B/lead")
	b.ReportMetric(float64(after.Sys)/1e6, "MB-from-OS")
	runtime.KeepAlive(p)
}

// serveAny calls a method of a portal that does not listen. The answer may be an error.
func serveAny(tb testing.TB, p *emulator.Portal, method, body string) []byte {
	tb.Helper()
	w := httptest.NewRecorder()
	path := strings.TrimPrefix(p.Info().Webhook, p.Info().Portal) + method
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	p.Handler().ServeHTTP(w, r)
	return w.Body.Bytes()
}
