package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/console"
)

func TestExaminationIsShown(t *testing.T) {
	began := time.Now()
	checks := []console.Check{{Name: "a", Level: "ok", Found: "fine"}, {Name: "b", Level: "unknown", Found: "who knows"}, {Name: "c", Level: "warning", Found: "soon"}, {Name: "d", Level: "fault", Found: "broken", Means: "nothing works", Do: "mend it", Says: "<Login> failed"}}
	for _, test := range []struct {
		want []string
		e    console.Examination
	}{
		{[]string{"Nothing was examined"}, console.Examination{}},
		{[]string{"Under way"}, console.Examination{Began: began}},
		{[]string{"do not work: 1", "broken", "nothing works", "mend it", `<small class="detail">the error says: &lt;Login&gt; failed</small>`, "soon", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks}},
		{[]string{"It works; warnings: 1.", "soon"}, console.Examination{Began: began, Ended: began, Checks: checks[2:3]}},
		{[]string{"Nothing bad was found; warnings: 1, things that could not be found out: 1.", "soon", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:3]}},
		{[]string{"could not be found out: 1", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:2]}},
		{[]string{"All is well.", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:1]}},
	} {
		h := furnished("plain")
		h.examined, h.alarms = test.e, console.Examination{}
		o := open(t, h)
		wantInOrder(t, o.page("/doctor"), test.want...)
		if event := o.firstEvent("/live/doctor"); !strings.Contains(event, test.want[0]) {
			t.Errorf("live: %s", event)
		}
	}
	h := furnished("plain")
	h.conflict = console.ErrConflict
	if response, _ := open(t, h).post("/doctor"); response.StatusCode != http.StatusConflict {
		t.Errorf("a second examination: %d", response.StatusCode)
	}
}

// A test of alarms stands beside the examination: neither takes the other away.
func TestAlarmsAreTestedBesideTheExamination(t *testing.T) {
	began := time.Now()
	h := furnished("plain")
	h.examined = console.Examination{Began: began, Ended: began, Checks: []console.Check{{Name: "database", Level: "fault", Found: "it is broken"}}}
	o := open(t, h)
	for _, test := range []struct {
		want   []string
		alarms console.Examination
	}{
		{nil, console.Examination{}},
		{[]string{"Test alarm", "Under way"}, console.Examination{Began: began}},
		{[]string{"Test alarm", "accepted the test alarm", "the webhook took it"}, console.Examination{Began: began, Ended: began, Checks: []console.Check{{Level: "ok", Found: "the webhook took it"}}}},
		{[]string{"Test alarm", "do not work: 1", "nobody answers"}, console.Examination{Began: began, Ended: began, Checks: []console.Check{{Level: "fault", Found: "nobody answers"}}}},
	} {
		h.alarms = test.alarms
		page := o.page("/doctor")
		wantInOrder(t, page, append(test.want, "do not work: 1", "it is broken")...)
		if test.want == nil && strings.Contains(page, ">Test alarm<") {
			t.Errorf("no alarm was tested: %s", page)
		}
	}
}
