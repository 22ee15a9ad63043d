package service

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"testing"

	"leadsync/portals"
)

// scraped are the numbers of leadsync and its process, by name with labels.
func scraped(s *Service) map[string]string {
	answer := httptest.NewRecorder()
	metricsHandler(s).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	found := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^((?:leadsync|process)_\w+(?:\{.*\})?) (\S+)$`).FindAllStringSubmatch(answer.Body.String(), -1) {
		found[m[1]] = m[2]
	}
	return found
}

// Prometheus sees no increase in a counter that begins with 1.
func TestEachReasonIsCountedFromTheStart(t *testing.T) {
	p := openPages(t, 1)
	found := scraped(p.service)
	reasons := 0
	for r := portals.Accepted + 1; r.String() != ""; r++ {
		reasons++
		if n := found[`leadsync_callbacks_refused_total{reason="`+r.String()+`"}`]; n != "0" {
			t.Errorf("%s: %q", r, n)
		}
	}
	if reasons < 20 {
		t.Errorf("%d reasons: %q", reasons, slices.Sorted(maps.Keys(found)))
	}
}
