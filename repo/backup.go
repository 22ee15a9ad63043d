package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"modernc.org/sqlite"

	leadsql "leadsync/sql"
)

// ErrOwnBackup says that the database server has a backup of its own.
var ErrOwnBackup = errors.New("only SQLite is backed up by this command: a database server has its own backup (BACKUP DATABASE)")

// vacuumInto reads in one transaction, so that it copies one moment. Only SQLite has it.
const vacuumInto = "VACUUM INTO @file"

// partial ends the name of a copy that is not complete yet.
const partial = ".partial"

// Backup is a copy of the database.
type Backup struct {
	File  string
	Bytes int64
}

// Backup writes a copy of a SQLite database into a directory, as it is at one moment: others may write
// meanwhile. The copy is readable by its owner alone, gets its name when it is complete, on disk and
// checked, and replaces no other file.
func (d *DB) Backup(ctx context.Context, dir string) (b Backup, err error) {
	if d.dialect.name != sqliteName {
		return b, ErrOwnBackup
	}
	if dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return b, fmt.Errorf("make the directory of the backup: %w", err)
	}
	name := filepath.Join(dir, "leadsync-"+d.now().UTC().Format("20060102T150405Z")+".db")
	// VACUUM writes into an empty file, so names and numbers are private from the first byte on. Two
	// backups of the same second meet here.
	file, err := os.OpenFile(name+partial, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return b, fmt.Errorf("begin the backup: %w", err)
	}
	if _, err = os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s is there already, and is not overwritten: try again in a second", name)
	} else {
		err = d.copyInto(ctx, file)
	}
	if err = errors.Join(err, file.Close()); err == nil { // Windows renames no open file
		err = os.Rename(name+partial, name)
	}
	if err != nil {
		return b, errors.Join(err, os.Remove(name+partial))
	}
	info, err := os.Stat(name)
	if err != nil {
		return b, err
	}
	return Backup{File: name, Bytes: info.Size()}, nil
}

// copyInto copies the database into an empty file and reads the copy.
func (d *DB) copyInto(ctx context.Context, file *os.File) error {
	if _, err := d.write.ExecContext(ctx, vacuumInto, sql.Named("file", file.Name())); err != nil {
		return fmt.Errorf("copy the database: %w", d.explain(ctx, err))
	}
	if err := file.Sync(); err != nil { // SQLite does not
		return fmt.Errorf("sync the copy: %w", err)
	}
	return checkCopy(ctx, file.Name())
}

// checkCopy reads the whole copy. It opens it so that no other file appears beside it.
func checkCopy(ctx context.Context, path string) (err error) {
	connector, err := sqlite.NewConnector(fileURL(path) + "?immutable=1&mode=ro")
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	problems, err := query(ctx, db, scanFact, leadsql.SQLitePreflight["integrity"])
	if err != nil {
		return fmt.Errorf("check the copy: %w", err)
	}
	for _, p := range problems {
		return fmt.Errorf("the copy is damaged, and the database probably is, too: %s", p["problem"])
	}
	return nil
}
