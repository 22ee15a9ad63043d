package service

import (
	"io"
	"log/slog"
	"os"

	"leadsync/guide"

	"golang.org/x/term"
)

// NewLog says of lines that a person has to act on where to read what to do. It writes text for people at a terminal and JSON for everything else, unless the
// configuration says otherwise.
func NewLog(w io.Writer, cfg Config) *slog.Logger {
	opts := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "text" || cfg.LogFormat == "" && IsTerminal(w) {
		return slog.New(guide.Log(slog.NewTextHandler(w, opts)))
	}
	opts.ReplaceAttr = withUnits
	return slog.New(guide.Log(slog.NewJSONHandler(w, opts)))
}

// withUnits writes durations with their unit, as text does: JSON has nanoseconds otherwise.
func withUnits(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// IsTerminal tells whether what is written there is read by a person at once.
func IsTerminal(w io.Writer) bool {
	if o, ok := w.(*over); ok {
		w = o.out
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
