package repo

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// Migrate brings the database up to this version and names what it applied. Two replicas
// may do it at once: SQL Server lets the second wait, SQLite has it look again.
func (d *DB) Migrate(ctx context.Context) (applied []string, err error) {
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
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithTableName(d.dialect.history)}
	if d.dialect.locker != nil {
		options = append(options, goose.WithSessionLocker(d.dialect.locker))
	}
	provider, err := goose.NewProvider(d.dialect.goose, d.write, d.dialect.migrations, options...)
	if err != nil {
		return nil, err
	}
	results, err := provider.Up(ctx)
	var applied []string
	for _, result := range results {
		applied = append(applied, path.Base(result.Source.Path))
	}
	return applied, err
}

// MigrationPlan names the migrations that Migrate would apply; none: the database is up
// to date. It writes nothing.
func (d *DB) MigrationPlan(ctx context.Context) ([]string, error) {
	plan, err := d.missingMigrations(ctx)
	if err != nil {
		return nil, fmt.Errorf("read applied migrations: %w", d.explain(ctx, err))
	}
	return plan, nil
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
