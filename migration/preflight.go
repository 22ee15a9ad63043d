package migration

import (
	"context"
	"errors"
	"fmt"

	"leadsync/doctor"
	"leadsync/guide"
	"leadsync/repo"
)

// errStopped says that a person has to do something before the migration.
var errStopped = guide.At(guide.Preflight, errors.New("nothing has changed: correct what is marked «stops», then run leadsync migrate again"))

// levels are the severities of conditions, as doctor's.
var levels = map[repo.Severity]doctor.Level{repo.Stops: doctor.Fault, repo.Warns: doctor.Warning, repo.Tells: doctor.OK}

// preflight prints what a person should know before the database is changed. Where that is
// something that would fail, the error is errStopped.
func (m Migration) preflight(ctx context.Context, indent string) error {
	conditions, err := m.DB.Preflight(ctx)
	if err != nil {
		return err
	}
	if len(conditions) > 0 {
		fmt.Fprintf(m.Out, "%sbefore anything is changed:\n", indent)
	}
	stops := false
	for _, c := range conditions {
		fmt.Fprintf(m.Out, "%s  %s  %-11s  %s\n", indent, m.Paint(levels[c.Severity], fmt.Sprintf("%-5s", c.Severity)), c.Check, c.Found)
		if c.Do != "" {
			fmt.Fprintf(m.Out, "%s                      -> %s\n", indent, c.Do)
		}
		stops = stops || c.Severity == repo.Stops
	}
	if stops {
		return errStopped
	}
	if len(conditions) > 0 {
		fmt.Fprintln(m.Out)
	}
	return nil
}
