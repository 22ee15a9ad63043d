package reconcile

import (
	"strings"
	"testing"

	"leadsync/leads"
)

// An alarm's numbers show why deletions are stopped, also where those of the pass alone would be few enough.
func TestStoppedAlarmsAreTrue(t *testing.T) {
	for _, c := range []struct {
		phantom, candidates int64
		want                string
	}{
		{150, 0, "no longer lists 150 leads, and at most 100 may be deleted within an hour"},
		{58, 108, "no longer lists 58 leads; with those that were deleted within the last hour or wait to be deleted these are 108, and at most 100 "},
		{1, 101, "no longer lists 1 lead; with"},
	} {
		got := stoppedAlarm(&leads.Run{Sums: leads.Sums{Phantom: c.phantom}}, leads.Breaker{Candidates: c.candidates, Limit: 100}, 100)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s\nlacks %q", got, c.want)
		}
	}
}
