package doctor

import (
	"context"
	"strings"

	"leadsync/guide"
	"leadsync/repo"
)

// Database is what the check of the database asks.
type Database interface {
	Ping(ctx context.Context) error
	Dialect() string
	MigrationPlan(ctx context.Context) ([]string, error)
	Health(ctx context.Context) ([]repo.Condition, error)
}

// theDatabase is whom checks ask.
const theDatabase = "the database"

// CheckDatabase looks at connection, version of the tables, settings, rights, room and statistics.
func CheckDatabase(db Database) Check {
	return check{"database", func(ctx context.Context) []Finding {
		if err := ask(ctx, theDatabase, limit, db.Ping); err != nil {
			return []Finding{fault(guide.DatabaseDown, "the database does not answer as it should", "callbacks are kept, and nothing else works", "start the server; check LEADSYNC_DATABASE_URL and the network").because(err)}
		}
		found := []Finding{ok("it answers (" + db.Dialect() + ")")}
		fit, err := tables(ctx, db)
		found = append(found, fit)
		if silent(err) {
			return append(found, unknown("settings, rights, room and statistics: not asked").because(err))
		}
		made := fit.Level == OK
		var conditions []repo.Condition
		err = ask(ctx, theDatabase, limit, func(ctx context.Context) (err error) {
			conditions, err = db.Health(ctx)
			return err
		})
		if err != nil {
			return append(found, fault(guide.DatabaseDown, refusal, "the server did not answer all questions", "run doctor again; look at the server's log").because(err))
		}
		for _, c := range conditions {
			if c.Check != repo.CheckRights || made { // of a table that does not exist nobody has rights
				found = append(found, finding(c, guide.DatabaseHealth))
			}
		}
		if !made {
			found = append(found, unknown("whether the login has the rights that the service needs: that can be asked when the tables are up to date"))
		}
		return found
	}}
}

// Unmigrated is what the check of a database asks that leadsync has not worked in yet.
type Unmigrated interface {
	Preflight(ctx context.Context) ([]repo.Condition, error)
}

// CheckBeforeMigration looks for what would stop a migration, the login's rights among it.
func CheckBeforeMigration(db Unmigrated) Check {
	return check{"database", func(ctx context.Context) (found []Finding) {
		var conditions []repo.Condition
		err := ask(ctx, theDatabase, limit, func(ctx context.Context) (err error) {
			conditions, err = db.Preflight(ctx)
			return err
		})
		if err != nil {
			return []Finding{fault(guide.DatabaseDown, refusal, "the server did not answer all questions", "run doctor again; look at the server's log").because(err)}
		}
		for _, c := range conditions {
			heading := guide.DatabaseHealth
			if c.Severity == repo.Stops {
				heading = guide.Preflight
			}
			found = append(found, finding(c, heading))
		}
		return found
	}}
}

// tables says whether they are those of this version.
func tables(ctx context.Context, db Database) (fit Finding, err error) {
	var pending []string
	err = ask(ctx, theDatabase, limit, func(ctx context.Context) (err error) {
		pending, err = db.MigrationPlan(ctx)
		return err
	})
	switch {
	case err != nil:
		return fault(guide.DatabaseDown, "the server does not say which tables there are", "it is not known whether the tables fit", "run leadsync migrate --plan").because(err), err
	case len(pending) > 0:
		return fault(guide.Migrate, "the tables are not up to date: "+strings.Join(pending, ", "), "the service waits until they are", "run leadsync migrate"), nil
	}
	return ok("the tables are those of this version"), nil
}

// finding is what the database said, as a finding.
func finding(c repo.Condition, heading guide.Heading) Finding {
	if c.Check == repo.CheckRights {
		heading = guide.Rights
	}
	switch {
	case c.Unchecked():
		return unchecked(c)
	case c.Severity == repo.Stops:
		return fault(heading, c.Found, "leadsync cannot work with it", c.Do)
	case c.Severity == repo.Warns:
		return warning(heading, c.Found, "", c.Do)
	}
	return ok(c.Found)
}

// unchecked is what could not be found out. Where the server has refused the question, its words are no sentence of ours.
func unchecked(c repo.Condition) Finding {
	f := unknown(c.Check + ": " + strings.Replace(c.Found, spoken, refusal+": "+spoken, 1))
	if f.Do = c.Do; strings.Contains(c.Found, spoken) {
		f.Do = "where the login may not ask this, let the server's administrator grant it or look himself; a server that does not know the question needs nothing"
	}
	return f
}
