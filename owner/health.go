package owner

import (
	"cmp"
	"errors"
	"maps"
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
	PartStatus       Part = "mirror status"        // how far the mirror can be trusted
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
	Since  time.Time // when the work began that failed first in a row, or has no answer yet
	Reason string    // the last error, in words
	Urgent bool      // a person has to act: waiting will not mend it
}

// Pressing tells whether the problem is to be reported.
func (p Problem) Pressing(now time.Time) bool { return p.Urgent || now.Sub(p.Since) >= PressingAfter }

// health is what fails of a portal's work, and what takes too long. It is safe for
// concurrent use.
type health struct {
	now func() time.Time

	mu    sync.Mutex
	parts map[Part]Problem
	// begun is when work that is under way began, or made progress last: a portal that
	// answers nothing causes no error for minutes.
	begun map[Part]time.Time
	// waiting is since when the oldest notice of a lead waits; zero where none does.
	waiting time.Time
}

// begin notes that a part works, or has made progress; pause that it waits on purpose.
func (h *health) begin(part Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.begun == nil {
		h.begun = map[Part]time.Time{}
	}
	h.begun[part] = h.now()
}

func (h *health) pause(part Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.begun, part)
}

// report notes that a part failed, or with nil that it works.
func (h *health) report(part Part, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	begun, working := h.begun[part]
	delete(h.begun, part)
	if err == nil {
		delete(h.parts, part)
		return
	}
	p, failing := h.parts[part]
	if !failing {
		p = Problem{Part: part, Since: h.now()}
		if working {
			p.Since = begun
		}
	}
	p.Reason = err.Error()
	p.Urgent = errors.Is(err, leads.ErrPortalRefuses) || errors.Is(err, leads.ErrUnauthorized) ||
		errors.Is(err, leads.ErrMisconfigured) || errors.Is(err, errHeldBack)
	if h.parts == nil {
		h.parts = map[Part]Problem{}
	}
	h.parts[part] = p
}

// setWaiting notes since when the oldest notice of a lead waits; zero for none.
func (h *health) setWaiting(since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting = since
}

// oldest is since when the oldest notice of a lead waits.
func (h *health) oldest() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}

// problems are the parts that fail or take too long, the oldest first.
func (h *health) problems() []Problem {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.now()
	h.forgetFuture(now)
	found := maps.Clone(h.parts)
	if found == nil {
		found = map[Part]Problem{}
	}
	for part, since := range h.begun {
		if _, failing := found[part]; !failing && now.Sub(since) >= PressingAfter {
			found[part] = Problem{Part: part, Since: since, Reason: noAnswer(part)}
		}
	}
	if late := now.Sub(h.waiting) >= PressingAfter; late && !h.waiting.IsZero() {
		p, known := found[PartNotices]
		if !known {
			p = Problem{Part: PartNotices, Since: h.waiting, Reason: backlog}
		}
		if h.waiting.Before(p.Since) {
			p.Since = h.waiting
		}
		found[PartNotices] = p
	}
	list := slices.Collect(maps.Values(found))
	slices.SortFunc(list, func(a, b Problem) int {
		return cmp.Or(a.Since.Compare(b.Since), strings.Compare(string(a.Part), string(b.Part)))
	})
	return list
}

// forgetFuture makes what began ahead of now, before the clock was set back, begin now.
func (h *health) forgetFuture(now time.Time) {
	for part, p := range h.parts {
		if p.Since.After(now) {
			p.Since = now
			h.parts[part] = p
		}
	}
	for part, since := range h.begun {
		if since.After(now) {
			h.begun[part] = now
		}
	}
}

// backlog is the reason where notices wait although the portal answers.
const backlog = "leads are read more slowly than callbacks come in, the oldest waits since then: see the portal's budget in `leadsync portals show`, and whether others call it from this address"

// noAnswer is the reason where a part works and nothing has failed yet.
func noAnswer(part Part) string {
	switch part {
	case PartSchedule, PartBeat, PartRecord, PartStatus:
		return "no answer from the database or NATS so far"
	default:
		return "no answer from the portal so far: check whether it opens in a browser, and whether this machine reaches it"
	}
}

// Describe says which parts fail, since when, and why: of the problems that are to be
// reported, "" where there are none. Parts that fail for the same reason are named together.
func Describe(problems []Problem, now time.Time) string {
	return inWords(problems, now, func(p Problem) string { return "failing since " + p.Since.UTC().Format(time.RFC3339) + ": " + p.Reason })
}

// summary is what the portal's record keeps for other processes: the pressing problems in
// words, and since when there is one. Parts that fail for the same reason are named together.
func summary(problems []Problem, now time.Time) (words string, since time.Time) {
	for _, p := range problems {
		if p.Pressing(now) {
			since = p.Since // the oldest comes first
			break
		}
	}
	return inWords(problems, now, func(p Problem) string { return p.Reason }), since
}

func inWords(problems []Problem, now time.Time, say func(Problem) string) string {
	var firsts []Problem // of each reason
	parts := map[string][]string{}
	for _, p := range problems {
		if !p.Pressing(now) {
			continue
		}
		if parts[p.Reason] == nil {
			firsts = append(firsts, p)
		}
		parts[p.Reason] = append(parts[p.Reason], string(p.Part))
	}
	lines := make([]string, len(firsts))
	for i, p := range firsts {
		lines[i] = strings.Join(parts[p.Reason], ", ") + ": " + say(p)
	}
	return strings.Join(lines, "; ")
}
