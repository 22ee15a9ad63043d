package migration

import (
	"context"
	"fmt"
	"strings"

	"leadsync/repo"
)

// Plan prints what a database administrator wants to read before it is run.
func (m Migration) Plan(ctx context.Context) error {
	m.Wait.Begin("Examining the database")
	names, err := m.DB.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		fmt.Fprintln(m.Out, "-- the tables are up to date")
		return nil
	}
	foreign, err := m.DB.NeedsAdoption(ctx)
	if err != nil {
		return err
	}
	stopped := m.preflight(ctx, "-- ")
	for _, name := range names {
		if foreign && name == repo.MirrorMigration {
			fmt.Fprintf(m.Out, "-- then, in transactions of 2,000 rows: older rows of the same leads are moved, and the new columns are filled\n\n%s\n",
				strings.Join(m.DB.AdoptionStatements(), "\n"))
		}
		statements, err := m.DB.MigrationStatements(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(m.Out, "-- pending: %s, %d statements in one transaction; leadsync migrate runs them\n\n%s\n\n",
			name, len(statements), strings.Join(statements, "\n\n"))
	}
	return stopped
}
