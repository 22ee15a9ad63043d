package portals

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

// refusalPause is how often a refusal is logged and journalled, by reason and portal: anybody can send
// callbacks, and a portal that is set up wrongly sends thousands.
const refusalPause = time.Minute

// hints say what a person can do about refused callbacks.
var hints = map[Reason]string{ //nolint:gosec // words about tokens, no token
	Unparsable:    "something other than Bitrix24 posts to the address of callbacks, or a proxy alters the body",
	TooLong:       "something other than Bitrix24 posts to the address of callbacks",
	UnknownPortal: "this portal never installed the application here: save the application's form in Bitrix24 again",
	WrongToken: "webhooks: LEADSYNC_B24_APPLICATION_TOKEN takes the token of each outgoing webhook, commas between them; " +
		"application: save its form in Bitrix24 again",
	NotVerified:    "if this is your portal, save the application's form in Bitrix24 again",
	Unavailable:    "save the application's form in Bitrix24 again",
	Starting:       "leadsync had just started and its database was not ready yet: save the application's form in Bitrix24 again",
	Forged:         "these callbacks were kept until they could be verified, and are not genuine",
	TokenNotLearnt: "save the application's form in Bitrix24 again, so that leadsync learns the application_token",
	TooMany:        "installations that the authorization server has not confirmed are checked a few times a minute; if this is your portal, save the form again in a minute",
	RobotWebhook: "an automation robot or business process posts here, and nobody can verify that: " +
		"create an outgoing webhook for the events of leads in Bitrix24 instead, and remove the robot's",
	ApplicationPage: `Bitrix24 opened leadsync as an application page: tick "Uses API only" in the application's form and save it again`,
	UnknownPath:     "callbacks go to " + leads.CallbackPath + ", the application's handler path is " + leads.RedirectPath + ": check the addresses in Bitrix24 and in the proxy",
	WrongMethod:     "callbacks are sent by POST, log-ins by GET: a proxy that redirects turns one into the other",
	NotAForm: "the body is not the form that Bitrix24 posts: a proxy or an integration platform rewrites it, or something else posts here; " +
		"let it pass the body and its Content-Type on as they come",
	WrongAddress:     "these callbacks are lost: enter the address that \"error\" names in Bitrix24's webhook or application, and check that the proxy leaves the path as it is",
	NotAdministrator: "an administrator of the portal has to install or log in",
}

// refusals remembers what was logged.
type refusals struct {
	mu   sync.Mutex
	last map[refusal]*logged
}

// refusal is what is logged once within refusalPause. Of portals that are not known, whose
// ids anybody can invent, there is one.
type refusal struct {
	reason   Reason
	memberID string
}

type logged struct {
	at    time.Time
	since int64 // refused since then
}

// due tells whether to log a refusal now, and how many there were since the last line,
// with this one.
func (r *refusals) due(one refusal, now time.Time) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.last[one]
	if !ok {
		if r.last == nil {
			r.last = map[refusal]*logged{}
		}
		before = &logged{}
		r.last[one] = before
	}
	before.since++
	if ok && !passed(before.at, now) {
		return 0, false
	}
	count := before.since
	*before = logged{at: now}
	return count, true
}

// notes are the refusals that the journal does not have yet: it gets one entry for each portal and
// reason within refusalPause, however many callbacks strangers send.
type notes struct {
	mu   sync.Mutex
	of   map[refusal]*note
	seen time.Time // when all of them were looked at
}

type note struct {
	at    time.Time     // of the last entry
	entry journal.Entry // what was refused since; Count 0 is nothing
}

// add takes a decision and returns what is due: also what others of the portals had refused before.
func (n *notes) add(d Decision, now time.Time) (due []journal.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if journalled(d) {
		if entry, ok := n.refused(d, now).due(now); ok {
			due = append(due, entry)
		}
	}
	if passed(n.seen, now) {
		n.seen = now
		for _, one := range n.of {
			if entry, ok := one.due(now); ok {
				due = append(due, entry)
			}
		}
	}
	return due
}

// rest returns what the journal does not have yet, however short a time ago the last entries were.
func (n *notes) rest() (left []journal.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, one := range n.of {
		if one.entry.Count > 0 {
			left = append(left, one.entry)
			one.entry = journal.Entry{}
		}
	}
	return left
}

// journalled tells whether the journal is to have the decision. The intake notes what it could not
// store, and what was found to be forged.
func journalled(d Decision) bool {
	return d.Known && d.Reason != Accepted && d.Reason != NotStored && d.Reason != Forged
}

// refused adds a refusal. An entry of several leads is about none of them.
func (n *notes) refused(d Decision, now time.Time) *note {
	of := refusal{d.Reason, d.MemberID}
	one, ok := n.of[of]
	if !ok {
		if n.of == nil {
			n.of = map[refusal]*note{}
		}
		one = &note{}
		n.of[of] = one
	}
	e := &one.entry
	if e.Count == 0 {
		*e = journal.Entry{Kind: journal.Refused, MemberID: d.MemberID, LeadID: d.LeadID, Word: d.Reason.String(), Since: now}
	}
	if e.LeadID != d.LeadID {
		e.LeadID = 0
	}
	e.At = now
	e.Count++
	return one
}

// due returns the entry of what was refused, once a minute.
func (n *note) due(now time.Time) (journal.Entry, bool) {
	if n.entry.Count == 0 || !passed(n.at, now) {
		return journal.Entry{}, false
	}
	entry := n.entry
	*n = note{at: now}
	return entry, true
}

// passed tells whether refusalPause has passed since a moment, or the clock was set back.
func passed(since, now time.Time) bool { return now.Sub(since) >= refusalPause || now.Before(since) }

// tally counts decisions, and logs, journals and remembers those that refuse.
type tally struct {
	// Stats counts the callbacks of this process; the HTTP handlers count here, too.
	Stats Stats

	journal *journal.Journal // nil keeps none
	now     func() time.Time
	log     *slog.Logger
	refused refusals
	noted   notes // refusals for the journal
	newest  newest
}

// note notes in the journal that portals' callbacks were refused.
func (t *tally) note(d Decision) {
	if t.journal != nil {
		t.journal.Add(t.noted.add(d, t.now())...)
	}
}

// Flush gives the journal the refusals of the last minute. It is called when no more callbacks come.
func (t *tally) Flush() {
	if t.journal != nil {
		t.journal.Add(t.noted.rest()...)
	}
}

// Count counts the decision on a callback, and logs why it is refused: once a minute by
// reason and portal.
func (t *tally) Count(ctx context.Context, d Decision) {
	t.Stats.Count(d.Reason)
	if d.Reason == Accepted && d.Verified {
		t.Stats.receivedOf(d.MemberID)
	}
	t.note(d)
	if d.Reason != Accepted {
		t.newest.add(d, t.now())
	}
	hint, ok := hints[d.Reason]
	if !ok {
		return
	}
	one := refusal{reason: d.Reason}
	if d.Known {
		one.memberID = d.MemberID
	}
	count, due := t.refused.due(one, t.now())
	if !due {
		return
	}
	about := []any{"reason", d.Reason.String(), "count", count, "member_id", d.MemberID, "domain", d.Domain, "hint", hint}
	if d.Err != nil {
		about = append(about, "error", d.Err)
	}
	t.log.WarnContext(ctx, "callback refused", about...)
}
