// Package leadstest is what tests of several packages share: a clock that is set by hand, a
// log that can be read, addresses to listen on. It knows nothing of what is tested.
package leadstest

import (
	"context"
	"flag"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Clock is a clock that only moves when it is told to. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock shows now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now is what the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Wait lets the time pass at once, as retry.Wait does slowly.
func (c *Clock) Wait(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	return ctx.Err()
}

// Log keeps what is logged. The zero value is ready; it is safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is everything that was logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Logger writes to the log, details included.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Silent is for what a test does not want to read.
func Silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// SideBySide lets that many tests of a package run side by side, unless the command line says how many. By
// default they are as many as there are cores, but most tests wait more than they work. TestMain calls it first.
func SideBySide(tests int) {
	if err := flag.Set("test.parallel", strconv.Itoa(tests)); err != nil { // the command line is read later
		panic(err)
	}
}

// Ports from firstPort to lastPort are below those that systems hand out: one that is free stays
// free until the test listens on it, also again.
const (
	firstPort = 15_000
	lastPort  = 25_000
	blockSize = 100 // ports that a process takes for itself at a time
)

// block is where the next addresses come from. Who listens on its first port has all of it, so that
// tests of other packages, which run beside these, get others.
var block struct {
	mu    sync.Mutex
	owned []net.Listener // until the process ends
	next  int
}

// FreeAddress is an address of this machine on which nobody listens, and no other test will.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	block.mu.Lock()
	defer block.mu.Unlock()
	for range 1000 {
		if block.next%blockSize == 0 {
			first := firstPort + blockSize*rand.IntN((lastPort-firstPort)/blockSize) //nolint:gosec // no secret
			l, err := listen(first)
			if err != nil {
				continue // the block is somebody else's
			}
			block.owned, block.next = append(block.owned, l), first+1
		}
		port := block.next
		block.next++
		if l, err := listen(port); err == nil {
			_ = l.Close()
			return address(port)
		}
	}
	tb.Fatal("no port is free")
	return ""
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func listen(port int) (net.Listener, error) {
	return new(net.ListenConfig).Listen(context.Background(), "tcp", address(port))
}
