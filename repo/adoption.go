package repo

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// ErrNotAdopted says that the database has the call centre's tables, and that leadsync has not
// taken them over yet, or not completely. Only a person starts that, by leadsync migrate.
var ErrNotAdopted = fmt.Errorf("%w: it has the call centre's tables, which only that command takes over", ErrNotMigrated)

// The versions of the migrations around an adoption: the first adds the columns that leadsync
// fills, the second everything that needs them filled.
const (
	versionColumns = 1
	versionMirror  = 2
)

// MirrorMigration is the migration before which the call centre's rows are changed.
const MirrorMigration = "00002_mirror.sql"

// Adopted is what a migration has done, and what the database has now.
type Adopted struct {
	Applied  []string // names of the migrations
	TookOver bool     // the call centre's tables were there
	// Rows in the call centre's tables and in leadsync_duplicate_leads.
	Leads, Contacts, Solutions, Failures, Duplicates int64
	Unclaimed                                        int64 // leads of no portal
}

// Adopt is Migrate for a person who wants it: it also takes over the call centre's tables. Their
// rows are changed in small transactions, so readers go on, and an interrupted call loses
// nothing: the next one continues. Only the last step locks the tables for a while.
func (d *DB) Adopt(ctx context.Context, report func(Progress)) (a Adopted, err error) {
	if err := d.checkLevel(ctx); err != nil {
		return a, fmt.Errorf("migrate: %w", err)
	}
	if a.TookOver, err = d.NeedsAdoption(ctx); err != nil {
		return a, wrap(err, "migrate")
	}
	if a.TookOver {
		m, closeAll := d.unlimited() // a report that runs for an hour delays it and does not end it
		defer closeAll()
		if err := m.takeOver(ctx, &a, report); err != nil {
			return a, wrap(err, "take over the call centre's tables")
		}
		reporter(report).say("checks, unique key and indexes: the tables are locked while the server reads them once", 0, 0)
	}
	applied, err := d.up(ctx, latest, func(Making) {})
	if a.Applied = append(a.Applied, applied...); err != nil {
		return a, wrap(d.explain(ctx, err), "migrate")
	}
	return a, d.sumUp(ctx, &a)
}

// NeedsAdoption reports whether the database has the call centre's tables, and leadsync has not
// taken them over yet.
func (d *DB) NeedsAdoption(ctx context.Context) (bool, error) {
	done, err := d.appliedVersions(ctx)
	for {
		if err != nil || slices.Contains(done, versionMirror) {
			return false, d.explain(ctx, err)
		}
		ask := d.dialect.sql.AdoptTables
		if slices.Contains(done, versionColumns) { // leadsync made those that were missing
			ask = d.dialect.sql.AdoptRows
		}
		var found []int64
		if found, err = query(ctx, d.read, scanInt, ask); err != nil || found[0] == 0 {
			return false, d.explain(ctx, err)
		}
		before := done
		if done, err = d.appliedVersions(ctx); err == nil && slices.Equal(done, before) {
			return true, nil
		} // else another replica has made these tables meanwhile
	}
}

// checkElsewhere returns ErrNotAdopted where the call centre's tables are in another schema than
// leadsync's: empty ones would be made, and reports would not notice.
func (d *DB) checkElsewhere(ctx context.Context) error {
	done, err := d.appliedVersions(ctx)
	if err != nil || len(done) > 0 || d.dialect.preflight["schemas"] == "" {
		return d.explain(ctx, err)
	}
	facts, err := query(ctx, d.read, scanFact, d.dialect.preflight["schemas"])
	if err != nil {
		return d.explain(ctx, err)
	}
	for _, c := range judgeSchemas(&surroundings{schema: d.dialect.schema}, facts) {
		if c.Severity == Stops {
			return fmt.Errorf("%w (%s: %s)", ErrNotAdopted, c.Found, c.Do)
		}
	}
	return nil
}

// takeOver gives the rows leadsync's columns and moves duplicates.
func (d *DB) takeOver(ctx context.Context, a *Adopted, report reporter) (err error) {
	if a.Applied, err = d.up(ctx, versionColumns, func(Making) {}); err != nil {
		return d.explain(ctx, err)
	}
	counts, err := d.adoptCounts(ctx)
	if err != nil {
		return err
	}
	moved, err := d.setAside(ctx, report)
	if err != nil {
		return err
	}
	s := d.dialect.sql
	for _, table := range []struct {
		name       string
		upto, fill string
		rows       int64
	}{
		{"leads", s.AdoptLeadsUpto, s.AdoptLeads, counts.leads - moved},
		{"contacts", s.AdoptContactsUpto, s.AdoptContacts, counts.contacts},
		{"solutions", s.AdoptSolutionsUpto, s.AdoptSolutions, counts.solutions},
		{"import errors", s.AdoptFailuresUpto, s.AdoptFailures, counts.failures},
	} {
		_, err := d.inBatches(ctx, batches{
			step: table.name, total: table.rows, upto: table.upto,
			do: func(ctx context.Context, tx *sql.Tx, from, to sql.NamedArg) (t tally, err error) {
				t.changed, err = affect(ctx, tx, table.fill, from, to)
				return t, err
			},
		}, report)
		if err != nil {
			return fmt.Errorf("%s: %w", table.name, err)
		}
	}
	return nil
}

// setAside moves the rows that have a newer row of the same lead.
func (d *DB) setAside(ctx context.Context, report reporter) (moved int64, err error) {
	report.say("rows of the same lead: the server reads the table once", 0, 0)
	ids, err := askInTransaction(ctx, d, scanInt, d.dialect.sql.AdoptDuplicates)
	if err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(ids, d.adoptBatch) {
		err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return d.moveDuplicates(ctx, tx, "", batch)
		})
		if err != nil {
			return moved, fmt.Errorf("rows of the same lead: %w", err)
		}
		moved += int64(len(batch))
		report.say("rows of the same lead", moved, int64(len(ids)))
	}
	return moved, nil
}

// rowCounts are the numbers of rows of the call centre's tables and of the one with duplicates.
type rowCounts struct{ leads, contacts, solutions, failures, duplicates int64 }

func (d *DB) adoptCounts(ctx context.Context) (rowCounts, error) {
	counts, err := askInTransaction(ctx, d, func(row scanner) (c rowCounts, err error) {
		err = row.Scan(&c.leads, &c.contacts, &c.solutions, &c.failures, &c.duplicates)
		return c, err
	}, d.dialect.sql.AdoptCounts)
	if err != nil {
		return rowCounts{}, err
	}
	return counts[0], nil
}

func (d *DB) sumUp(ctx context.Context, a *Adopted) error {
	c, err := d.adoptCounts(ctx)
	if err != nil {
		return wrap(err, "count rows")
	}
	a.Leads, a.Contacts, a.Solutions, a.Failures, a.Duplicates = c.leads, c.contacts, c.solutions, c.failures, c.duplicates
	a.Unclaimed, err = d.Unclaimed(ctx)
	return err
}

// AdoptionStatements are the statements that Adopt runs between the first two migrations, each
// again and again, where the call centre's tables are to be taken over.
func (d *DB) AdoptionStatements() []string {
	s := d.dialect.sql
	return []string{
		s.AdoptDuplicates, s.DuplicatesInsert, s.DuplicatesDelete, s.AdoptLeadsUpto, s.AdoptLeads, s.AdoptContactsUpto, s.AdoptContacts,
		s.AdoptSolutionsUpto, s.AdoptSolutions, s.AdoptFailuresUpto, s.AdoptFailures,
	}
}
