package service

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/journal"
)

// Where no journal can be asked, the timeline says why, and the database is asked anyway.
func TestWhyWithoutAJournal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keep time.Duration
		make func(dir string) error
		says string
	}{
		{"it is off", 0, nil, "LEADSYNC_JOURNAL_KEEP is off"},
		{"another machine's", time.Hour, nil, "there is no journal in"},
		{"another user's", time.Hour, func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "cannot be read"},
	} {
		cfg := Config{DataDir: t.TempDir(), JournalKeep: c.keep}
		if c.make != nil {
			if err := c.make(filepath.Join(cfg.DataDir, "journal")); err != nil {
				t.Fatal(err)
			}
		}
		if _, says := lookUp(t.Context(), cfg, journal.Query{MemberID: "m", LeadID: 17}); !strings.Contains(says, c.says) {
			t.Errorf("%s: %q, want %q", c.name, says, c.says)
		}
	}
}
