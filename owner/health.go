package owner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"leadsync/leads"
)

// Part is a part of the owner's work on a portal.
type Part string

// The parts whose failures are reported.
const (
	PartNotices      Part = "notices"              // reading leads because of callbacks
	PartPasses       Part = "passes"               // reconciliation
	PartInstallation Part = "installation"         // notices about the portal itself
	PartSecondLooks  Part = "confirming deletions" // asking again for leads that were absent once
	PartSchedule     Part = "schedule"             // of passes
	PartBeat         Part = "presence"             // noting that the portal is served
	PartRecord       Part = "status record"        // storing how the portal stands
	PartUpkeep       Part = "upkeep"               // bindings, tokens, budget
	PartOfflineQueue Part = "offline queue"        // the portal's own queue of events
	PartDeletions    Part = "deletions"            // held back by the breaker
	PartLastPass     Part = "last full pass"       // an import or full pass that was given up
)

// PressingAfter is how long a part may fail before readiness, the portal's record and the
// metrics call it a problem; what a person has to act on is one at once.
const PressingAfter = 2 * time.Minute

// Problem is a part of a portal's work that fails.
type Problem struct {
	Part   Part
	Since  time.Time // of the first failure in a row
	Reason string    // the last error, in words
	Urgent bool      // a person has to act: waiting will not mend it
}

// Pressing tells whether the problem is to be reported.
func (p Problem) Pressing(now time.Time) bool { return p.Urgent || now.Sub(p.Since) >= PressingAfter }

// String says what fails, since when, and why.
func (p Problem) String() string {
	return fmt.Sprintf("%s: failing since %s: %s", p.Part, p.Since.UTC().Format(time.RFC3339), p.Reason)
}

// health is what fails of a portal's work. It is safe for concurrent use.
type health struct {
	now func() time.Time

	mu    sync.Mutex
	parts map[Part]Problem
}

// report notes that a part failed, or with nil that it works.
func (h *health) report(part Part, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		delete(h.parts, part)
		return
	}
	p, failing := h.parts[part]
	if !failing {
		p = Problem{Part: part, Since: h.now()}
	}
	p.Reason = err.Error()
	p.Urgent = errors.Is(err, leads.ErrPortalRefuses) || errors.Is(err, leads.ErrUnauthorized) ||
		errors.Is(err, leads.ErrMisconfigured) || errors.Is(err, errHeldBack)
	if h.parts == nil {
		h.parts = map[Part]Problem{}
	}
	h.parts[part] = p
}

// problems are the parts that fail, the oldest failure first.
func (h *health) problems() []Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Problem, 0, len(h.parts))
	for _, p := range h.parts {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Problem) int {
		if order := a.Since.Compare(b.Since); order != 0 {
			return order
		}
		return strings.Compare(string(a.Part), string(b.Part))
	})
	return list
}

// summary is what the portal's record keeps for other processes: the pressing problems in
// words, and since when there is one. Parts that fail for the same reason are named together.
func summary(problems []Problem, now time.Time) (words string, since time.Time) {
	var reasons []string
	parts := map[string][]string{}
	for _, p := range problems {
		if !p.Pressing(now) {
			continue
		}
		if since.IsZero() {
			since = p.Since
		}
		if parts[p.Reason] == nil {
			reasons = append(reasons, p.Reason)
		}
		parts[p.Reason] = append(parts[p.Reason], string(p.Part))
	}
	lines := make([]string, len(reasons))
	for i, reason := range reasons {
		lines[i] = strings.Join(parts[reason], ", ") + ": " + reason
	}
	return strings.Join(lines, "; "), since
}
