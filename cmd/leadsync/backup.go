package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"leadsync/repo"
)

// backupCmd copies the database of a service that may be running.
type backupCmd struct {
	Dir  string `arg:"" complete:"dir" help:"Directory for the copy; it is made if it does not exist." type:"path"`
	JSON bool   `name:"json" help:"Print one JSON object."`
}

// leftOut is what a copy of the database does not have.
var leftOut = []string{
	"LEADSYNC_SECRET_KEY and the other settings: keep a copy of them in another place, because without the key the tokens in the backup cannot be read",
	"the streams of NATS: leadsync republish makes the topic again; nats stream backup keeps them as they are",
	"the spool and the journal in the data directory",
}

// Run writes the copy and says what is not in it. An older or newer program's tables are copied as
// they are: the copy before an upgrade is the one that matters most.
func (b backupCmd) Run(ctx context.Context, a *app) error {
	return a.withAnyDatabase(ctx, func(db *repo.DB) error {
		a.wait.Begin("Copying the database, and reading the copy")
		return b.copy(ctx, a, db)
	})
}

func (b backupCmd) copy(ctx context.Context, a *app, db *repo.DB) error {
	done, err := db.Backup(ctx, b.Dir)
	if errors.Is(err, repo.ErrOwnBackup) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	if b.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"file": done.File, "bytes": done.Bytes, "left_out": leftOut})
	}
	fmt.Fprintf(a.stdout, "%s  %.1f MB, complete and checked\n\nNot in it:\n", done.File, float64(done.Bytes)/1e6)
	for _, what := range leftOut {
		fmt.Fprintln(a.stdout, "  -", what)
	}
	return nil
}
