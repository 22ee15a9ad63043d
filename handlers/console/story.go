package console

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

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
func (c *Console) story(r *http.Request, ref leads.Ref) (story, error) {
	s := story{Days: usualSpan, Spans: spans}
	if days, err := strconv.Atoi(r.URL.Query().Get("days")); err == nil && slices.Contains(spans, days) {
		s.Days = days
	}
	told, err := c.cfg.Stories.Why(r.Context(), ref, c.cfg.Now().Add(-time.Duration(s.Days)*24*time.Hour))
	if err != nil {
		return s, err
	}
	s.Timeline = told
	s.Left = max(0, len(told.Moments)-momentsShown)
	s.Newest = slices.Clone(told.Moments[s.Left:])
	slices.Reverse(s.Newest)
	return s, nil
}

// compare shows a lead beside what the portal has now.
func (c *Console) compare(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	compared, err := c.cfg.Stories.Compare(r.Context(), ref)
	if err != nil {
		return view{}, err
	}
	v, err := c.lead(r)
	if d, ok := v.data.(leadData); ok {
		d.Compared = &compared
		v.data = d
	}
	return v, err
}

// repair has a lead read again.
func (c *Console) repair(r *http.Request) (view, error) {
	ref, err := refOf(r)
	if err != nil {
		return view{}, err
	}
	if err := c.cfg.Stories.Repair(r.Context(), ref); err != nil {
		return view{}, err
	}
	return seeOther(leadPath(ref.MemberID, ref.LeadID) + "?done=repaired")
}
