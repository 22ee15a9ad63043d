package service

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
	"leadsync/settings"
)

// environment reads variables and collects every fault, so that a person mends them in
// one go.
type environment struct {
	lookup func(string) (string, bool)
	faults []error
}

// fault remembers what is wrong with a variable, or with it beside others.
func (e *environment) fault(name, wrong, should string, beside ...string) {
	e.faults = append(e.faults, settings.ValueError{Name: name, Wrong: wrong, Want: should, Beside: beside})
}

// text is what a variable is set to, else its default. A blank value is none: compose files pass variables that nobody has set.
func (e *environment) text(name string) string {
	if value, ok := e.lookup(name); ok && strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return settings.Default(name)
}

func (e *environment) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(e.text(name), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (e *environment) address(name string) string {
	value := e.text(name)
	_, port, err := net.SplitHostPort(value)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
		e.fault(name, "not an address", "host:port, such as "+settings.Default(name))
	}
	return value
}

// file reads the name of a file that must be there.
func (e *environment) file(name string) string {
	path := e.text(name)
	if path == "" {
		return ""
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		e.fault(name, "cannot be read ("+errors.Unwrap(err).Error()+")", "the name of a file that leadsync's user may read")
		return ""
	}
	_ = f.Close() // it was only read
	return path
}

func (e *environment) key(name string) []byte {
	value := e.text(name)
	if value == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(key) != 32 {
		e.fault(name, "not a key", "32 random bytes in base64, as `openssl rand -base64 32` prints them")
	}
	return key
}

func (e *environment) clock(name string) *TimeOfDay {
	value := e.text(name)
	if value == "off" {
		return nil
	}
	t, err := time.Parse("15:04", value)
	if err != nil {
		e.fault(name, "not a time of day", `hours and minutes, such as 03:00, or "off"`)
	}
	return &TimeOfDay{t.Hour(), t.Minute(), Config{Zone: e.text("TZ")}.Location()}
}

// shortestInterval keeps a portal's budget for callbacks.
const shortestInterval = time.Minute

func (e *environment) interval(name string) time.Duration {
	value := e.text(name)
	if value == "off" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < shortestInterval {
		e.fault(name, "not an interval", `a duration of at least a minute, such as 10m or 1h30m, or "off"`)
	}
	return d
}

const (
	// shortestKeep is how long incidents may explain what a pass finds.
	shortestKeep = 30 * day
	longestKeep  = 36500 * day // what a time.Duration holds is more
	day          = 24 * time.Hour
)

// keep reads a number of days, or a duration in hours; 0 is off.
func (e *environment) keep(name string, shortest time.Duration) time.Duration {
	value := e.text(name)
	if value == "off" {
		return 0
	}
	d, err := ParseSpan(value)
	if err != nil || d < shortest || d > longestKeep {
		least := strconv.Itoa(int(shortest/day)) + "d"
		if shortest < day {
			least = strconv.Itoa(int(shortest/time.Hour)) + "h"
		}
		e.fault(name, "not a time to keep history", fmt.Sprintf(`days, at least %s, such as %s, or "off"`, least, settings.Default(name)))
	}
	return d
}

// onOff reads a switch that is off by itself.
func (e *environment) onOff(name string) bool { return e.choice(name, "on", "off") == "on" }

// shortestToken is what cannot be guessed over a network, in characters.
const shortestToken = 16

func (e *environment) apiToken(name string) leads.Secret {
	value := e.text(name)
	usable := func(r rune) bool { return r > ' ' && r < 0x7f }
	if value != "" && (len(value) < shortestToken || strings.ContainsFunc(value, func(r rune) bool { return !usable(r) })) {
		e.fault(name, "not a token", "at least 16 letters, digits or signs without spaces, as `openssl rand -hex 16` prints them")
	}
	return leads.Secret(value)
}

func (e *environment) level(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(e.text(name))); err != nil {
		e.fault(name, "unknown level", "debug, info, warn or error")
	}
	return level
}

func (e *environment) choice(name string, choices ...string) string {
	value := e.text(name)
	if value != "" && !slices.Contains(choices, value) {
		e.fault(name, "unknown value", strings.Join(choices, " or "))
	}
	return value
}
