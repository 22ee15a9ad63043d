package journal_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/journal"
	"leadsync/leads"
)

func at(second float64) time.Time { return start.Add(time.Duration(second * float64(time.Second))) }

var portal = leads.Portal{MemberID: member, Domain: "my.bitrix24.ru"}

// assembled is a timeline of lead 17, as lines.
func assembled(known journal.Known) (answer string, moments []string) {
	known.Portal, known.Now, known.Since = portal, at(3600), at(-3600)
	t := journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, known)
	for _, m := range t.Moments {
		line := m.What + ": " + m.Text
		if m.Whole {
			line = "portal " + line
		}
		moments = append(moments, m.Source+" "+line)
	}
	return strings.Join(t.Answer, "\n"), moments
}

// of is an entry about lead 17.
func of(second float64, kind journal.Kind, e journal.Entry) journal.Entry {
	e.At, e.Kind, e.MemberID, e.LeadID = at(second), kind, member, 17
	return e
}

func TestTimelineTellsTheWayOfAChange(t *testing.T) {
	old, fresh := "a", "b"
	answer, got := assembled(journal.Known{
		Journal: journal.Record{Oldest: at(-7200), Entries: []journal.Entry{
			of(0, journal.Received, journal.Entry{Event: "ONCRMLEADUPDATE", Cause: "event", Sequence: 5, Took: 2 * time.Millisecond}),
			of(0.1, journal.Received, journal.Entry{Event: "ONCRMLEADUPDATE", Cause: "event", Sequence: 7, Took: 2 * time.Millisecond}),
			of(0.9, journal.Read, journal.Entry{
				Word: "present", Sequence: 7, Ticket: 3<<32 + 9, Since: at(0.1), Waited: 80 * time.Millisecond, Took: 200 * time.Millisecond, Cause: "event",
			}),
			of(1, journal.Wrote, journal.Entry{Word: "updated", Revision: 4, Cause: "event", Fields: []string{"TITLE"}, Took: 9 * time.Millisecond}),
			of(1.1, journal.Published, journal.Entry{Revision: 4, Sequence: 77}),
			of(2, journal.Wrote, journal.Entry{Word: "older", Revision: 4, Cause: "reconcile"}),
		}},
		Row: &leads.Row{Revision: 4},
		Changes: []leads.Revised{
			{Revision: 4, At: at(1), Kind: leads.Changed, Cause: leads.CauseEvent, Fields: []leads.FieldChange{{Field: "TITLE", Old: &old, New: &fresh}}},
			{Revision: 3, At: at(-60), Kind: leads.Changed, Cause: leads.CauseReconcile, Fields: leads.FieldChanges([]string{"NAME"})},
		},
		Findings: []leads.Finding{{Kind: leads.FindingStale, FoundAt: at(-60.5), Fields: []string{"NAME"}, Repaired: leads.Updated, Cause: "no callback seen", Behind: time.Minute}},
	})
	want := []string{
		"database pass: a pass found the row different from the portal in NAME, for about 1m0s; repair: updated: no callback seen",
		"database row: the row was updated, revision 3: NAME (by a pass)",
		"journal callback: event ONCRMLEADUPDATE arrived and was stored as notice 5 within 2ms; it was not read yet when notice 7 of 10:00:00.100 replaced it: one read serves both",
		"journal callback: event ONCRMLEADUPDATE arrived and was stored as notice 7 within 2ms",
		"journal read: the portal sent the lead, in a batch that took 200ms, after 80ms of waiting for its limits, because of notice 7; ticket 3.9",
		"both row: the row was updated, revision 4: TITLE, in a batch that took 9ms",
		"journal topic: revision 4 was announced to subscribers, sequence 77",
		"journal row: a later read had reached the row already, this one was dropped (by a pass)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moments (-want +got):\n%s", diff)
	}
	if want := "The row is at revision 4. Its last change was at 2026-11-26 10:00:01 UTC: the row was updated, revision 4: TITLE, in a batch that took 9ms."; answer != want {
		t.Errorf("answer:\n%s, want\n%s", answer, want)
	}
}

// A stream that was made anew counts from 1: its notices have nothing to do with those of the same
// or a higher sequence from before.
func TestStreamIsMadeAnew(t *testing.T) {
	received := func(second float64, sequence uint64) journal.Entry {
		return of(second, journal.Received, journal.Entry{Event: "ONCRMLEADUPDATE", Cause: "event", Sequence: sequence, Took: time.Millisecond})
	}
	read := func(second float64, sequence uint64) journal.Entry {
		return of(second, journal.Read, journal.Entry{Word: "present", Sequence: sequence, Since: at(second)})
	}
	const waits = "the journal knows of no read yet"
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		fates   []string // of the callbacks
		waiting bool
	}{
		{"a lower sequence", []journal.Entry{received(0, 4000), read(1, 4000), received(3000, 5)}, []string{"", waits}, true},
		{"the same sequence", []journal.Entry{received(0, 5), read(1, 5), received(500, 9), read(501, 9), received(3000, 5)}, []string{"", "", waits}, true},
		{"all was read", []journal.Entry{received(0, 4000), received(3000, 5), read(3001, 5)}, []string{waits, ""}, false},
		{"a sequence in between", []journal.Entry{received(0, 10), received(1, 12), read(2, 12), received(3000, 3), read(3001, 3), received(3002, 11)}, []string{"notice 12 of 10:00:01.000 replaced it", "", "", waits}, true},
		{"anew at once", []journal.Entry{received(0, 4000), read(1, 4000), received(9, 5)}, []string{"", waits}, false}, // it may have been overtaken
		{"overtaken", []journal.Entry{received(0, 7), received(0.001, 6), read(1, 7)}, []string{"", "notice 7 replaced it"}, false},
		{"read late", []journal.Entry{received(0, 6), received(1, 7), read(300, 6), read(301, 7)}, []string{"", ""}, false},
	} {
		answer, moments := assembled(journal.Known{Row: &leads.Row{}, Journal: journal.Record{Oldest: at(-7200), Entries: c.entries}})
		fates := c.fates
		for _, m := range moments {
			if !strings.Contains(m, "callback: ") {
				continue
			}
			_, fate, _ := strings.Cut(m, "; ")
			if !strings.Contains(fate, fates[0]) || fates[0] == "" && fate != "" {
				t.Errorf("%s: want %q: %s", c.name, fates[0], m)
			}
			fates = fates[1:]
		}
		if strings.Contains(answer, "was not read yet") != c.waiting {
			t.Errorf("%s: waits %v, want %v: %s", c.name, !c.waiting, c.waiting, answer)
		}
	}
}

func TestTimelineSaysWhatWaits(t *testing.T) {
	answer, got := assembled(journal.Known{
		Journal: journal.Record{Oldest: at(-7200), Entries: []journal.Entry{
			of(0, journal.Spooled, journal.Entry{Event: "ONCRMLEADADD", Word: journal.Unverified}),
			of(30, journal.Drained, journal.Entry{Event: "ONCRMLEADADD", Word: journal.Unverified, Sequence: 9, Since: at(0)}),
		}},
		Failing: &leads.Failing{Attempts: 2, FirstAt: at(-50), LastAt: at(-10), NextAttemptAt: at(60), Reason: "refused"},
		Status:  leads.MirrorStatus{State: leads.MirrorBehind, Since: at(5), Reason: "callbacks wait"},
	})
	want := []string{
		"database failure: could not be written in 2 attempts since 2026-11-26 09:59:10 UTC: refused",
		"journal spool: event ONCRMLEADADD arrived and was kept on disk, because nobody could say yet whether it is genuine",
		"journal spool: the event of 2026-11-26 10:00:00 UTC was found genuine, left the disk and was stored as notice 9; the journal knows of no read yet",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moments (-want +got):\n%s", diff)
	}
	for _, part := range []string{"has no row", "next attempt is at 2026-11-26 10:01:00 UTC: refused", "was not read yet", "is behind since 2026-11-26 10:00:05 UTC: callbacks wait"} {
		if !strings.Contains(answer, part) {
			t.Errorf("answer lacks %q:\n%s", part, answer)
		}
	}
}

// Of a lead that never came, the outages of the time when it was created are told.
func TestTimelineOfALeadThatNeverCame(t *testing.T) {
	known := journal.Known{
		Below: leads.Neighbour{LeadID: 16, CreatedAt: at(-600)}, Above: leads.Neighbour{LeadID: 18, CreatedAt: at(-300)},
		Incidents: []leads.Incident{
			{MemberID: member, Kind: leads.IncidentDown, From: at(-500), To: at(-400)},
			{Kind: leads.IncidentSpooled, From: at(100), To: at(200)},
		},
		Journal: journal.Record{Oldest: at(-7200), Entries: []journal.Entry{
			{At: at(-450), Kind: journal.Refused, MemberID: member, Word: "wrong_token"},
			{At: at(-500), Kind: journal.Outage, MemberID: member, Word: "down", Since: at(-500)}, // the database has it, too
		}},
		Pass: leads.Run{ID: "x", StartedAt: at(-900)},
	}
	answer, got := assembled(known)
	want := []string{
		"database outage: no leadsync process served the portal from 2026-11-26 09:51:40 UTC to 2026-11-26 09:53:20 UTC",
		"journal refused: a callback was refused: the application_token in it is not the portal's",
		"database outage: callbacks waited on disk from 2026-11-26 10:01:40 UTC to 2026-11-26 10:03:20 UTC",
	}
	for i := range want {
		source, rest, _ := strings.Cut(want[i], " ")
		want[i] = source + " portal " + rest
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("moments (-want +got):\n%s", diff)
	}
	for part, there := range map[string]bool{
		"no event of it arrived": true, "created between 2026-11-26 09:50:00 UTC (lead 16) and 2026-11-26 09:55:00 UTC (lead 18)": true,
		"Refused in this time: at least 1 callback of the portal": true, "Perhaps this is why: no leadsync process served": true,
		"waited on disk": false, "leadsync reconcile looks again": true,
	} {
		if strings.Contains(answer, part) != there {
			t.Errorf("answer has %q: %v, want %v\n%s", part, !there, there, answer)
		}
	}
	known.Incidents, known.Journal.Entries, known.Pass.StartedAt = nil, nil, at(0)
	answer, _ = assembled(known)
	for _, part := range []string{"No outage, refusal or silence is known", "looked at all leads and did not see it"} {
		if !strings.Contains(answer, part) {
			t.Errorf("answer lacks %q:\n%s", part, answer)
		}
	}
}

// Anybody can send a callback that names a lead: it does not hide that the lead never came, nor why.
func TestCallbacksInVainHideNothing(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		says    string
	}{
		{"refused", []journal.Entry{of(0, journal.Refused, journal.Entry{Word: "wrong_token", Count: 3})}, "Callbacks that name the lead: 3 refused; the lines below say why."},
		{"forged", []journal.Entry{
			of(0, journal.Spooled, journal.Entry{Word: journal.Unverified}), of(9, journal.Forged, journal.Entry{Since: at(0)}),
		}, "Callbacks that name the lead: 1 found not to be genuine."},
		{"lost", []journal.Entry{of(0, journal.Lost, journal.Entry{})}, "Callbacks that name the lead: 1 lost, because it could be kept nowhere."},
		{"not verified yet", []journal.Entry{of(0, journal.Spooled, journal.Entry{Word: journal.Unverified})}, "Callbacks that name the lead: 1 kept on disk"},
	} {
		answer, _ := assembled(journal.Known{
			Above: leads.Neighbour{LeadID: 18, CreatedAt: at(0)}, Below: leads.Neighbour{LeadID: 16, CreatedAt: at(-60)},
			Incidents: []leads.Incident{{MemberID: member, Kind: leads.IncidentDown, From: at(-30), To: at(-20)}},
			Journal:   journal.Record{Oldest: at(-7200), Entries: c.entries},
		})
		for _, part := range []string{"no event of it was taken here since", c.says, "created between", "no leadsync process served the portal"} {
			if !strings.Contains(answer, part) {
				t.Errorf("%s: lacks %q:\n%s", c.name, part, answer)
			}
		}
		if strings.Contains(answer, "something was heard") {
			t.Errorf("%s: %s", c.name, answer)
		}
	}
}

// Of a lead that never came, nothing is denied of a time that nobody was asked about.
func TestTimelineDeniesOnlyWhatWasAsked(t *testing.T) {
	created := func(from, to float64) journal.Known {
		return journal.Known{
			Below: leads.Neighbour{LeadID: 16, CreatedAt: at(from)}, Above: leads.Neighbour{LeadID: 18, CreatedAt: at(to)}, Journal: journal.Record{Oldest: at(-7200)},
		}
	}
	const all, month = "No outage, refusal or silence is known of that time.", 30 * 86400
	for _, c := range []struct {
		name  string
		known journal.Known
		with  func(*journal.Known)
		says  []string
		never []string
	}{
		{"all was asked", created(-600, -300), nil, []string{all}, []string{"not known"}},
		{
			"before the journal", created(-month, -month+60), nil,
			[]string{"No outage or silence is known of that time.", "refused before 2026-11-26 09:00:00 UTC is not known"},
			[]string{all},
		},
		{
			"an outage before what is told", created(-month, -month+60), func(k *journal.Known) {
				k.Incidents = []leads.Incident{{MemberID: member, Kind: leads.IncidentDown, From: at(-month), To: at(-month + 9)}}
			}, []string{"Perhaps this is why: no leadsync process served the portal", "is not known"}, []string{"No outage"},
		},
		{"outages are forgotten", created(-month, -month+60), func(k *journal.Known) { k.Kept = at(-86400) }, []string{"Outages before 2026-11-25 10:00:00 UTC are not known any more"}, []string{"No outage", "No refusal"}},
		{"no journal", created(-600, -300), func(k *journal.Known) { k.NoJournal = "it is off" }, []string{"No outage or silence is known", "Whether callbacks were refused is not known"}, []string{all}},
		{"the database fails", created(-600, -300), func(k *journal.Known) {
			k.Lack(journal.PartOutages, "it is down")
			k.Lack(journal.PartPasses, "it is down")
		}, []string{"No refusal is known of that time.", "Outages are not known: the database did not say.", "Whether a pass has looked at all leads is not known."}, []string{"No outage", "No pass"}},
		{"the neighbours are not known", journal.Known{Journal: journal.Record{Oldest: at(-7200)}}, func(k *journal.Known) { k.Lack(journal.PartRow, "it is down") }, []string{"When it was created is not known"}, []string{"no lead of this portal at all"}},
		{"the changes are not known", journal.Known{Row: &leads.Row{Revision: 2}}, func(k *journal.Known) { k.Lack(journal.PartChanges, "it is down") }, []string{"When it changed last is not known."}, []string{"history begins"}},
		{"refused at another time", created(-600, -300), func(k *journal.Known) {
			k.Journal.Entries = []journal.Entry{{At: at(-3000), Kind: journal.Refused, MemberID: member, Count: 9, Since: at(-3060)}}
		}, []string{all}, []string{"Refused in this time"}},
		{"refused then", created(-600, -300), func(k *journal.Known) {
			k.Journal.Entries = []journal.Entry{{At: at(-200), Kind: journal.Refused, MemberID: member, Count: 9, Since: at(-260)}, {At: at(-300), Kind: journal.Refused, MemberID: member}}
		}, []string{"Refused in this time: at least 10 callbacks of the portal"}, []string{all}},
	} {
		if c.with != nil {
			c.with(&c.known)
		}
		answer, moments := assembled(c.known)
		for _, part := range c.says {
			if !strings.Contains(answer, part) {
				t.Errorf("%s: lacks %q:\n%s", c.name, part, answer)
			}
		}
		for _, part := range c.never {
			if strings.Contains(answer, part) {
				t.Errorf("%s: has %q:\n%s", c.name, part, answer)
			}
		}
		if len(c.known.Incidents) > 0 && len(moments) > 0 {
			t.Errorf("%s: told of what was before: %q", c.name, moments)
		}
	}
}

// Refusals for one reason are told once, and how many there were, until something else happens.
func TestRefusalsAreToldTogether(t *testing.T) {
	refused := func(second float64, word string, count int64) journal.Entry {
		return journal.Entry{At: at(second), Kind: journal.Refused, MemberID: member, Word: word, Count: count, Since: at(second - 30)}
	}
	_, got := assembled(journal.Known{Journal: journal.Record{Oldest: at(-7200), Entries: []journal.Entry{
		refused(60, "wrong_token", 1), refused(120, "unknown_event", 1), refused(121, "wrong_token", 40), refused(181, "wrong_token", 9),
		of(200, journal.Replayed, journal.Entry{}), refused(241, "wrong_token", 2),
	}}})
	want := []string{
		"journal portal refused: a callback was refused: leadsync did not ask for this event",
		"journal portal refused: 50 callbacks were refused since 2026-11-26 10:00:30 UTC: the application_token in it is not the portal's",
		"journal replay: somebody had the lead read again",
		"journal portal refused: 2 callbacks were refused since 2026-11-26 10:03:31 UTC: the application_token in it is not the portal's",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTimelineAsText(t *testing.T) {
	line := journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, journal.Known{Portal: portal, Since: start, Journal: journal.Record{
		Oldest: at(60), Damaged: 1, Entries: []journal.Entry{of(61, journal.Read, journal.Entry{Word: "absent", Since: at(60.5)})},
	}}).In(time.FixedZone("", 3*3600))
	for _, part := range []string{
		"my.bitrix24.ru, lead 17, since 2026-11-26 13:00:00 +03", "2026-11-26 13:01:01.000  read", `"Not found"`, "(500ms after the event arrived)",
		"Note: the journal of this machine begins at 2026-11-26 10:01:00 UTC", "damaged",
	} {
		if !strings.Contains(line, part) {
			t.Errorf("lacks %q:\n%s", part, line)
		}
	}
}

// Where nothing can be known, nothing is denied.
func TestTimelineClaimsOnlyWhatItKnows(t *testing.T) {
	for _, c := range []struct {
		name  string
		known journal.Known
		says  string
		never string
	}{
		{"a young journal", journal.Known{Journal: journal.Record{Oldest: at(-60)}}, "arrived here since 2026-11-26 09:59:00 UTC.", "09:00:00"},
		{"no journal", journal.Known{NoJournal: "it is off"}, "Whether an event of it arrived is not known", "no event"},
		{"a damaged journal", journal.Known{Journal: journal.Record{Oldest: at(-7200), Damaged: 1}}, "as far as the journal is whole", ""},
		{"a journal with gaps", journal.Known{Journal: journal.Record{Oldest: at(-7200), Entries: []journal.Entry{{At: at(0), Kind: journal.Gap, Since: at(-9), Count: 3}}}}, "as far as the journal is whole", ""},
		{"no database", journal.Known{NoRow: true, Journal: journal.Record{Oldest: at(-7200)}}, "The database did not say", "has no row"},
		{
			"a finding without a row",
			journal.Known{Findings: []leads.Finding{{Kind: leads.FindingMissed, FoundAt: at(-60), Repaired: leads.Failed}}, Pass: leads.Run{ID: "x", StartedAt: at(0)}, Above: leads.Neighbour{LeadID: 18, CreatedAt: at(-90)}},
			"something was heard of it", "did not see it",
		},
	} {
		answer, _ := assembled(c.known)
		if !strings.Contains(answer, c.says) || c.never != "" && strings.Contains(answer, c.never) {
			t.Errorf("%s: want %q and not %q:\n%s", c.name, c.says, c.never, answer)
		}
	}
}

// What another replica did is missing here, and the timeline says so.
func TestTimelineNamesOtherReplicas(t *testing.T) {
	change := func(revision int64, second float64) leads.Revised {
		return leads.Revised{Revision: revision, At: at(second), Kind: leads.Changed, Cause: leads.CauseEvent}
	}
	read := func(second float64, sequence uint64) journal.Entry {
		return of(second, journal.Read, journal.Entry{Word: "present", Sequence: sequence, Since: at(second - 1)})
	}
	for _, c := range []struct {
		name    string
		entries []journal.Entry
		changes []leads.Revised
		note    string
	}{
		{"nothing", nil, nil, ""},
		{"all of it", []journal.Entry{
			of(9, journal.Received, journal.Entry{Sequence: 5}), read(10, 5), of(11, journal.Wrote, journal.Entry{Word: "updated", Revision: 2}),
		}, []leads.Revised{change(2, 11)}, ""},
		{"before the journal", []journal.Entry{read(-1800, 5)}, []leads.Revised{change(2, -1799)}, ""},
		{"on its way to the disk", nil, []leads.Revised{change(2, 3599)}, ""},
		{"a dead letter that is read again", []journal.Entry{of(9.5, journal.Replayed, journal.Entry{}), read(10, 5)}, nil, ""},
		{"a change", nil, []leads.Revised{change(2, 11)}, "lacks 1 change of the row: because of another replica, a kill or a full disk;"},
		{"both", []journal.Entry{read(10, 5)}, []leads.Revised{change(2, 11)}, "lacks 1 change of the row and the arrival of 1 event: because"},
		{"a gap of the journal", []journal.Entry{{At: at(20), Kind: journal.Gap, Since: at(9), Count: 3}, read(21, 5)}, []leads.Revised{change(2, 11)}, ""},
		{"another time than the gap's", []journal.Entry{{At: at(120), Kind: journal.Gap, Since: at(100), Count: 3}, read(10, 5)}, []leads.Revised{change(2, 90)}, "lacks 1 change of the row and the arrival of 1 event:"},
		{"an event", []journal.Entry{read(10, 5)}, nil, "lacks the arrival of 1 event: because"},
	} {
		notes := strings.Join(journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, journal.Known{
			Portal: portal, Now: at(3600), Since: at(-3600), Row: &leads.Row{Revision: 2}, Changes: c.changes, Journal: journal.Record{Oldest: at(-1000), Entries: c.entries},
		}).Notes, "\n")
		if strings.Contains(notes, "another replica") != (c.note != "") || !strings.Contains(notes, c.note) {
			t.Errorf("%s: want %q:\n%s", c.name, c.note, notes)
		}
	}
}

// Of a lead with a long history the newest part is told, and how much is left out.
func TestTimelineIsBounded(t *testing.T) {
	entries := make([]journal.Entry, 10_000)
	for i := range entries {
		kind := []journal.Kind{journal.Received, journal.Read}[i%2]
		entries[i] = of(float64(i), kind, journal.Entry{Word: "present", Sequence: uint64(i/2 + 1)})
	}
	told := journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, journal.Known{
		Portal: portal, Now: at(20_000), Since: at(-1), Most: 100, Journal: journal.Record{Oldest: at(-7200), Cut: true, Entries: entries},
	})
	if len(told.Moments) != 100 || told.Omitted != 9900 || !told.Moments[99].At.Equal(entries[9999].At) {
		t.Errorf("%d moments, %d left out", len(told.Moments), told.Omitted)
	}
	text := told.In(time.UTC)
	for _, part := range []string{"only the newest 100 moments; left out: 9900 earlier", "only the newest entries of the journal about the lead were looked at"} {
		if !strings.Contains(text, part) {
			t.Errorf("lacks %q:\n%s", part, text)
		}
	}
}

// Refused callbacks are left out first: anybody can cause them.
func TestRefusalsAreLeftOutFirst(t *testing.T) {
	entries := []journal.Entry{of(0, journal.Read, journal.Entry{Word: "present"})}
	for i := range 50 {
		entries = append(entries, of(float64(i+1), journal.Refused, journal.Entry{Word: strconv.Itoa(i)}))
	}
	for most, want := range map[int]int{0: 51, 10: 10, 1: 1} {
		told := journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, journal.Known{Portal: portal, Now: at(20_000), Since: at(-1), Most: most, Journal: journal.Record{Entries: entries}})
		if len(told.Moments) != want || told.Omitted != 51-want || told.Moments[0].What != "read" {
			t.Errorf("of %d: %d moments, the first %s, %d left out", most, len(told.Moments), told.Moments[0].What, told.Omitted)
		}
	}
}

// The JSON form is what programs read: docs/why.md has each of its names.
func TestTimelineAsJSON(t *testing.T) {
	old, fresh := "a", "b"
	got, err := json.Marshal(journal.Assemble(leads.Ref{MemberID: member, LeadID: 17}, journal.Known{
		Portal: portal, Now: at(3600), Since: start, Most: 3, Row: &leads.Row{Revision: 4},
		Changes: []leads.Revised{{Revision: 4, At: at(61), Kind: leads.Changed, Cause: leads.CauseEvent, Fields: []leads.FieldChange{{Field: "TITLE", Old: &old, New: &fresh}}}},
		Journal: journal.Record{Oldest: at(60), Entries: []journal.Entry{
			{At: at(60), Kind: journal.Status, MemberID: member, Word: "behind"},
			{At: at(60.2), Kind: journal.Status, MemberID: member, Word: "current"},
			of(60.5, journal.Read, journal.Entry{Word: "present", Sequence: 7, Cause: "event", Since: at(60), Took: time.Millisecond}),
			of(61, journal.Wrote, journal.Entry{Word: "updated", Revision: 4, Cause: "event", Fields: []string{"TITLE"}}),
		}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"portal":"my.bitrix24.ru","member_id":"` + member + `","lead_id":17,"since":"2026-11-26T10:00:00Z",` +
		`"answer":["The row is at revision 4. Its last change was at 2026-11-26 10:01:01 UTC: the row was updated, revision 4: TITLE."],"moments":[` +
		`{"at":"2026-11-26T10:01:00.2Z","what":"status","text":"the mirror is current","whole_portal":true,"source":"journal"},` +
		`{"at":"2026-11-26T10:01:00.5Z","what":"read","text":"the portal sent the lead, in a batch that took 1ms, because of notice 7; ticket 0.0","source":"journal","sequence":7,"cause":"event","lag_seconds":0.5},` +
		`{"at":"2026-11-26T10:01:01Z","what":"row","text":"the row was updated, revision 4: TITLE","source":"both","revision":4,"cause":"event","fields":[{"field":"TITLE","old":"a","new":"b"}]}],` +
		`"omitted":1,"notes":["the journal of this machine begins at 2026-11-26 10:01:00 UTC","only the newest 3 moments; left out: 1 earlier"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	doc, err := os.ReadFile("../docs/why.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`"(\w+)":`).FindAllStringSubmatch(want, -1) {
		if !strings.Contains(string(doc), "`"+name[1]+"`") {
			t.Errorf("docs/why.md lacks %s", name[1])
		}
	}
	if got, err := json.Marshal(journal.Assemble(leads.Ref{}, journal.Known{}).Moments); err != nil || string(got) != "[]" {
		t.Errorf("no moments: %s, %v", got, err)
	}
}
