// Package doctor examines an installation, before traffic and after trouble: what is well, what
// is not, what that means and what to do. It changes nothing. It must not know where settings
// come from, nor who reads what it finds: a command and a page show the same.
package doctor

import (
	"context"
	"time"

	"leadsync/guide"
)

// Level is how a finding is to be taken.
type Level string

// The levels.
const (
	OK      Level = "ok"
	Unknown Level = "unknown" // it could not be found out from here
	Warning Level = "warning" // it works, and will not do for long or for everybody
	Fault   Level = "fault"   // something does not work
)

// Finding is one thing that a check found. Its JSON form is a contract.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Found string `json:"found"`
	Means string `json:"means,omitempty"` // what follows from it
	Do    string `json:"do,omitempty"`    // what a person does about it
	Says  string `json:"says,omitempty"`  // the words of the error, as the system or a server has them
	See   string `json:"see,omitempty"`   // where more is said of it
}

// Check looks at one thing.
type Check interface {
	Name() string
	Look(ctx context.Context) []Finding
}

type check struct {
	name string
	look func(ctx context.Context) []Finding
}

func (c check) Name() string { return c.name }

// Look takes no longer than the limit.
func (c check) Look(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return c.look(ctx)
}

// limit is how long a check of one thing may take.
const limit = 20 * time.Second

// Run makes the checks in their order. Each finding gets its check's name.
func Run(ctx context.Context, checks []Check) (all []Finding) {
	for _, c := range checks {
		all = append(all, one(ctx, c)...)
	}
	return all
}

func one(ctx context.Context, c Check) []Finding {
	found := []Finding{unknown("not looked at: " + stopped)}
	if ctx.Err() == nil {
		found = unlessStopped(ctx, c.Look(ctx))
	}
	for i := range found {
		found[i] = found[i].Apart()
		found[i].Check = c.Name()
	}
	return found
}

const stopped = "the examination was stopped, or took too long as a whole"

// unlessStopped makes unknown of faults that were found after the examination was stopped: what
// was asked then could not answer.
func unlessStopped(ctx context.Context, found []Finding) []Finding {
	for i, f := range found {
		if f.Level == Fault && ctx.Err() != nil {
			found[i] = unknown(f.Apart().Found + " (" + stopped + ")")
		}
	}
	return found
}

// Healthy tells whether there is no fault.
func Healthy(found []Finding) bool {
	for _, f := range found {
		if f.Level == Fault {
			return false
		}
	}
	return true
}

func ok(found string) Finding      { return Finding{Level: OK, Found: found} }
func unknown(found string) Finding { return Finding{Level: Unknown, Found: found} }

// warning is explained by a heading of docs/trouble.md, as a fault is.
func warning(h guide.Heading, found, means, do string) Finding {
	return Finding{Level: Warning, Found: found, Means: means, Do: do, See: h.String()}
}

func fault(h guide.Heading, found, means, do string) Finding {
	return Finding{Level: Fault, Found: found, Means: means, Do: do, See: h.String()}
}
