package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
)

// serverLog passes the server's log on. The server logs sentences, so each becomes the
// value of one key.
type serverLog struct {
	log   *slog.Logger
	fatal atomic.Pointer[string] // the last fatal error; nil if there was none
}

func (l *serverLog) write(level slog.Level, format string, args []any) {
	l.log.Log(context.Background(), level, "embedded nats server", "says", fmt.Sprintf(format, args...))
}

// Noticef implements server.Logger. The server's notices are details here.
func (l *serverLog) Noticef(format string, args ...any) { l.write(slog.LevelDebug, format, args) }

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, args ...any) { l.write(slog.LevelWarn, format, args) }

// Fatalf implements server.Logger. The server calls it and goes on, useless, when it could
// not start.
func (l *serverLog) Fatalf(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.fatal.Store(&text)
	l.write(slog.LevelError, format, args)
}

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, args ...any) { l.write(slog.LevelError, format, args) }

// Debugf implements server.Logger.
func (l *serverLog) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (l *serverLog) Tracef(string, ...any) {}
