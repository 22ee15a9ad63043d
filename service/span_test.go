package service

import (
	"testing"
	"time"
)

func TestSpansAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"7d": 7 * day, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute, "0d": 0, "-3d": 0,
		"99999999d": longestKeep + day, "99999999999999999999999d": longestKeep + day, // more than a time.Duration holds
	} {
		if got, err := ParseSpan(text); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "7", "7 d", "1.5d", "7days", "week"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q: %s, want an error", text, got)
		}
	}
}
