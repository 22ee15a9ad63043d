package repo

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// latest stands for the newest version.
const latest = math.MaxInt64

// Making is a migration that is about to run.
type Making struct {
	Name     string
	Step, Of int // of those that the database lacks, from 1
}

// Migrate applies the migrations that the database lacks and returns their names. It does not
// take over the tables of a call centre: then the error is ErrNotAdopted. Replicas
// may call it at the same time: on SQL Server the second waits, on SQLite it tries again.
// The error is ErrNoJSON where the database cannot read JSON.
func (d *DB) Migrate(ctx context.Context) (applied []string, err error) {
	return d.MigrateStepwise(ctx, func(Making) {})
}

// MigrateStepwise is Migrate, and reports each migration of this process when it begins to run: not while another process
// makes the tables, and not those that the other one has made. A report must not write.
func (d *DB) MigrateStepwise(ctx context.Context, report func(Making)) (applied []string, err error) {
	if err := d.checkLevel(ctx); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	foreign, err := d.NeedsAdoption(ctx)
	switch {
	case err == nil && foreign:
		err = ErrNotAdopted
	case err == nil:
		err = d.checkElsewhere(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	applied, err = d.up(ctx, latest, report)
	return applied, wrap(d.explain(ctx, err), "migrate")
}

// up applies the migrations up to a version, also where other processes do the same.
func (d *DB) up(ctx context.Context, version int64, report func(Making)) (applied []string, err error) {
	m, closeAll := d.unlimited()
	defer closeAll()
	// Without a lock, two processes that start together try to create the same table. The
	// one that fails has written nothing, and finds the tables when it tries again.
	collides := func(error) bool { return d.dialect.locker == nil }
	err = d.attempt(ctx, collides, func(ctx context.Context) error {
		done, err := m.migrateOnce(ctx, version, report)
		applied = append(applied, done...)
		return err
	})
	return applied, err
}

// migrateOnce applies one migration after the other, each under a lock of its own. What is missing was read before the lock, for
// which other processes may have been waited: what they have made meanwhile is not reported.
func (d *DB) migrateOnce(ctx context.Context, version int64, report func(Making)) (applied []string, err error) {
	var missing []*goose.Source
	provider, err := d.migrator(ctx, func(ctx context.Context, file string) {
		i := slices.IndexFunc(missing, func(s *goose.Source) bool { return path.Base(s.Path) == file })
		if done, err := d.appliedVersions(ctx); i >= 0 && (err != nil || !slices.Contains(done, missing[i].Version)) {
			report(Making{Name: file, Step: i + 1, Of: len(missing)})
		}
	})
	if err != nil {
		return nil, err
	}
	done, err := d.appliedVersions(ctx)
	if err != nil {
		return nil, err
	}
	missing = slices.DeleteFunc(provider.ListSources(), func(s *goose.Source) bool { return s.Version > version || slices.Contains(done, s.Version) })
	for _, source := range missing {
		results, err := provider.UpTo(ctx, source.Version)
		applied = append(applied, sources(results)...)
		if err != nil {
			return applied, err
		}
	}
	return applied, nil
}

// MigrateDown reverts all migrations and returns their names. Tables that existed before
// leadsync stay with their rows; all of leadsync's own tables are dropped.
func (d *DB) MigrateDown(ctx context.Context) (undone []string, err error) {
	m, closeAll := d.unlimited()
	defer closeAll()
	provider, err := m.migrator(ctx, func(context.Context, string) {})
	if err != nil {
		return nil, fmt.Errorf("migrate down: %w", err)
	}
	results, err := provider.DownTo(ctx, 0)
	if err != nil {
		return sources(results), fmt.Errorf("migrate down: %w", d.explain(ctx, err))
	}
	return sources(results), nil
}

// unlimited is the same database over connections that wait as long as it takes, for what is
// done again from its start if it is interrupted: migrations and adoptions. close ends them.
func (d *DB) unlimited() (m *DB, closeAll func()) {
	if d.migrations == nil {
		return d, func() {}
	}
	pool, done := d.migrations()
	m = &DB{
		dialect: d.dialect, read: pool, write: pool, sealer: d.sealer, rules: d.rules, grace: d.grace,
		deleteFloor: d.deleteFloor, adoptBatch: d.adoptBatch, now: d.now, log: d.log,
	}
	return m, func() { _ = done() }
}

// migrator runs each file in a transaction of its own, so an interrupted migration changes
// nothing. begun is called in each transaction, before its first statement.
func (d *DB) migrator(ctx context.Context, begun func(ctx context.Context, file string)) (*goose.Provider, error) {
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(d.dialect.history),
		goose.WithSlog(slog.New(&listener{Handler: d.log.Handler(), kept: d.log.Enabled(ctx, slog.LevelDebug), begun: begun})), goose.WithVerbose(true),
	}
	if d.dialect.locker != nil {
		options = append(options, goose.WithSessionLocker(d.dialect.locker))
	}
	return goose.NewProvider(d.dialect.goose, d.write, d.dialect.migrations, options...)
}

// listener hears from goose's log which file runs: goose has no hook, and logs each statement before it is sent, in the
// transaction, where SQLite has no other lock.
type listener struct {
	slog.Handler

	kept  bool // the records are kept, too
	file  string
	begun func(ctx context.Context, file string)
}

// Enabled implements slog.Handler.
func (l *listener) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l *listener) Handle(ctx context.Context, record slog.Record) error {
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "source" && a.Value.String() != l.file {
			l.file = a.Value.String()
			l.begun(ctx, l.file)
		}
		return true
	})
	if !l.kept {
		return nil
	}
	return l.Handler.Handle(ctx, record)
}

func sources(results []*goose.MigrationResult) (names []string) {
	for _, result := range results {
		names = append(names, path.Base(result.Source.Path))
	}
	return names
}

// MigrationStatements returns the statements of a migration of MigrationPlan, in the order
// in which they run.
func (d *DB) MigrationStatements(name string) ([]string, error) {
	text, err := fs.ReadFile(d.dialect.migrations, name)
	if err != nil {
		return nil, fmt.Errorf("statements of %s: %w", name, err)
	}
	_, up, _ := strings.Cut(string(text), "-- +goose Up\n")
	up, _, _ = strings.Cut(up, "-- +goose Down\n")
	var statements []string
	var statement strings.Builder
	block := false // between StatementBegin and StatementEnd: one statement
	for line := range strings.Lines(up) {
		mark := strings.TrimSpace(line)
		switch mark {
		case "-- +goose StatementBegin":
			block = true
			continue
		case "-- +goose StatementEnd":
			block = false
		default:
			statement.WriteString(line)
		}
		if !block && (strings.HasSuffix(mark, ";") || mark == "-- +goose StatementEnd") {
			statements = append(statements, strings.TrimSpace(statement.String()))
			statement.Reset()
		}
	}
	return statements, nil
}

// MigrationPlan returns the names of the migrations that Migrate would apply; none where
// the database is up to date. It writes nothing. It returns ErrNoJSON where Migrate does.
func (d *DB) MigrationPlan(ctx context.Context) ([]string, error) {
	if err := d.checkLevel(ctx); err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", err)
	}
	plan, err := d.missingMigrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", d.explain(ctx, err))
	}
	return plan, nil
}

// checkLevel returns ErrNoJSON where the database cannot read JSON.
func (d *DB) checkLevel(ctx context.Context) error {
	ctx, cancel := d.limits.within(ctx)
	defer cancel()
	_, err := query(ctx, d.read, scanInt, d.dialect.sql.LevelAsk)
	if err != nil && d.faultOf(err) == faultMissing {
		return fmt.Errorf("%w: %w", ErrNoJSON, err)
	}
	return d.explain(ctx, err)
}

// lacksMigrations reports whether migrations are missing; false where that is unknown.
func (d *DB) lacksMigrations(ctx context.Context) bool {
	plan, err := d.missingMigrations(ctx)
	return err == nil && len(plan) > 0
}

func (d *DB) missingMigrations(ctx context.Context) ([]string, error) {
	known, err := fs.Glob(d.dialect.migrations, "*.sql")
	if err != nil {
		return nil, err
	}
	done, err := d.appliedVersions(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(known, func(name string) bool {
		digits, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseInt(digits, 10, 64)
		return err == nil && slices.Contains(done, version)
	}), nil
}

// appliedVersions reads goose's table. SQL Server hides a table that the login may not read: it
// seems to be missing, and only reading it tells.
func (d *DB) appliedVersions(ctx context.Context) ([]int64, error) {
	ctx, cancel := d.limits.within(ctx)
	defer cancel()
	tables, err := query(ctx, d.read, scanInt, d.dialect.sql.MigrationsTable)
	if err != nil {
		return nil, err
	}
	versions, err := query(ctx, d.read, scanInt, d.dialect.sql.MigrationsApplied)
	if err == nil || slices.ContainsFunc(tables, func(n int64) bool { return n > 0 }) || d.faultOf(err) == faultRights {
		return versions, err
	}
	return nil, nil // there is no such table, whatever word the server has for that
}

// CheckMigrated returns ErrNotMigrated where the database lacks migrations of this version.
func (d *DB) CheckMigrated(ctx context.Context) error {
	plan, err := d.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(plan) == 0 {
		return nil
	}
	foreign, err := d.NeedsAdoption(ctx)
	if err == nil && foreign {
		err = ErrNotAdopted
	}
	if err != nil {
		return err
	}
	return fmt.Errorf("%w (missing: %s)", ErrNotMigrated, strings.Join(plan, ", "))
}

func scanInt(row scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}
