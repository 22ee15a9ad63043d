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
	faultOther   fault = iota // a bug in leadsync or a wrong database setup
	faultData                 // the database rejects a value: only the content of one lead is to blame
	faultKey                  // duplicate key: a concurrent insert, or as faultData
	faultBusy                 // locks: the same transaction may succeed the next time
	faultBroken               // the connection was lost
	faultDown                 // the database answers but cannot write: full, read-only, login refused
	faultMissing              // a table or column is missing
	faultRights               // the login lacks a right
)

// errStale says that rows changed although the transaction had locked them: the
// database's locks do not protect them as they should. The transaction runs again.
var errStale = errors.New("rows changed while locked")

// errData marks a lead that leadsync rejects before it sends it to the database.
var errData = errors.New("lead cannot be stored")

// setupError is an error from before any lead's content was sent: no lead is to blame.
type setupError struct{ error }

// Unwrap returns the cause.
func (e setupError) Unwrap() error { return e.error }

// bulkError is an error of bulk copy. Its temporary tables accept any content, so the
// copying itself failed, and the connection may be unusable.
type bulkError struct{ error }

// Unwrap returns the cause.
func (e bulkError) Unwrap() error { return e.error }

// AdvisedError is a database that could not be opened, or a stored secret that could not be read, with what to do about the cause.
type AdvisedError struct {
	error

	Advice string
}

func (e AdvisedError) Error() string { return e.error.Error() + ": " + e.Advice }

// Unwrap returns the error without the advice.
func (e AdvisedError) Unwrap() error { return e.error }

// classify says what an error means, whichever layer returned it.
func (d *DB) classify(err error) fault {
	kind := d.faultOf(err)
	if kind != faultData {
		return kind
	}
	switch {
	case errors.As(err, new(setupError)):
		return faultOther
	case errors.As(err, new(bulkError)):
		return faultBroken
	default:
		return kind
	}
}

// faultOf classifies an error without regard to when it happened.
func (d *DB) faultOf(err error) fault {
	var network net.Error
	switch {
	case errors.As(err, new(silenceError)):
		return faultBroken
	case errors.Is(err, errStale), errors.Is(err, errColumns):
		return faultBusy
	case errors.Is(err, errData):
		return faultData
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, sql.ErrConnDone), errors.Is(err, io.EOF),
		errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.ECONNREFUSED),
		errors.As(err, &network):
		return faultBroken
	default:
		return d.dialect.classify(err)
	}
}

// explain wraps an error in the sentinel that callers test for. When the context has
// ended, that is the error, whatever the driver returned.
func (d *DB) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: no answer in time: %w", ErrUnavailable, ctx.Err())
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", ctx.Err(), err)
	}
	if errors.Is(err, ErrNotOwner) || errors.Is(err, errData) {
		return err
	}
	kind := d.classify(err)
	if d.dialect.cause != nil {
		err = d.dialect.cause(err)
	}
	switch kind {
	case faultBusy, faultBroken, faultDown:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case faultRights:
		return fmt.Errorf("%w: %w", ErrRights, err)
	case faultMissing:
		if errors.Is(d.checkLevel(ctx), ErrNoJSON) { // a function is missing, not a table
			return fmt.Errorf("%w: %w", ErrNoJSON, err)
		}
		return fmt.Errorf("%w: %w", ErrNotMigrated, err)
	default:
		if d.lacksMigrations(ctx) { // some servers do not report a missing table as such
			return fmt.Errorf("%w: %w", ErrNotMigrated, err)
		}
		return err
	}
}
