package service

import (
	"log/slog"
	"strings"
	"testing"

	"leadsync/leads/leadstest"
)

func TestTheLogWarnsOfAnOpenSettingsFile(t *testing.T) {
	for file, warned := range map[string]bool{"/etc/leadsync.env": true, "": false} {
		var out leadstest.Log
		warn(t.Context(), Config{ExposedFile: file}, slog.New(slog.NewTextHandler(&out, nil)))
		if strings.Contains(out.String(), "others than its owner can read the settings file") != warned {
			t.Errorf("%q: %s", file, out.String())
		}
	}
}
