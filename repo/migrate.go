package repo

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// Migrate brings the database up to this version and names what it applied. Two replicas
// may do it at once: SQL Server lets the second wait, SQLite has it look again. It is
// ErrNoJSON where the tables would be of no use.
func (d *DB) Migrate(ctx context.Context) (applied []string, err error) {
	if err := d.checkLevel(ctx); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	for try := 1; ; try++ {
		done, err := d.migrateOnce(ctx)
		applied = append(applied, done...)
		if err == nil {
			return applied, nil
		}
		// Without a lock, two that start together collide over the same table; the one
		// that lost wrote nothing, and finds the work done when it looks again.
		if d.dialect.locker != nil || ctx.Err() != nil || try == tries || wait(ctx, try) != nil {
			return applied, fmt.Errorf("migrate: %w", d.explain(ctx, err))
		}
	}
}

func (d *DB) migrateOnce(ctx context.Context) ([]string, error) {
	provider, err := d.migrator(ctx)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	return sources(results), err
}

// MigrateDown takes away what Migrate added, and names what it undid. The seed's tables
// stay, with their rows; all that is only ours is gone.
func (d *DB) MigrateDown(ctx context.Context) (undone []string, err error) {
	provider, err := d.migrator(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate down: %w", err)
	}
	results, err := provider.DownTo(ctx, 0)
	if err != nil {
		return sources(results), fmt.Errorf("migrate down: %w", d.explain(ctx, err))
	}
	return sources(results), nil
}

// migrator runs each file in a transaction of its own: what is cut short has not been.
func (d *DB) migrator(ctx context.Context) (*goose.Provider, error) {
	options := []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(d.dialect.history),
		goose.WithSlog(d.log), goose.WithVerbose(d.log.Enabled(ctx, slog.LevelDebug)),
	}
	if d.dialect.locker != nil {
		options = append(options, goose.WithSessionLocker(d.dialect.locker))
	}
	return goose.NewProvider(d.dialect.goose, d.write, d.dialect.migrations, options...)
}

func sources(results []*goose.MigrationResult) (names []string) {
	for _, result := range results {
		names = append(names, path.Base(result.Source.Path))
	}
	return names
}

// MigrationStatements are the statements that a migration of MigrationPlan runs, one
// after the other.
func (d *DB) MigrationStatements(name string) ([]string, error) {
	text, err := fs.ReadFile(d.dialect.migrations, name)
	if err != nil {
		return nil, fmt.Errorf("statements of %s: %w", name, err)
	}
	_, up, _ := strings.Cut(string(text), "-- +goose Up\n")
	up, _, _ = strings.Cut(up, "-- +goose Down\n")
	var statements []string
	var statement strings.Builder
	whole := false // what stands between StatementBegin and StatementEnd is one statement
	for line := range strings.Lines(up) {
		mark := strings.TrimSpace(line)
		switch mark {
		case "-- +goose StatementBegin":
			whole = true
			continue
		case "-- +goose StatementEnd":
			whole = false
		default:
			statement.WriteString(line)
		}
		if !whole && (strings.HasSuffix(mark, ";") || mark == "-- +goose StatementEnd") {
			statements = append(statements, strings.TrimSpace(statement.String()))
			statement.Reset()
		}
	}
	return statements, nil
}

// MigrationPlan names the migrations that Migrate would apply; none: the database is up
// to date. It writes nothing. It is ErrNoJSON where Migrate would be.
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

// checkLevel is ErrNoJSON where the database does not read JSON.
func (d *DB) checkLevel(ctx context.Context) error {
	_, err := query(ctx, d.read, scanInt, d.dialect.sql.LevelAsk)
	if err != nil && d.meaning(err) == faultMissing {
		return fmt.Errorf("%w: %w", ErrNoJSON, err)
	}
	return d.explain(ctx, err)
}

// lacksMigrations tells whether migrations are known to be missing.
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

func (d *DB) appliedVersions(ctx context.Context) ([]int64, error) {
	var tables int
	err := d.read.QueryRowContext(ctx, d.dialect.sql.MigrationsTable).Scan(&tables)
	if err != nil || tables == 0 {
		return nil, err
	}
	return query(ctx, d.read, scanInt, d.dialect.sql.MigrationsApplied)
}

// CheckMigrated is ErrNotMigrated where the database lacks migrations of this version.
func (d *DB) CheckMigrated(ctx context.Context) error {
	plan, err := d.MigrationPlan(ctx)
	if err != nil {
		return err
	}
	if len(plan) > 0 {
		return fmt.Errorf("%w (missing: %s)", ErrNotMigrated, strings.Join(plan, ", "))
	}
	return nil
}

func scanInt(row scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}
