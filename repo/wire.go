package repo

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"
)

// keepAlive finds peers that are gone while we wait for them, within a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// wires are the open TCP connections to SQL Server, watched for silence.
type wires struct {
	mu    sync.Mutex
	open  map[*wire]struct{}
	heard time.Time // the last answer on any of them
	lost  time.Time // since when one waited that was given up, if nothing was heard after that
}

func newWires() *wires { return &wires{open: map[*wire]struct{}{}} }

// silentSince returns since when the server owes an answer, where that is longer than it may
// take; zero where it does not.
func (w *wires) silentSince(now time.Time, l limits) (since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lost.IsZero() && now.Sub(w.lost) > l.live/silentShare {
		since = w.lost
	}
	for wire := range w.open {
		limit := l.live
		if wire.patient {
			limit = l.long
		}
		for _, began := range []time.Time{wire.reading, wire.writing} {
			if !began.IsZero() && now.Sub(began) > limit/silentShare && (since.IsZero() || began.Before(since)) {
				since = began
			}
		}
	}
	return since
}

// wire is a TCP connection that knows since when it waits for the server.
type wire struct {
	net.Conn
	all     *wires
	stall   time.Duration // how long a packet may take to leave
	reading time.Time     // since when a read waits; zero where none does
	writing time.Time
	patient bool // the statement may take long
}

// Read implements net.Conn. The driver reads only where it expects an answer.
func (w *wire) Read(b []byte) (int, error) {
	w.note(&w.reading, time.Now())
	n, err := w.Conn.Read(b)
	w.note(&w.reading, time.Time{})
	if n > 0 {
		w.all.hear(time.Now())
	}
	return n, err
}

func (w *wires) hear(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.heard, w.lost = at, time.Time{}
}

// Write implements net.Conn. The driver looks at no context while it writes; a packet that
// does not leave in time ends the connection.
func (w *wire) Write(b []byte) (int, error) {
	now := time.Now()
	if err := w.SetWriteDeadline(now.Add(w.stall)); err != nil {
		return 0, err
	}
	w.note(&w.writing, now)
	n, err := w.Conn.Write(b)
	w.note(&w.writing, time.Time{})
	return n, err
}

func (w *wire) note(what *time.Time, since time.Time) {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	*what = since
}

// expect says whether what is asked next may take long.
func (w *wire) expect(patient bool) {
	if w == nil {
		return
	}
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	w.patient = patient
}

// Close implements net.Conn.
func (w *wire) Close() error {
	w.all.drop(w)
	return w.Conn.Close()
}

func (w *wires) drop(gone *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, gone)
	if gone.reading.After(w.heard) && (w.lost.IsZero() || gone.reading.Before(w.lost)) {
		w.lost = gone.reading
	}
}

func (w *wire) closed() bool {
	w.all.mu.Lock()
	defer w.all.mu.Unlock()
	_, open := w.all.open[w]
	return !open
}

// dialer makes wires, and leaves them where Connect finds them.
type dialer struct {
	wires *wires
	stall time.Duration
}

// DialContext implements mssql.Dialer.
func (d dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{KeepAliveConfig: keepAlive}).DialContext(ctx, network, address)
	if err != nil || !strings.HasPrefix(network, "tcp") { // the browser of instances is asked by UDP
		return conn, err
	}
	w := &wire{Conn: conn, all: d.wires, stall: d.stall}
	d.wires.mu.Lock()
	d.wires.open[w] = struct{}{}
	d.wires.mu.Unlock()
	if of, ok := ctx.Value(dialedKey{}).(*dialed); ok {
		of.add(w)
	}
	return w, nil
}

type dialedKey struct{}

// dialed are the wires of one log-in: where a name has several addresses the driver dials all
// of them and keeps one.
type dialed struct {
	patient bool
	mu      sync.Mutex
	wires   []*wire
	over    bool
}

func (d *dialed) add(w *wire) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.expect(d.patient)
	d.wires = append(d.wires, w)
	if d.over {
		_ = w.Close()
	}
}

// close hangs up. What is dialed later is closed, too.
func (d *dialed) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	for _, w := range d.wires {
		_ = w.Close()
	}
}

// live is the wire that the driver kept.
func (d *dialed) live() *wire {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, w := range d.wires {
		if !w.closed() {
			return w
		}
	}
	return nil
}
