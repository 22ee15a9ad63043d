package winservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/DeRuina/timberjack"
)

// The log file: 7 of at most 20 MiB each, older ones compressed.
const (
	logMiB     = 20
	logBackups = 6
)

// NewLogFile opens the file that has every line. It is renamed when it is full, and old ones are deleted.
func NewLogFile(path string) io.WriteCloser {
	return &timberjack.Logger{Filename: path, MaxSize: logMiB, MaxBackups: logBackups, Compression: "gzip", LocalTime: true, FileMode: 0o600}
}

// events is the event log of Windows.
type events interface {
	Info(id uint32, message string) error
	Warning(id uint32, message string) error
	Error(id uint32, message string) error
}

// eventID is the only one: Windows' own EventCreate.exe has the texts for 1 to 1000, "%1".
const eventID = 1

// eventLimit is how long a message may be; Windows refuses those above 31,839 characters.
const eventLimit = 30_000

// Log is where a service logs: a file, and the event log.
type Log struct {
	File   io.Writer
	events events
}

// Handler adds the event log to a handler that writes to File.
func (l Log) Handler(file slog.Handler) slog.Handler { return handler{file: file, events: l.events} }

// handler writes everything into the file and what people should see, warnings and errors, also into the event
// log.
type handler struct {
	file   slog.Handler
	events events
	fields string // of With, ready to print
	group  string
}

// Enabled implements slog.Handler.
func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.file.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	err := h.file.Handle(ctx, r)
	if r.Level < slog.LevelWarn {
		return err
	}
	text := r.Message + h.fields
	r.Attrs(func(a slog.Attr) bool {
		text += field(h.group, a)
		return true
	})
	return errors.Join(err, write(h.events, r.Level, text))
}

func write(to events, level slog.Level, text string) error {
	if level >= slog.LevelError {
		return to.Error(eventID, plain(text))
	}
	return to.Warning(eventID, plain(text))
}

// plain is a text that Windows takes: not too long, and without zeros.
func plain(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), eventLimit)], "") // the cut may have gone through a letter
	return strings.ReplaceAll(text, "\x00", "")
}

func field(group string, a slog.Attr) string {
	if a.Equal(slog.Attr{}) {
		return ""
	}
	return fmt.Sprintf("\r\n%s%s: %v", group, a.Key, a.Value.Resolve())
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.file = h.file.WithAttrs(attrs)
	for _, a := range attrs {
		h.fields += field(h.group, a)
	}
	return h
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	h.file = h.file.WithGroup(name)
	h.group += name + "."
	return h
}
