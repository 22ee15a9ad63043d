package service

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"leadsync/guide"
	"leadsync/settings"
)

// CheckOwner refuses to work in a data directory of another user: what root or a colleague writes there, the service cannot
// read at its next start.
func CheckOwner(cfg Config) error {
	me := os.Geteuid() // -1 on Windows, where access lists decide
	owner, known := ownerOf(cfg.DataDir)
	if me < 0 || !known || owner == me {
		return nil
	}
	return guide.At(guide.DataDirectory, fmt.Errorf("the data directory %s belongs to the user %s, and this is %s: %s",
		absolute(cfg.DataDir), settings.UserName(owner), settings.UserName(me), settings.RunAs(owner)))
}

// CheckServiceOwner refuses a data directory in which the service could not work as the user of this name; "" is who runs this.
func CheckServiceOwner(cfg Config, name string) error {
	if name == "" {
		return CheckOwner(cfg)
	}
	owner, known := ownerOf(cfg.DataDir)
	if !known || settings.UserName(owner) == name {
		return nil
	}
	return guide.At(guide.DataDirectory, fmt.Errorf("the data directory %s belongs to the user %s, and the service runs as %s: want another directory by --data-dir, or the directory given to %s",
		absolute(cfg.DataDir), settings.UserName(owner), name, name))
}

// ownerOf is the user whose data directory it is; false where there is none yet.
func ownerOf(dir string) (uid int, known bool) {
	uid, known = settings.FileOwner(dir)
	if !known || uid != 0 {
		return uid, known
	}
	// A volume in a container belongs to root, and its first user is another one.
	return settings.FileOwner(lockFile(dir))
}

// absolute is a path as people find it from anywhere.
func absolute(path string) string {
	if whole, err := filepath.Abs(path); err == nil {
		return whole
	}
	return path
}

// MissingData says that no service has worked here yet, for a command that must not make a data directory or a SQLite
// database; nil where one has.
func (c Config) MissingData() error {
	if _, err := os.Stat(lockFile(c.DataDir)); errors.Is(err, fs.ErrNotExist) && c.NATSURL == Embedded {
		return fmt.Errorf("no leadsync service has worked in the data directory %s: is LEADSYNC_DATA_DIR that of the service? The first start of `leadsync serve` creates it", absolute(c.DataDir))
	}
	return c.CheckDatabase()
}

// CheckDatabase says that there is no SQLite database, which opening would make; nil where there is a database.
func (c Config) CheckDatabase() error {
	if file, missing := c.MissingDatabase(); missing {
		return fmt.Errorf("there is no database %s (the data directory is %s): are LEADSYNC_DATABASE_URL and LEADSYNC_DATA_DIR those of the service? Its first start creates it", absolute(file), absolute(c.DataDir))
	}
	return nil
}
