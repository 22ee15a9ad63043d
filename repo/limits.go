package repo

import (
	"context"
	"errors"
	"time"
)

// limits are how long SQL Server may take. SQLite, which is a file, has none: the zero value.
type limits struct {
	live  time.Duration // a statement, or a transaction, of the live path
	long  time.Duration // what is marked by patient
	lock  time.Duration // the wait for a lock
	rest  time.Duration // a pooled connection that nobody uses, before it is checked
	reset time.Duration // that check
	login time.Duration
}

const (
	answerLimit = time.Minute
	// longShare is how much longer patient work may take, and silentShare the part of a limit
	// after which readiness says that the server is silent.
	longShare, silentShare = 5, 4
)

// limitsOf derives all limits from that of the live path; 0 is a minute.
func limitsOf(answer time.Duration) limits {
	if answer == 0 {
		answer = answerLimit
	}
	return limits{
		live: answer, long: longShare * answer, lock: answer / 2, rest: answer / 12,
		reset: min(answer/4, 10*time.Second), login: min(answer/2, 15*time.Second),
	}
}

// of is the limit of what runs with this context; 0 is none.
func (l limits) of(ctx context.Context) time.Duration {
	if isPatient(ctx) {
		return l.long
	}
	return l.live
}

// within bounds the context by the limit. A shorter deadline of the caller wins.
func (l limits) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if limit := l.of(ctx); limit > 0 {
		return context.WithTimeout(ctx, limit)
	}
	return ctx, func() {}
}

type patientKey struct{}

// patient marks work that may take long: passes, imports, what reads or deletes a portal's
// rows. Everything else is the live path.
func patient(ctx context.Context) context.Context { return context.WithValue(ctx, patientKey{}, true) }

func isPatient(ctx context.Context) bool { return ctx.Value(patientKey{}) != nil }

// budget divides the limit of a transaction among its attempts: they share it. Where the first
// one used all of it up, as on a connection that swallows what it is sent, there is a second,
// shorter one on another connection: the caller holds a portal's turn meanwhile.
type budget struct {
	limit time.Duration
	lock  time.Duration // how long an attempt may wait for a lock
	began time.Time
	last  time.Time // when the last attempt began
	tries int
}

// lastShare is the part of the limit that an attempt gets where the limit is used up.
const lastShare = 3

// next is how long the next attempt may take; 0 is without limit.
func (b *budget) next() time.Duration {
	b.tries++
	b.last = time.Now()
	if b.limit == 0 {
		return 0
	}
	return max(b.limit-time.Since(b.began), b.limit/lastShare)
}

// spent reports whether no attempt may follow. After one that may have waited in vain for a lock
// there must be time to wait for it again: ended by our limit, the next one would look like
// silence.
func (b *budget) spent() bool {
	if b.limit == 0 {
		return false
	}
	used := time.Since(b.began)
	if waited := time.Since(b.last); waited >= b.lock && waited < b.limit && b.limit-used <= b.lock {
		return true
	}
	return b.tries > 1 && used >= b.limit
}

// outOfTime returns err, or a silenceError where our limit, not the caller's, ended the work.
func (d *DB) outOfTime(ctx, limited context.Context, what string, limit time.Duration, err error) error {
	if err == nil || ctx.Err() != nil || !errors.Is(limited.Err(), context.DeadlineExceeded) {
		return err
	}
	if d.doubt != nil {
		d.doubt()
	}
	return silenceError{what, limit.Round(time.Second / 10), err}
}
