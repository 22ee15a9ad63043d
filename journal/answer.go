package journal

import (
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// answer says how the lead stands, and what may be the reason.
func (a *assembly) answer() []string {
	k := a.known
	var says []string
	say := func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) }
	switch {
	case k.NoRow:
		say("The database did not say whether the mirror has a row of the lead.")
	case k.Row == nil && !a.came():
		return append(a.neverCame(), a.state()...)
	case k.Row == nil:
		say("The mirror has no row of the lead, although something was heard of it.")
	case k.Row.Deleted:
		say("The portal no longer has the lead: its row is a tombstone, revision %d.", k.Row.Revision)
	default:
		say("The row is at revision %d.%s", k.Row.Revision, a.lastChange())
		if k.Row.Absent {
			say("The portal did not find the lead at the last read; the row stays until a second look.")
		}
	}
	switch f := k.Failing; {
	case f == nil:
	case f.Parked():
		say("It cannot be written and was given up after %s, the last at %s: %s. leadsync dead replay --lead %d has it read again.", count(int64(f.Attempts), "attempt"), clock(f.LastAt), f.Reason, a.ref.LeadID)
	default:
		say("It cannot be written; the next attempt is at %s: %s.", clock(f.NextAttemptAt), f.Reason)
	}
	if waiting := a.notices.waiting(); !waiting.IsZero() {
		say("The event of %s was not read yet, as far as this machine knows.", clock(waiting))
	}
	return append(says, a.state()...)
}

// came reports whether anything is known of the lead itself.
func (a *assembly) came() bool {
	k := a.known
	return k.seen() || slices.ContainsFunc(k.Journal.Entries, func(e Entry) bool { return e.LeadID != 0 && !e.nothing() })
}

// nothing reports whether nothing can have come of an entry: strangers can name any lead, and what
// was lost was not read. What is genuine although nobody could tell at first is drained later.
func (e *Entry) nothing() bool {
	switch e.Kind {
	case Refused, Forged, Lost:
		return true
	case Spooled:
		return e.Word == Unverified
	default:
		return false
	}
}

// inVain says which callbacks named the lead although no event of it was taken.
func (a *assembly) inVain() (says []string) {
	var refused, forged, lost, waiting int64
	for i := range a.known.Journal.Entries {
		e := &a.known.Journal.Entries[i]
		switch {
		case e.LeadID == 0:
		case e.Kind == Refused:
			refused += max(1, e.Count)
		case e.Kind == Forged:
			forged++
		case e.Kind == Lost:
			lost++
		case e.Kind == Spooled && e.Word == Unverified:
			waiting++
		}
	}
	waiting = max(0, waiting-forged)
	for _, v := range []struct {
		n    int64
		what string
	}{
		{refused, "refused; the lines below say why"},
		{forged, "found not to be genuine"},
		{lost, "lost, because it could be kept nowhere"},
		{waiting, "kept on disk until it is known whether it is genuine"},
	} {
		if v.n > 0 {
			says = append(says, fmt.Sprintf("Callbacks that name the lead: %d %s.", v.n, v.what))
		}
	}
	return says
}

// lastChange says when and by what the row changed last.
func (a *assembly) lastChange() string {
	for _, m := range slices.Backward(a.moments) {
		if m.What == "row" && changing(m.Text) {
			return fmt.Sprintf(" Its last change was at %s: %s.", clock(m.At), m.Text)
		}
	}
	if a.known.lacks(PartChanges) {
		return " When it changed last is not known."
	}
	if len(a.known.Changes) > 0 { // before the time that is told of
		c := a.known.Changes[0]
		return fmt.Sprintf(" Its last change was at %s: revision %d, %s.", clock(c.At), c.Revision, c.Kind)
	}
	return " Nothing is known of its last change: it was before the history begins."
}

// neverCame says what is known of the time when a lead should have come.
func (a *assembly) neverCame() []string {
	k := a.known
	vain := a.inVain()
	says := append([]string{a.heardOf(len(vain) > 0)}, vain...)
	say := func(format string, args ...any) { says = append(says, fmt.Sprintf(format, args...)) }
	from, to := k.Below.CreatedAt, k.Above.CreatedAt
	if !to.IsZero() && to.Before(from) { // the portal took leads of another system over
		from, to = to, from
	}
	switch {
	case k.lacks(PartRow):
		say("When it was created is not known: the database did not say which leads are beside it.")
	case k.Below.LeadID == 0 && k.Above.LeadID == 0:
		say("The mirror has no lead of this portal at all.")
	case k.Above.LeadID == 0:
		say("The newest lead that the mirror has is %d: perhaps the portal has not created lead %d yet.", k.Below.LeadID, a.ref.LeadID)
	case !from.IsZero() && !to.IsZero():
		say("If it exists, it was created between %s (lead %d) and %s (lead %d).", clock(k.Below.CreatedAt), k.Below.LeadID, clock(k.Above.CreatedAt), k.Above.LeadID)
	}
	says = append(says, a.troubles(from, to)...)
	switch {
	case k.lacks(PartPasses):
		say("Whether a pass has looked at all leads is not known.")
	case k.Pass.ID == "":
		say("No pass has looked at all leads of the portal yet.")
	case !k.Above.CreatedAt.IsZero() && k.Pass.StartedAt.After(k.Above.CreatedAt):
		say("The pass of %s looked at all leads and did not see it: the portal had no such lead, or does not show it to leadsync.", clock(k.Pass.StartedAt))
	default:
		say("The last pass that looked at all leads began at %s; leadsync reconcile looks again.", clock(k.Pass.StartedAt))
	}
	return says
}

// troubles says what was wrong while the lead must have been created, and what of that time is not
// known. A zero time is not known, either.
func (a *assembly) troubles(from, to time.Time) (says []string) {
	k := a.known
	if from.IsZero() {
		from = k.Since
	}
	if to.IsZero() {
		to = k.Now
	}
	from, to = from.Add(-time.Minute), to.Add(time.Minute)
	refused := int64(0)
	for _, e := range k.Journal.Entries {
		if (e.Kind == Refused || e.Kind == Lost) && !e.At.Before(from) && !e.first().After(to) {
			refused += max(1, e.Count)
		}
	}
	if refused > 0 {
		says = append(says, fmt.Sprintf("Refused in this time: at least %s of the portal; the lines below say why.", count(refused, "callback")))
	}
	outages := 0
	for _, i := range k.Incidents {
		if !i.To.Before(from) && !i.From.After(to) {
			outages++
			says = append(says, fmt.Sprintf("Perhaps this is why: %s.", outage(i.Kind, i.From, i.To, i.Detail)))
		}
	}
	told := a.toldOfRefusals()
	askedOutages, askedRefusals := !k.lacks(PartOutages) && !to.Before(k.Kept), k.NoJournal == "" && !to.Before(told)
	switch {
	case outages+int(refused) > 0:
	case askedOutages && askedRefusals:
		says = append(says, "No outage, refusal or silence is known of that time.")
	case askedOutages:
		says = append(says, "No outage or silence is known of that time.")
	case askedRefusals:
		says = append(says, "No refusal is known of that time.")
	}
	switch {
	case k.lacks(PartOutages):
		says = append(says, "Outages are not known: the database did not say.")
	case from.Before(k.Kept):
		says = append(says, fmt.Sprintf("Outages before %s are not known any more: LEADSYNC_KEEP.", clock(k.Kept)))
	}
	switch {
	case k.NoJournal != "":
		says = append(says, "Whether callbacks were refused is not known: there is no journal to ask.")
	case from.Before(told):
		says = append(says, fmt.Sprintf("Whether callbacks were refused before %s is not known: the journal was read from then on.", clock(told)))
	}
	return says
}

// first is when what an entry counts began.
func (e *Entry) first() time.Time {
	if e.Since.IsZero() {
		return e.At
	}
	return e.Since
}

// toldOfRefusals is the moment since which the journal should have the portal's refusals.
func (a *assembly) toldOfRefusals() time.Time {
	r := a.known.Journal
	return a.since(r.CutRefused, ofStrangers)
}

// state says whether the portal's mirror can be trusted now.
func (a *assembly) state() []string {
	s := a.known.Status
	if s.State == "" || s.State == leads.MirrorCurrent {
		return nil
	}
	return []string{fmt.Sprintf("The portal's mirror is %s since %s%s.", s.State, clock(s.Since), reason(s.Reason))}
}
