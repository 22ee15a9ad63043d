package owner

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/leads/leadstest"
)

func TestProblemsArePressingInTime(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	h := &health{now: clock.Now}
	h.report(PartPasses, errors.New("the portal shows a web page"))
	if words, _ := summary(h.problems(), clock.Now()); words != "" {
		t.Errorf("at once: %s", words)
	}
	clock.Advance(PressingAfter)
	h.report(PartPasses, errors.New("the portal does not answer"))
	words, since := summary(h.problems(), clock.Now())
	if words != "passes: the portal does not answer" || !since.Equal(clock.Now().Add(-PressingAfter)) {
		t.Errorf("after two minutes: %q since %s", words, since)
	}
	h.report(PartPasses, nil)
	if words, _ := summary(h.problems(), clock.Now()); words != "" {
		t.Errorf("when it works again: %s", words)
	}
}

// What only a person can mend is said at once, and once for all parts that it stops.
func TestRefusalsArePressingAtOnce(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	for _, err := range []error{leads.ErrPortalRefuses, leads.ErrUnauthorized, leads.ErrMisconfigured, errHeldBack} {
		h := &health{now: clock.Now}
		h.report(PartNotices, fmt.Errorf("read: %w", err))
		h.report(PartPasses, fmt.Errorf("read: %w", err))
		words, _ := summary(h.problems(), clock.Now())
		if strings.Count(words, err.Error()) != 1 || !strings.Contains(words, "notices, passes: ") {
			t.Errorf("%v: %q", err, words)
		}
	}
}
