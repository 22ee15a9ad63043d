package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"leadsync/doctor"
	"leadsync/handlers/console"
)

// Alarms can be tested while an examination waits for a portal; there is one of each at a time.
func TestAlarmsAreTestedBesideAnExamination(t *testing.T) {
	d := &doctorDesk{b: &Backend{Config: Config{Tuning: Tuning{Clock: time.Now}}}, jobs: newJobs()}
	goOn := make(chan struct{})
	waits := func(context.Context) []doctor.Finding {
		<-goOn
		return []doctor.Finding{{Check: "clock"}}
	}
	if err := errors.Join(d.begin(&d.last, waits), d.begin(&d.alarms, waits)); err != nil {
		t.Error(err)
	}
	if err := d.begin(&d.last, waits); !errors.Is(err, console.ErrConflict) {
		t.Errorf("a second examination: %v, want %v", err, console.ErrConflict)
	}
	close(goOn)
	d.jobs.end()
	if len(d.Examination().Checks) != 1 || len(d.AlarmTest().Checks) != 1 {
		t.Errorf("results: %+v, %+v", d.Examination(), d.AlarmTest())
	}
}
