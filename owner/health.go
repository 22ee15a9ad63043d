package owner

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"leadsync/bitrix24"
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

// allParts are these.
var allParts = []Part{
	PartNotices, PartPasses, PartInstallation, PartSecondLooks, PartSchedule, PartBeat, PartRecord, PartStatus, PartUpkeep, PartOfflineQueue, PartDeletions, PartLastPass,
}

// PressingAfter is how long a part may fail before readiness, the portal's record and the
// metrics call it a problem; what a person has to act on is one at once.
const PressingAfter = 2 * time.Minute

// calmAfter is how long a part must have worked for its problem to be over. One that fails for
// a while, works for a moment and fails again is one problem, and lasts.
const calmAfter = time.Minute

// Problem is a part of a portal's work that fails, or did a moment ago.
type Problem struct {
	Part   Part      `json:"part"`
	Since  time.Time `json:"since"`          // when the work began that failed first, or has no answer yet
	Again  time.Time `json:"again"`          // the same, since it worked last; Since where it has not
	Works  time.Time `json:"works,omitzero"` // since when it works again; zero while it fails
	Reason string    `json:"reason"`         // the last error, in words
	Urgent bool      `json:"urgent"`         // a person has to act: waiting will not mend it
	// Portal says that it is the portal that refuses or does not answer: then a part that has
	// nothing to ask it does not show that it works.
	Portal bool `json:"portal,omitempty"`
}

// Pressing tells whether the problem is to be reported.
func (p Problem) Pressing(now time.Time) bool { return p.Urgent || now.Sub(p.Since) >= PressingAfter }

// Fails tells whether the part fails at this moment.
func (p Problem) Fails() bool { return p.Works.IsZero() }

// health is what fails of a portal's work, and what takes too long. It is safe for
// concurrent use.
type health struct {
	now  func() time.Time
	calm time.Duration // see calmAfter

	mu    sync.Mutex
	parts map[Part]Problem
	// begun is when work that is under way began, or made progress last: a portal that
	// answers nothing causes no error for minutes.
	begun map[Part]time.Time
	// waiting is since when the oldest notice of a lead waits; zero where none does.
	waiting time.Time
	heard   time.Time // when the portal answered last; zero where it has not yet
}

// hear notes that the portal has answered.
func (h *health) hear() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heard = h.now()
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
		h.works(part)
		return
	}
	from := h.now()
	if working {
		from = begun
	}
	p, known := h.parts[part]
	if !known || h.over(p) {
		p = Problem{Part: part, Since: from, Again: from}
	}
	if !p.Fails() {
		p.Again, p.Works = from, time.Time{}
	}
	p.Reason, p.Portal = err.Error(), bitrix24.OfPortal(err)
	p.Urgent = errors.Is(err, leads.ErrPortalRefuses) || errors.Is(err, leads.ErrUnauthorized) ||
		errors.Is(err, leads.ErrMisconfigured) || errors.Is(err, errHeldBack)
	if h.parts == nil {
		h.parts = map[Part]Problem{}
	}
	h.parts[part] = p
}

// works notes that a part works. What is looked up, and not tried, does not fail again by chance.
func (h *health) works(part Part) {
	p, known := h.parts[part]
	switch {
	case !known:
	case part == PartDeletions, part == PartLastPass:
		delete(h.parts, part)
	case p.Portal && !h.heard.After(p.Again): // it had nothing to ask
	case p.Fails():
		p.Works = h.now()
		h.parts[part] = p
	}
}

// over tells whether a problem has been over for long enough.
func (h *health) over(p Problem) bool { return !p.Fails() && h.now().Sub(p.Works) >= h.calm }

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
	maps.DeleteFunc(h.parts, func(_ Part, p Problem) bool { return h.over(p) })
	found := maps.Clone(h.parts)
	if found == nil {
		found = map[Part]Problem{}
	}
	h.addUnanswered(found, PressingAfter)
	if late := now.Sub(h.waiting) >= PressingAfter; late && !h.waiting.IsZero() {
		p, known := found[PartNotices]
		if !known {
			p.Since = h.waiting
		}
		if !known || !p.Fails() { // reading works, and is too slow
			p = Problem{Part: PartNotices, Since: p.Since, Again: h.waiting, Reason: backlog}
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

// addUnanswered adds the parts that work for that long without an answer.
func (h *health) addUnanswered(to map[Part]Problem, after time.Duration) {
	for part, since := range h.begun {
		if _, failing := to[part]; !failing && h.now().Sub(since) >= after {
			to[part] = Problem{Part: part, Since: since, Again: since, Reason: noAnswer(part), Portal: part.asksPortal()}
		}
	}
}

// inheritable are the problems that the next owner is to know, also those that are not reported
// yet: it might be replaced as soon.
func (h *health) inheritable() []Problem {
	problems := h.problems()
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[Part]Problem{}
	for _, p := range problems {
		found[p.Part] = p
	}
	h.addUnanswered(found, unansweredLeast)
	return slices.SortedFunc(maps.Values(found), func(a, b Problem) int { return strings.Compare(string(a.Part), string(b.Part)) })
}

// unansweredLeast is how long work must be under way for the next owner to know of it: the portal
// answers most within a second.
const unansweredLeast = 10 * time.Second

// forgetFuture makes what began ahead of now, before the clock was set back, begin now.
func (h *health) forgetFuture(now time.Time) {
	for part, p := range h.parts {
		for _, at := range []*time.Time{&p.Since, &p.Again, &p.Works} {
			if at.After(now) {
				*at = now
			}
		}
		h.parts[part] = p
	}
	for part, since := range h.begun {
		if since.After(now) {
			h.begun[part] = now
		}
	}
}

// inherit takes over what an earlier owner has written. Parts that this version does not know
// would never work.
func (h *health) inherit(text string) {
	var problems []Problem
	if json.Unmarshal([]byte(text), &problems) != nil { // "" is the most common
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = map[Part]Problem{}
	for _, p := range problems {
		if slices.Contains(allParts, p.Part) {
			h.parts[p.Part] = p
		}
	}
}

// written are problems for the next owner; "" are none. Since when notices wait it sees itself.
func written(problems []Problem) string {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p Problem) bool { return p.Reason == backlog })
	if len(problems) == 0 {
		return ""
	}
	text, err := json.Marshal(problems)
	if err != nil {
		return "" // impossible for times within these centuries
	}
	return string(text)
}

// backlog is the reason where notices wait although the portal answers.
const backlog = "leads are read more slowly than callbacks come in, the oldest waits since then: see the portal's budget in `leadsync portals show`, and whether others call it from this address"

// noAnswer is the reason where a part works and nothing has failed yet.
func noAnswer(part Part) string {
	if !part.asksPortal() {
		return "no answer from the database or NATS so far"
	}
	return "no answer from the portal so far: check whether it opens in a browser, and whether this machine reaches it"
}

// asksPortal tells the parts that need the portal from those that need only the database or NATS.
func (p Part) asksPortal() bool {
	return p != PartSchedule && p != PartBeat && p != PartRecord && p != PartStatus
}

// Describe says which parts fail, since when, and why: of the problems that are to be
// reported, "" where there are none. Parts that fail for the same reason are named together.
func Describe(problems []Problem, now time.Time) string {
	return inWords(problems, now, func(p Problem) string {
		since := "failing since " + p.Since.UTC().Format(time.RFC3339)
		if !p.Fails() {
			since = "failed from " + p.Since.UTC().Format(time.RFC3339) + " to " + p.Works.UTC().Format(time.RFC3339)
		}
		return since + ": " + p.Reason
	})
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
