package journal

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// clock is a moment in a sentence.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// about is a duration as people say it.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// count is a number of things.
func count(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return strconv.FormatInt(n, 10) + " " + thing + "s"
}

func within(took time.Duration) string {
	if took <= 0 {
		return ""
	}
	return " within " + about(took)
}

// inBatch is the duration of a batch, in which each lead took less.
func inBatch(took time.Duration) string {
	if took <= 0 {
		return ""
	}
	return ", in a batch that took " + about(took)
}

func reason(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// lag is how long after the callback something was, in seconds.
func lag(e *Entry) float64 {
	if e.Since.IsZero() {
		return 0
	}
	return max(0, e.At.Sub(e.Since).Seconds())
}

// refusals say why callbacks were refused, by the reasons' names.
var refusals = map[string]string{ //nolint:gosec // words about tokens, no token
	"unparsable":       "the body is not a callback of Bitrix24",
	"too_long":         "the body is too long",
	"unknown_portal":   "no such portal is connected",
	"wrong_token":      "the application_token in it is not the portal's",
	"not_verified":     "the authorization server does not confirm the installation, or the portal is not allowed here",
	"unavailable":      "the database, NATS or Bitrix24 did not answer",
	"forged":           "it was not genuine",
	"unknown_event":    "leadsync did not ask for this event",
	"token_not_learnt": "the portal's application_token is not known yet, so nobody can verify it",
	"too_many":         "installations that nobody has confirmed came too often",
	"robot_webhook":    "an automation robot or a business process sent it, and nobody can verify that",
	"application_page": "Bitrix24 opened leadsync as an application page",
	"unknown_path":     "leadsync has no such address",
	"wrong_method":     "it was sent with a wrong HTTP method",
	"not_a_form":       "the body is not the form that Bitrix24 posts",
	"wrong_address":    "it was posted to another address than that of callbacks",

	"not_started":       "a log-in did not begin here, or in another browser",
	"not_administrator": "a log-in was by a user who may do less than the one whose tokens are stored",
	"bad_domain":        "a log-in named something else than the address of a portal",
	"no_application":    "a log-in needs the application's client id and secret, which are not configured",
	"not_served":        "a log-in came from a portal that is not allowed here",
	"untrusted_server":  "a log-in named a server that is not one of Bitrix24's authorization servers",
	"code_expired":      "a log-in took too long",
	"wrong_application": "a log-in failed, because the authorization server does not know the client id or secret",
	"login_failed":      "a log-in failed",
}

// refused tells of callbacks that were refused.
func refused(e *Entry) string {
	why := refusals[e.Word]
	if why == "" {
		why = e.Word
	}
	if e.Count <= 1 {
		return "a callback was refused: " + why
	}
	return fmt.Sprintf("%d callbacks were refused since %s: %s", e.Count, clock(e.first()), why)
}

// read tells of a read from the portal.
func read(e *Entry) string {
	answer := map[string]string{
		"present": "the portal sent the lead", "absent": `the portal answered "Not found"`,
		"denied": `the portal answered "Access denied.": the lead exists and leadsync may not read it`, "unusable": "the portal's answer cannot be used",
	}[e.Word]
	if answer == "" {
		answer = "the portal answered " + e.Word
	}
	text := answer + inBatch(e.Took)
	if e.Waited > time.Millisecond {
		text += ", after " + about(e.Waited) + " of waiting for its limits"
	}
	if e.Sequence != 0 {
		text += fmt.Sprintf(", because of notice %d", e.Sequence)
	} else {
		text += ", because an earlier attempt had failed"
	}
	t := leads.Ticket(e.Ticket)
	return text + fmt.Sprintf("; ticket %d.%d", t.Epoch(), int64(t)&(1<<32-1))
}

// How sentences about a row that has changed begin.
const (
	rowInserted = "the row was inserted"
	rowUpdated  = "the row was updated"
	rowDeleted  = "the row became a tombstone"
)

// wrote tells what became of a row.
func wrote(cause leads.Cause, verdict string, revision int64, fields []leads.FieldChange) string {
	text := map[string]string{
		"inserted": rowInserted, "updated": rowUpdated, "deleted": rowDeleted,
		"unchanged": "the row was equal already, nothing was written", "older": "a later read had reached the row already, this one was dropped",
		"missing":  "the portal does not find the lead: the row stays until a second look",
		"withheld": "the portal does not find the lead, but too many would be deleted: the row stays until a person allows it",
		"failed":   "the lead could not be written",
	}[verdict]
	if text == "" {
		text = "the row: " + verdict
	}
	if changing(text) {
		text += fmt.Sprintf(", revision %d", revision)
	}
	if len(fields) > 0 {
		text += ": " + names(fields)
	}
	why := map[leads.Cause]string{
		leads.CauseReconcile: " (by a pass)", leads.CauseImport: " (by the import)", leads.CauseOffline: " (by the portal's own queue)",
	}[cause]
	return text + why
}

// names lists fields, with their values where they are known.
func names(fields []leads.FieldChange) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.Field
		if f.Old != nil && f.New != nil {
			list[i] += fmt.Sprintf(" %q → %q", *f.Old, *f.New)
		}
	}
	return strings.Join(list, ", ")
}

// found tells what a pass found.
func found(kind leads.FindingKind, fields []string, repaired, cause string, behind time.Duration) string {
	text := map[leads.FindingKind]string{
		leads.FindingMissed: "a pass found that the mirror lacked the lead", leads.FindingStale: "a pass found the row different from the portal",
		leads.FindingPhantom: "a pass found that the portal no longer has the lead", leads.FindingUnreadable: "a pass found that leadsync may not read the lead",
		leads.FindingUnprocessable: "a pass found that the portal's answer for the lead cannot be used",
	}[kind]
	if text == "" {
		text = "a pass found: " + string(kind)
	}
	if len(fields) > 0 {
		text += " in " + strings.Join(fields, ", ")
	}
	if behind > 0 {
		text += ", for about " + behind.Round(time.Second).String()
	}
	return text + "; repair: " + repaired + reason(cause)
}

// outage tells of an incident.
func outage(kind leads.IncidentKind, from, to time.Time, detail string) string {
	what := map[leads.IncidentKind]string{
		leads.IncidentDown: "no leadsync process served the portal", leads.IncidentUnbound: "leadsync's handlers were not bound in the portal",
		leads.IncidentRefused: "callbacks could not be kept and were refused", leads.IncidentSpooled: "callbacks waited on disk",
		leads.IncidentSilence: "leads were changed and no callback came",
	}[kind]
	if what == "" {
		what = string(kind)
	}
	return fmt.Sprintf("%s from %s to %s", what, clock(from), clock(to)) + reason(detail)
}

// In is the timeline as text, with the times of a zone.
func (t Timeline) In(zone *time.Location) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, lead %d, since %s\n\n", t.Portal, t.LeadID, t.Since.In(zone).Format(time.DateTime+" MST"))
	for _, sentence := range t.Answer {
		fmt.Fprintln(&b, leads.OneLine(sentence))
	}
	if len(t.Moments) > 0 {
		fmt.Fprintln(&b)
	}
	for _, m := range t.Moments {
		what := m.What
		if m.Whole {
			what = "portal: " + what
		}
		after := ""
		if m.Lag > 0 {
			after = fmt.Sprintf(" (%s after the event arrived)", about(time.Duration(m.Lag*float64(time.Second))))
		}
		fmt.Fprintf(&b, "%s  %-16s  %s%s\n", m.At.In(zone).Format("2006-01-02 15:04:05.000"), what, leads.OneLine(m.Text), after)
	}
	if len(t.Notes) > 0 {
		fmt.Fprintln(&b)
	}
	for _, note := range t.Notes {
		fmt.Fprintln(&b, "Note:", note)
	}
	return b.String()
}
