package service

import (
	"context"
	"path/filepath"

	"leadsync/journal"
)

// journalDir is where the journal of a data directory is.
func journalDir(cfg Config) string { return filepath.Join(cfg.DataDir, "journal") }

// openJournal opens the journal. Without one everything else works.
func (b *Backend) openJournal(ctx context.Context) {
	if b.Config.JournalKeep == 0 {
		return
	}
	j, err := journal.Open(journal.Config{
		Dir: journalDir(b.Config), Keep: b.Config.JournalKeep, Owner: b.data != nil, Now: b.Config.Now, Log: b.Log,
	})
	if err != nil {
		b.Log.WarnContext(ctx, "there is no journal, so leadsync why will know less", "error", err)
		return
	}
	b.Journal = j
	b.closing(j.Close)
}
