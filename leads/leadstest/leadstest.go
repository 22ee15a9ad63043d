// Package leadstest is what tests of several packages share: a clock that is set by hand, a
// log that can be read, addresses to listen on. It knows nothing of what is tested.
package leadstest

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// Ports from firstPort on are below those that systems hand out: one that is free stays free
// until the test listens on it, also again.
var (
	firstPort = 15_000 + rand.Uint32N(10_000)
	nextPort  atomic.Uint32
)

// FreeAddress is an address of this machine on which nobody listens, and no other test of the
// process will.
func FreeAddress(tb testing.TB) string {
	tb.Helper()
	for range 1000 {
		address := fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1))
		if l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	tb.Fatal("no port is free")
	return ""
}
