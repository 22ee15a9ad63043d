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
	checks := []console.Check{{Name: "a", Level: "ok", Found: "fine"}, {Name: "b", Level: "unknown", Found: "who knows"}, {Name: "c", Level: "warning", Found: "soon"}, {Name: "d", Level: "fault", Found: "broken", Means: "nothing works", Do: "mend it"}}
	for _, test := range []struct {
		want []string
		e    console.Examination
	}{
		{[]string{"Nothing was examined"}, console.Examination{}},
		{[]string{"Under way"}, console.Examination{Began: began}},
		{[]string{"do not work: 1", "broken", "nothing works", "mend it", "soon", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks}},
		{[]string{"warnings: 1", "soon", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:3]}},
		{[]string{"could not be found out: 1", "who knows", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:2]}},
		{[]string{"All is well.", "fine"}, console.Examination{Began: began, Ended: began, Checks: checks[:1]}},
		{[]string{"accepted the test alarm"}, console.Examination{Alarms: true, Began: began, Ended: began, Checks: checks[:1]}},
	} {
		h := furnished("plain")
		h.examined = test.e
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
