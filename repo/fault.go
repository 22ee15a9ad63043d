package repo

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
)

// fault is what an error means for a transaction.
type fault int

const (
	faultOther   fault = iota // a mistake of ours, or of the database's set-up
	faultData                 // a value that the database does not take: its lead alone is to blame
	faultKey                  // a key that is there already: somebody was faster, or else as faultData
	faultBusy                 // locks: the same transaction may pass the next time
	faultBroken               // the connection went
	faultDown                 // reached, but in no state to write: full, read-only, no rights to log in
	faultMissing              // a table or column is missing
)

// errStale says that rows changed under a transaction although it had locked them: the
// database's locks do not hold what they promise. Starting anew is right.
var errStale = errors.New("rows changed while locked")

// errData marks a failure of one lead that shows before the database sees it.
var errData = errors.New("lead cannot be stored")

// preparation is an error of what comes before a lead's content is sent: none can be to
// blame for it.
type preparation struct{ error }

// Unwrap is the error itself.
func (p preparation) Unwrap() error { return p.error }

// bulk is an error of bulk copy. Its stages take any content, so it is the copying that
// went wrong, and the connection may be out of step.
type bulk struct{ error }

// Unwrap is the error itself.
func (b bulk) Unwrap() error { return b.error }

// judge says what an error means, whoever made it.
func (d *DB) judge(err error) fault {
	meaning := d.meaning(err)
	if meaning != faultData {
		return meaning
	}
	switch {
	case errors.As(err, new(preparation)):
		return faultOther
	case errors.As(err, new(bulk)):
		return faultBroken
	default:
		return meaning
	}
}

func (d *DB) meaning(err error) fault {
	var network net.Error
	switch {
	case errors.Is(err, errStale):
		return faultBusy
	case errors.Is(err, errData):
		return faultData
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED),
		errors.As(err, &network):
		return faultBroken
	default:
		return d.dialect.judge(err)
	}
}

// explain gives an error the meaning that callers look for. A context's end is told as
// such, whatever the driver made of it.
func (d *DB) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if errors.Is(err, ErrNotOwner) || errors.Is(err, errData) {
		return err
	}
	switch d.judge(err) {
	case faultBusy, faultBroken, faultDown:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case faultMissing:
		if errors.Is(d.checkLevel(ctx), ErrNoJSON) { // it is a function that is missing, and no table
			return fmt.Errorf("%w: %w", ErrNoJSON, err)
		}
		return fmt.Errorf("%w: %w", ErrNotMigrated, err)
	default:
		if d.lacksMigrations(ctx) { // a server need not say that it is a table which is missing
			return fmt.Errorf("%w: %w", ErrNotMigrated, err)
		}
		return err
	}
}
