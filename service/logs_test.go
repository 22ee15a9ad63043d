package service

import (
	"strings"
	"testing"
	"time"
)

// Whoever reads a log does not know that a number is in nanoseconds.
func TestLogsHaveDurationsWithUnits(t *testing.T) {
	for _, format := range []string{"json", "text"} {
		var out strings.Builder
		NewLog(&out, Config{LogFormat: format}).Info("x", "pause", 45*time.Second)
		if !strings.Contains(out.String(), "45s") {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
