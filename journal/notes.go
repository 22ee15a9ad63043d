package journal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"leadsync/leads"
)

// notes say how far the journal goes.
func (a *assembly) notes() (notes []string) {
	r := a.known.Journal
	switch {
	case a.known.NoJournal != "":
		return []string{a.known.NoJournal}
	case r.Oldest.After(a.known.Since):
		notes = append(notes, "the journal of this machine begins at "+clock(r.Oldest))
	}
	for _, c := range []struct {
		cut  bool
		what string
	}{
		{r.Cut, "the lead"}, {r.CutWhole, "the portal as a whole"}, {r.CutRefused, "refused callbacks"},
	} {
		if c.cut {
			notes = append(notes, fmt.Sprintf("only the newest entries of the journal about %s were looked at", c.what))
		}
	}
	if r.Damaged > 0 {
		notes = append(notes, count(int64(r.Damaged), "file")+" of the journal: damaged in part")
	}
	if r.Unreadable > 0 {
		notes = append(notes, count(int64(r.Unreadable), "file")+" of the journal: not readable; run leadsync commands as the user of the service")
	}
	if changes, events := a.elsewhere(); changes+events > 0 {
		var lacks []string
		if changes > 0 {
			lacks = append(lacks, count(changes, "change")+" of the row")
		}
		if events > 0 {
			lacks = append(lacks, "the arrival of "+count(events, "event"))
		}
		notes = append(notes, fmt.Sprintf("the journal of this machine lacks %s: because of another replica, a kill or a full disk; leadsync why on the machine of another replica may tell more",
			strings.Join(lacks, " and ")))
	}
	return notes
}

// settling is how long an entry may be on its way to the disk.
const settling = 2 * time.Second

// gap reports whether the journal is known to lack entries of a moment.
func (a *assembly) gap(at time.Time) bool {
	return slices.ContainsFunc(a.known.Journal.Entries, func(e Entry) bool {
		return e.Kind == Gap && at.After(e.Since.Add(-settling)) && at.Before(e.At.Add(settling))
	})
}

// elsewhere counts the changes and the events that the journal would have if this machine had
// dealt with them, and had lost nothing.
func (a *assembly) elsewhere() (changes, events int64) {
	from := a.begins().Add(settling)
	for _, c := range a.known.Changes {
		known := slices.ContainsFunc(a.moments, func(m Moment) bool { return m.Source == fromBoth && m.Revision == c.Revision })
		if !known && !a.gap(c.At) && c.At.After(from) && c.At.Before(a.known.Now.Add(-settling)) {
			changes++
		}
	}
	stored, replayed := map[number]bool{}, time.Time{} // a dead letter's notice came from no callback
	for _, e := range a.known.Journal.Entries {
		if e.Kind == Replayed {
			replayed = e.At
		}
	}
	for _, n := range a.notices.stored {
		stored[n.number] = true
	}
	for i := range a.known.Journal.Entries {
		e := &a.known.Journal.Entries[i]
		if e.Kind == Read && e.Sequence != 0 && !a.gap(e.Since) && !stored[a.notices.number[e]] && e.Since.After(from) && e.Since.After(replayed) {
			events++
		}
	}
	return changes, events
}

// begins is the moment since which the journal should have everything about the lead.
func (a *assembly) begins() time.Time { return a.since(a.known.Journal.Cut, ofLead) }

// since is the moment since which the journal should have all entries of a sort, of which earlier
// ones were cut off.
func (a *assembly) since(cut bool, sort int) time.Time {
	r, from := a.known.Journal, a.known.Since
	if r.Oldest.After(from) {
		from = r.Oldest
	}
	if i := slices.IndexFunc(r.Entries, func(e Entry) bool { return sortOf(&e) == sort }); cut && i >= 0 && r.Entries[i].At.After(from) {
		from = r.Entries[i].At
	}
	return from
}

// heardOf says since when no event of the lead arrived, or was taken, and how sure that is.
func (a *assembly) heardOf(inVain bool) string {
	k := a.known
	if k.NoJournal != "" {
		return "The mirror has no row of the lead. Whether an event of it arrived is not known: there is no journal to ask."
	}
	sure := ""
	if k.Journal.Damaged+k.Journal.Unreadable > 0 || slices.ContainsFunc(k.Journal.Entries, func(e Entry) bool { return e.Kind == Gap }) {
		sure = ", as far as the journal is whole"
	}
	what := "arrived"
	if inVain {
		what = "was taken"
	}
	return fmt.Sprintf("The mirror has no row of the lead, and no event of it %s here since %s%s.", what, clock(a.begins()), sure)
}

// seen reports whether the database knows something of the lead beside its row.
func (k *Known) seen() bool {
	return k.Failing != nil || k.Callback != nil || len(k.Changes) > 0 || slices.ContainsFunc(k.Findings, func(f leads.Finding) bool { return f.Kind != leads.FindingPhantom })
}
