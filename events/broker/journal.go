package broker

import (
	"context"
	"fmt"
	"log/slog"
)

// journal passes the server's log on; its texts are sentences, so they become the
// value of one key.
type journal struct{ log *slog.Logger }

func (j journal) write(level slog.Level, format string, args []any) {
	j.log.Log(context.Background(), level, "embedded nats server", "says", fmt.Sprintf(format, args...))
}

// Noticef implements server.Logger. The server's notices are details to us.
func (j journal) Noticef(format string, args ...any) { j.write(slog.LevelDebug, format, args) }

// Warnf implements server.Logger.
func (j journal) Warnf(format string, args ...any) { j.write(slog.LevelWarn, format, args) }

// Fatalf implements server.Logger; the server does not exit the process here.
func (j journal) Fatalf(format string, args ...any) { j.write(slog.LevelError, format, args) }

// Errorf implements server.Logger.
func (j journal) Errorf(format string, args ...any) { j.write(slog.LevelError, format, args) }

// Debugf implements server.Logger.
func (j journal) Debugf(string, ...any) {}

// Tracef implements server.Logger.
func (j journal) Tracef(string, ...any) {}
