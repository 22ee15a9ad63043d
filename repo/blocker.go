package repo

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// watchShare is the part of limits.lock after which a transaction that has not ended asks who
// blocks it: while it waits, because afterwards the server no longer shows whom it waited for.
const watchShare = 6

// blocker is a session that holds a lock which leadsync wants.
type blocker struct {
	visible              bool // the login may see other sessions
	session              int64
	login, host, program string
	status               string
	transactions         int64
	held, idle           int64 // seconds since its transaction, or its statement, began, and since it did anything
	waitsFor             int64 // the session that blocks it, in turn
}

func scanBlocker(row scanner) (b blocker, err error) {
	err = row.Scan(&b.visible, &b.session, &b.login, &b.host, &b.program, &b.status, &b.transactions, &b.held, &b.idle, &b.waitsFor)
	return b, err
}

// words say who holds the lock, since when, and what to do.
func (b blocker) words(now time.Time) string {
	switch {
	case !b.visible:
		return "who holds the lock is not known: the login lacks the right VIEW SERVER STATE (GRANT VIEW SERVER STATE TO its login)"
	case b.session == 0:
		return ""
	}
	s := fmt.Sprintf("session %d holds the lock", b.session)
	if b.login != "" {
		s += fmt.Sprintf(" (login %s, program %s, computer %s)", b.login, cmp.Or(b.program, "unknown"), cmp.Or(b.host, "unknown"))
	}
	s += " since " + ago(now, b.held)
	switch {
	case b.waitsFor != 0:
		return s + fmt.Sprintf("; it waits for session %d itself: look at that one first", b.waitsFor)
	case b.status == "sleeping" && b.transactions > 0:
		return s + fmt.Sprintf("; it has an open transaction and has done nothing since %s: have its user commit or roll back, or end it with KILL %d", ago(now, b.idle), b.session)
	default:
		return s + fmt.Sprintf("; it is at work: wait for it, or end it with KILL %d", b.session)
	}
}

func ago(now time.Time, seconds int64) string {
	return now.Add(-time.Duration(seconds) * time.Second).UTC().Format(time.RFC3339)
}

// watch finds out who blocks one attempt of a transaction.
type watch struct {
	db    *DB
	timer *time.Timer
	found atomic.Pointer[string]
	over  bool // the attempt has ended; guarded by trouble.mu
}

func (d *DB) watchBlockers(ctx context.Context) *watch {
	w := &watch{db: d}
	w.timer = time.AfterFunc(d.limits.lock/watchShare, func() {
		if words := d.askBlocker(ctx); words != "" && ctx.Err() == nil {
			w.found.Store(&words)
			d.trouble.block(w, words)
			d.log.WarnContext(ctx, "a transaction waits for a lock", "blocked_by", words)
		}
	})
	return w
}

// askBlocker returns words about the session that blocks this process; "" where there is none,
// or where the server does not say.
func (d *DB) askBlocker(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, d.limits.reset)
	defer cancel()
	found, err := intime(ctx, func() ([]blocker, error) { return collect(ctx, d.read, scanBlocker, d.dialect.sql.BlockerAsk) })
	if err != nil || len(found) == 0 {
		d.log.DebugContext(ctx, "the server does not say who blocks a transaction", "error", err)
		return ""
	}
	return found[0].words(d.now())
}

// name ends the watch, and says in the error who blocked the attempt.
func (w *watch) name(err error) error {
	w.timer.Stop()
	w.db.trouble.unblock(w)
	words := w.found.Load()
	if err == nil || words == nil {
		return err
	}
	return fmt.Errorf("%w; %s", err, *words)
}

// trouble is what readiness says of the database although it answers pings.
type trouble struct {
	mu      sync.Mutex
	blocked map[*watch]string
	since   time.Time // of the first failure to write leads since the last success
	err     error
}

func (t *trouble) block(w *watch, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.over { // the answer came too late
		return
	}
	if t.blocked == nil {
		t.blocked = map[*watch]string{}
	}
	t.blocked[w] = words
}

func (t *trouble) unblock(w *watch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w.over = true
	delete(t.blocked, w)
}

// note keeps the error of writing leads; nil is a success.
func (t *trouble) note(now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil || t.err == nil {
		t.since = now
	}
	t.err = err
}

// Problem says what is wrong with the database as far as transactions have met it: it gives no
// answer, another session blocks it, or it refuses to store leads. It is "" where nothing is
// known. It asks nothing, so it answers also while the database does not.
func (d *DB) Problem() string {
	d.trouble.mu.Lock()
	defer d.trouble.mu.Unlock()
	for _, words := range d.trouble.blocked {
		return "a transaction waits for a lock: " + words
	}
	if d.silentSince != nil {
		if since := d.silentSince(time.Now()); !since.IsZero() {
			return "no answer since " + since.UTC().Format(time.RFC3339)
		}
	}
	if d.trouble.err != nil {
		return fmt.Sprintf("leads cannot be written since %s: %v", d.trouble.since.UTC().Format(time.RFC3339), d.trouble.err)
	}
	return ""
}
