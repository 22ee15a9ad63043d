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
	// AlarmTest is the last test of alarms, in the same way.
	AlarmTest() Examination
	// Examine begins an examination; the error is ErrConflict where one is under way.
	Examine() error
	// TestAlarms begins to send a test message wherever alarms go, in the same way.
	TestAlarms() error
}

// doctorPages are the page of the examination.
type doctorPages struct{ doctor Doctor }

func (p doctorPages) routes() map[string]route {
	return map[string]route{
		"GET /doctor":         find(p.last),
		"POST /doctor":        find(p.examine),
		"POST /doctor/alarms": find(p.testAlarms),
		"GET /live/doctor":    stream{"doctor", p.last},
	}
}

// Examination is what was found out about the installation, or about its alarms.
type Examination struct {
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
	Says  string // the words of the error, as the system or a server has them
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

type doctorData struct {
	Examination

	Alarms Examination // the last test of alarms
}

// last shows the last examination and the last test of alarms.
func (p doctorPages) last(*http.Request) (view, error) {
	return view{page: "doctor", data: doctorData{p.doctor.Examination(), p.doctor.AlarmTest()}}, nil
}

func (p doctorPages) examine(*http.Request) (view, error) {
	if err := p.doctor.Examine(); err != nil {
		return view{}, err
	}
	return seeOther("/doctor")
}

func (p doctorPages) testAlarms(*http.Request) (view, error) {
	if err := p.doctor.TestAlarms(); err != nil {
		return view{}, err
	}
	return seeOther("/doctor")
}
