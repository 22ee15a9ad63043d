package service

import (
	"context"
	"fmt"
	"sync"
	"time"

	"leadsync/doctor"
	"leadsync/handlers/console"
)

// examineLimit is how long an examination may take: each of its checks has a limit of its own.
const examineLimit = 5 * time.Minute

// doctorDesk examines the installation for the pages. There is one examination at a time, and the
// last one is kept.
type doctorDesk struct {
	b    *Backend
	jobs *jobs

	mu   sync.Mutex
	last console.Examination
}

// Examination implements console.Doctor.
func (d *doctorDesk) Examination() console.Examination {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// Examine implements console.Doctor.
func (d *doctorDesk) Examine() error {
	return d.begin(false, func(ctx context.Context) []doctor.Finding { return Examine(ctx, d.b.Config, d.b.Log) })
}

// TestAlarms implements console.Doctor.
func (d *doctorDesk) TestAlarms() error {
	return d.begin(true, func(ctx context.Context) []doctor.Finding { return TestAlarms(ctx, d.b.Config) })
}

func (d *doctorDesk) begin(alarms bool, look func(context.Context) []doctor.Finding) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.last.Began.IsZero() && d.last.Ended.IsZero() {
		return fmt.Errorf("%w: wait until it has ended", console.ErrConflict)
	}
	started := d.jobs.start(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, examineLimit)
		defer cancel()
		found := look(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.last.Ended = d.b.Config.Now()
		for _, f := range found {
			d.last.Checks = append(d.last.Checks, checkOf(f))
		}
	})
	if !started {
		return fmt.Errorf("%w: leadsync stops", console.ErrConflict)
	}
	d.last = console.Examination{Alarms: alarms, Began: d.b.Config.Now()}
	return nil
}

func checkOf(f doctor.Finding) console.Check {
	return console.Check{Name: f.Check, Level: string(f.Level), Found: f.Found, Means: f.Means, Do: f.Do}
}
