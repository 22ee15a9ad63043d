// Package migration is what leadsync migrate does with a database, for the person who runs it: it says what
// would stop a migration before anything changes, shows the statements, runs them, and says what comes next.
// It must not know where the database is, nor what the statements do.
package migration

import (
	"context"
	"fmt"
	"io"
	"time"

	"leadsync/doctor"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

// Migration changes the tables of a database, or shows how it would.
type Migration struct {
	DB    *repo.DB
	Out   io.Writer                                     // what a person reads
	Wait  *service.Waiting                              // says what takes long; nil says nothing
	Paint func(level doctor.Level, words string) string // colours the word of a level
}

// Up checks the database, migrates, and says what there is now.
func (m Migration) Up(ctx context.Context) error {
	m.Wait.Begin("Examining the database")
	pending, err := m.DB.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(pending) == 0 {
		fmt.Fprintln(m.Out, "the tables are up to date")
		return m.sayUnclaimed(ctx)
	}
	if err := m.preflight(ctx, ""); err != nil {
		return err
	}
	began := time.Now()
	m.Wait.Begin("Changing the tables")
	done, err := m.DB.Adopt(ctx, service.NewSteps(m.Wait).Show)
	for _, name := range done.Applied {
		fmt.Fprintln(m.Out, "applied", name)
	}
	if err != nil {
		return fmt.Errorf("%w\nWhat is done stays done: run `leadsync migrate` again, and it continues", err)
	}
	if done.TookOver {
		writeAdopted(m.Out, done, time.Since(began))
	}
	return nil
}

// writeAdopted says what a person wants to know at the end.
func writeAdopted(out io.Writer, done repo.Adopted, took time.Duration) {
	fmt.Fprintf(out, `
The call centre's tables are taken over, in %s:
  kept: %s, %s, %s and %s
  in leadsync_duplicate_leads: %s of the same leads
  %s to no portal yet

What comes next:
  1. Run deployments/sqlserver/grants.sql, so that the service and the reports have their rights (on SQL Server).
  2. Start leadsync serve; one that runs already goes on by itself.
  3. Install the application in the portal. If the database names that portal, or no other one is connected, it gets the leads by itself;
     otherwise say whose they are: leadsync portals claim <member_id or domain>.
  4. The first pass then rewrites every lead as the portal shows it; leadsync reconcile history shows it.
`, took.Round(time.Second/10), leads.Amount(done.Leads, "lead"), leads.Amount(done.Contacts, "contact"), leads.Amount(done.Solutions, "solution"),
		leads.Amount(done.Failures, "import error"), leads.Amount(done.Duplicates, "older row"), service.LeadsBelong(done.Unclaimed, ""))
}

// sayUnclaimed prints how many leads belong to no portal, where there are any.
func (m Migration) sayUnclaimed(ctx context.Context) error {
	unclaimed, err := m.DB.Unclaimed(ctx)
	if err == nil && unclaimed > 0 {
		fmt.Fprintln(m.Out, service.UnclaimedWords(unclaimed))
	}
	return err
}

// Down removes what leadsync has added, where no service uses it.
func (m Migration) Down(ctx context.Context) error {
	m.Wait.Begin("Looking whether a service uses the database")
	if err := service.CheckUnserved(ctx, m.DB, time.Now()); err != nil {
		return err
	}
	m.Wait.Begin("Removing tables and columns")
	names, err := m.DB.MigrateDown(ctx)
	for _, name := range names {
		fmt.Fprintln(m.Out, "undone", name)
	}
	if err == nil && len(names) == 0 {
		fmt.Fprintln(m.Out, "nothing to remove")
	}
	return err
}
