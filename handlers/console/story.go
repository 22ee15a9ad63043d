package console

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

// Stories are what happened to leads, and what is to happen.
type Stories interface {
	// Why tells what happened to a lead since a moment, also to one that the mirror lacks. The error
	// is ErrNotFound where there is no such portal.
	Why(ctx context.Context, ref leads.Ref, since time.Time) (journal.Timeline, error)
	// Changes are the newest changes of a lead, the newest first.
	Changes(ctx context.Context, ref leads.Ref, limit int) ([]leads.Revised, error)
	// Compare reads the lead from the portal now, and writes nothing.
	Compare(ctx context.Context, ref leads.Ref) (Comparison, error)
	// Repair has the lead read again and written, whatever the row has.
	Repair(ctx context.Context, ref leads.Ref) error
}

// Comparison is a row beside the lead in the portal.
type Comparison struct {
	At      time.Time // when the portal answered
	Sight   leads.Sight
	Problem string              // why the portal's answer is no lead; "" where it is one
	Known   bool                // the mirror has a row, which is no tombstone
	Fields  []leads.FieldChange // that differ, from the row's value to the portal's
}

// Equal tells whether there is nothing to repair.
func (c Comparison) Equal() bool {
	return c.Problem == "" && len(c.Fields) == 0 && c.Known == (c.Sight == leads.Present)
}

const (
	// momentsShown is how many moments of a lead are shown, the newest.
	momentsShown = 300
	changesShown = 100
)

// spans are how far back a lead's story may be told, in days.
var spans = []int{1, 7, 90}

// usualSpan is how long the journal is kept where nobody has said otherwise.
const usualSpan = 7

// story is what happened to a lead.
type story struct {
	journal.Timeline

	Newest []journal.Moment // at most momentsShown, the newest first
	Left   int              // moments that are not shown
	Days   int
	Spans  []int
}

// story tells what happened to a lead, as far back as the address says.
func (p leadPages) story(r *http.Request, ref leads.Ref) (story, error) {
	s := story{Days: usualSpan, Spans: spans}
	if days, err := strconv.Atoi(r.URL.Query().Get("days")); err == nil && slices.Contains(spans, days) {
		s.Days = days
	}
	told, err := p.stories.Why(r.Context(), ref, p.now().Add(-time.Duration(s.Days)*24*time.Hour))
	if err != nil {
		return s, err
	}
	s.Timeline = told
	s.Left = max(0, len(told.Moments)-momentsShown)
	s.Newest = slices.Clone(told.Moments[s.Left:])
	slices.Reverse(s.Newest)
	for i := range s.Newest { // a write that failed has stored nothing
		if m := &s.Newest[i]; m.What == "row" && strings.HasPrefix(m.Text, "the lead could not be written") {
			m.What = "failure"
		}
	}
	return s, nil
}

// compare shows a lead beside what the portal has now.
func (p leadPages) compare(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	compared, err := p.stories.Compare(r.Context(), ref)
	if err != nil {
		return view{}, err
	}
	v, err := p.lead(r)
	if d, ok := v.data.(leadData); ok {
		d.Compared = &compared
		v.data = d
	}
	return v, err
}

// repair has a lead read again.
func (p leadPages) repair(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	if err := p.stories.Repair(r.Context(), ref); err != nil {
		return view{}, err
	}
	return seeOther(leadPath(ref.MemberID, ref.LeadID) + "?done=repaired")
}
