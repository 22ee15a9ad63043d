package setup

import (
	"context"
	"errors"
	"fmt"

	"leadsync/doctor"
	"leadsync/service"
	"leadsync/settings"
)

// court judges answers: whether the service can read them, and whether they work.
type court struct {
	person  dialogue
	former  former
	untried bool // answers are read, and not tried
	style   doctor.Style
}

// trial is that of one answer.
type trial struct {
	name  string
	early bool                                                   // it cannot know yet: a script goes on where the answer does not work
	look  func(context.Context, service.Config) []doctor.Finding // nil where reading the answer is all that can be tried
	// instead asks a person whether another answer is to be tried in place of one that does not work; nil where there is none.
	instead func(context.Context) (wanted bool, err error)
}

// read reads the answers as the service will.
func (c court) read(a answers) (service.Config, error) {
	values, faults := a.values()
	cfg, err := service.ReadConfig(values.Lookup)
	from := func(name string) string { return c.former.place(name, a) }
	if err := errors.Join(faults, settings.Located(errors.Join(a.unwritable(), err), from)); err != nil {
		return cfg, fmt.Errorf("%w:\n%w", spokenError{ErrAnswer, c.person.language}, err)
	}
	return cfg, nil
}

// try tells whether answers are kept. Where the one on trial does not work, a person may keep it; without one that is an
// error, unless the trial cannot know yet.
func (c court) try(ctx context.Context, a answers, t trial) (kept bool, err error) {
	cfg, err := c.read(a)
	switch {
	case err != nil && !c.person.there():
		return false, err
	case err != nil:
		c.person.say("  %s", err)
		return false, nil
	case c.untried || t.look == nil || a[t.name] == "" && t.name != databaseURL: // no address is a SQLite file
		return true, nil
	}
	found := t.look(ctx, cfg)
	if err := doctor.Write(c.person.out, found, c.style); err != nil {
		return false, err
	}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case doctor.Healthy(found):
		return true, nil
	case c.person.there():
		return c.asked(ctx, t)
	case t.early:
		return true, nil
	}
	return false, errors.New(c.person.words("%s: does not work, nothing is written; --skip-checks writes it untried", t.name))
}

// asked asks a person what becomes of an answer that does not work.
func (c court) asked(ctx context.Context, t trial) (kept bool, err error) {
	if t.instead != nil {
		if given, err := t.instead(ctx); given || err != nil {
			return false, err
		}
	}
	return c.person.yes(ctx, "Something does not work yet (see «fault»). Keep this answer?")
}
