package console_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/console"
	"leadsync/journal"
	"leadsync/leads"
)

const lead17 = "/leads/" + member + "/17"

// wantInOrder checks that a page has these texts one after the other.
func wantInOrder(t *testing.T, page string, texts ...string) {
	t.Helper()
	rest := page
	for _, text := range texts {
		_, after, found := strings.Cut(rest, text)
		if !found {
			t.Errorf("the page does not have %q at its place: %s", text, page)
			return
		}
		rest = after
	}
}

func TestLeadsStoryIsTold(t *testing.T) {
	h := furnished("of a test")
	h.story.Answer = []string{"The row is at revision 2."}
	was, is := "Old title", "New title"
	h.changes = []leads.Revised{{Revision: 2, At: time.Now(), Kind: leads.Changed, Cause: leads.CauseReconcile, Fields: []leads.FieldChange{{Field: "TITLE", Old: &was, New: &is}, {Field: "NAME"}}}}
	o := open(t, h)
	wantInOrder(t, o.page(lead17), "The mirror has the lead.", "revision 2", "Changes of the row", "found by a comparison with Bitrix24", "TITLE</code> Old title → New title", "NAME",
		"What happened", "was written of a test", "0.25\u00a0s", "came of a test", "The row</h2>")
	if got := time.Since(h.since).Round(time.Hour); got != 7*24*time.Hour {
		t.Errorf("told of %s", got)
	}
	for days, want := range map[string]time.Duration{"1": 24 * time.Hour, "90": 90 * 24 * time.Hour, "100000000": 7 * 24 * time.Hour, "x": 7 * 24 * time.Hour} {
		if o.page(lead17 + "?days=" + days); time.Since(h.since).Round(time.Hour) != want {
			t.Errorf("of %s days: %s", days, time.Since(h.since))
		}
	}
}

// A page of a lead that is edited all the time stays small.
func TestLeadsStoryIsBounded(t *testing.T) {
	h := furnished("plain")
	h.story.Moments = nil
	for i := range 5000 {
		h.story.Moments = append(h.story.Moments, journal.Moment{At: time.Unix(int64(i), 0), What: "read", Text: "moment " + strconv.Itoa(i) + "."})
	}
	page := open(t, h).page(lead17)
	wantInOrder(t, page, "moment 4999.", "moment 4700.", "not shown: 4,700")
	if strings.Contains(page, "moment 4699.") || len(page) > 200_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
}

// Of a lead that never came there is something to tell, and a way to it.
func TestLeadThatNeverCameHasAStory(t *testing.T) {
	h := furnished("plain")
	h.callers = nil
	h.story.Answer = []string{"No event of it arrived here."}
	o := open(t, h)
	wantInOrder(t, o.page("/leads?q=18"), "no such lead", `href="/leads/`+member+`/18"`)
	page := o.page("/leads/" + member + "/18")
	wantInOrder(t, page, "The mirror does not have this lead.", "No event of it arrived here.", "What happened")
	if strings.Contains(page, "The row</h2>") {
		t.Error("it has a row")
	}
}

func TestComparisonSaysWhatDiffers(t *testing.T) {
	was, is := "Old title", "New title"
	for _, test := range []struct {
		name   string
		c      console.Comparison
		want   []string
		repair bool
	}{
		{"equal", console.Comparison{Known: true}, []string{"The row is equal"}, false},
		{"neither has it", console.Comparison{Sight: leads.Absent}, []string{"Neither"}, false},
		{"one field", console.Comparison{Known: true, Fields: []leads.FieldChange{{Field: "TITLE", Old: &was, New: &is}}}, []string{"Fields that differ: 1", "In the mirror", "In Bitrix24", "TITLE", "Old title", "New title"}, true},
		{"the portal lacks it", console.Comparison{Known: true, Sight: leads.Absent}, []string{"the mirror still has it"}, true},
		{"the mirror lacks it", console.Comparison{}, []string{"the mirror does not"}, true},
		{"no permission", console.Comparison{Known: true, Sight: leads.Denied}, []string{"may not read it"}, true},
		{"no lead", console.Comparison{Known: true, Problem: "the answer is odd"}, []string{"cannot be used", "the answer is odd"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := furnished("plain")
			h.compared = test.c
			o := open(t, h)
			response, page := o.post(lead17 + "/compare")
			if response.StatusCode != http.StatusOK || strings.Contains(page, `action="`+lead17+`/repair"`) != test.repair {
				t.Errorf("answered %d: %s", response.StatusCode, page)
			}
			wantInOrder(t, page, append([]string{"Compared with Bitrix24"}, test.want...)...)
		})
	}
}

// A write that failed is not called stored.
func TestFailedWriteIsNotStored(t *testing.T) {
	h := furnished("plain")
	h.story.Moments = []journal.Moment{{At: time.Unix(1, 0), What: "row", Text: "the lead could not be written, in a batch that took 2ms"}}
	wantInOrder(t, open(t, h).page(lead17), "What happened", ">not stored<", "the lead could not be stored")
}

// A pass that has looked through all leads may be waiting before it looks again: how long it still takes
// is not told by its pace, and one of half a second took no time that nobody knows.
func TestTimesOfPassesAreKnownOrNotShown(t *testing.T) {
	at := time.Now().Add(-50 * time.Second)
	run := leads.Run{State: leads.RunRunning, StartedAt: at, Sums: leads.Sums{Scanned: 500}}
	if left := console.LeftOf(run, 1000); left < 45*time.Second || left > time.Minute {
		t.Errorf("half of it still takes %s", left)
	}
	if run.Scanned = 990; console.LeftOf(run, 1000) != 0 {
		t.Errorf("a pass that may wait still takes %s", console.LeftOf(run, 1000))
	}
	if took := console.TookOf(leads.Run{StartedAt: at, FinishedAt: at.Add(400 * time.Millisecond)}); took != time.Second {
		t.Errorf("a short pass took %s", took)
	}
}

// What an import wrote is no difference.
func TestImportsAreNoDifferences(t *testing.T) {
	h := furnished("plain")
	imported := leads.Run{ID: "run-1", MemberID: member, Mode: leads.RunImport, State: leads.RunCompleted, Sums: leads.Sums{Scanned: 2000, Missed: 1999, Unprocessable: 1, Inserted: 1999}}
	h.runs, h.overview.Portals[0].Last = []leads.Run{imported}, &imported
	o := open(t, h)
	for _, path := range []string{"/", "/passes"} {
		if page := o.page(path); !strings.Contains(page, "imported: 1,999") || strings.Contains(page, "differences: 2,000") {
			t.Errorf("%s: %s", path, page)
		}
	}
	page := o.page("/passes/run-1")
	wantInOrder(t, page, "<dt>Imported</dt><dd>1,999</dd>", "unprocessable (1)")
	if strings.Contains(page, "missed (1,999)") || strings.Contains(page, "<dt>Differences</dt>") {
		t.Errorf("the import: %s", page)
	}
}

// A finding has the fields that differed, and leads to what they were before.
func TestFindingsLeadToTheChange(t *testing.T) {
	h := furnished("plain")
	h.findings[0].Fields = []string{"STATUS_ID", "UF_CRM_1"}
	wantInOrder(t, open(t, h).page("/passes/run-1"), "STATUS_ID, UF_CRM_1", `<a href="`+lead17+`#changes">old → new</a>`)
}
