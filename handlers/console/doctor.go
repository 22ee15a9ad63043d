package console

import (
	"net/http"
	"slices"
	"time"
)

// Doctor examines the installation.
type Doctor interface {
	// Examination is the last one, also where it is under way.
	Examination() Examination
	// Examine begins an examination; the error is ErrConflict where one is under way.
	Examine() error
	// TestAlarms begins to send a test message wherever alarms go, in the same way.
	TestAlarms() error
}

// Examination is what was found out about the installation.
type Examination struct {
	Alarms       bool      // only whether alarms arrive
	Began, Ended time.Time // zero where it has not
	Checks       []Check
}

// Check is one thing that was looked at.
type Check struct {
	Name  string
	Level string // ok, unknown, warning or fault
	Found string
	Means string // what follows from it
	Do    string // what a person does about it
}

// UnderWay tells an examination that has not ended.
func (e Examination) UnderWay() bool { return !e.Began.IsZero() && e.Ended.IsZero() }

// Done tells one that has.
func (e Examination) Done() bool { return !e.Ended.IsZero() }

// Worst is the worst level of all checks.
func (e Examination) Worst() string {
	for _, level := range []string{"fault", "warning", "unknown"} {
		if e.Count(level) > 0 {
			return level
		}
	}
	return "ok"
}

// Count is how many checks have a level.
func (e Examination) Count(level string) (n int) {
	for _, c := range e.Checks {
		if c.Level == level {
			n++
		}
	}
	return n
}

// Sorted are the checks, what does not work first.
func (e Examination) Sorted() []Check {
	order := []string{"fault", "warning", "unknown", "ok"}
	list := slices.Clone(e.Checks)
	slices.SortStableFunc(list, func(a, b Check) int { return slices.Index(order, a.Level) - slices.Index(order, b.Level) })
	return list
}

// doctor shows the last examination.
func (c *Console) doctor(*http.Request) (view, error) {
	return view{page: "doctor", data: c.cfg.Doctor.Examination()}, nil
}

func (c *Console) examine(*http.Request) (view, error) {
	if err := c.cfg.Doctor.Examine(); err != nil {
		return view{}, err
	}
	return seeOther("/doctor")
}

func (c *Console) testAlarms(*http.Request) (view, error) {
	if err := c.cfg.Doctor.TestAlarms(); err != nil {
		return view{}, err
	}
	return seeOther("/doctor")
}
