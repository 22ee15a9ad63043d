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

// doctorDesk examines the installation for the pages, and tests its alarms. There is one of each at
// a time, and the last one of each is kept.
type doctorDesk struct {
	b    *Backend
	jobs *jobs

	mu     sync.Mutex
	last   console.Examination
	alarms console.Examination
}

// Examination implements console.Doctor.
func (d *doctorDesk) Examination() console.Examination {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

// AlarmTest implements console.Doctor.
func (d *doctorDesk) AlarmTest() console.Examination {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alarms
}

// Examine implements console.Doctor.
func (d *doctorDesk) Examine() error {
	return d.begin(&d.last, func(ctx context.Context) []doctor.Finding { return Examine(ctx, d.b.Config, d.b.Log, func(string) {}) })
}

// TestAlarms implements console.Doctor.
func (d *doctorDesk) TestAlarms() error {
	return d.begin(&d.alarms, func(ctx context.Context) []doctor.Finding { return TestAlarms(ctx, d.b.Config) })
}

// begin begins what keeps its result in one of last and alarms.
func (d *doctorDesk) begin(result *console.Examination, look func(context.Context) []doctor.Finding) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if result.UnderWay() {
		return fmt.Errorf("%w: wait until it has ended", console.ErrConflict)
	}
	started := d.jobs.start(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, examineLimit)
		defer cancel()
		found := look(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		result.Ended = d.b.Config.Now()
		for _, f := range found {
			result.Checks = append(result.Checks, checkOf(f))
		}
	})
	if !started {
		return fmt.Errorf("%w: leadsync stops", console.ErrConflict)
	}
	*result = console.Examination{Began: d.b.Config.Now()}
	return nil
}

func checkOf(f doctor.Finding) console.Check {
	return console.Check{Name: f.Check, Level: string(f.Level), Found: f.Found, Means: f.Means, Do: f.Do, Says: f.Says}
}
