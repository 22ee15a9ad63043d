package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"leadsync/leads"
	"leadsync/repo"
)

type historyCmd struct {
	Portal string `help:"Only this portal, by its member_id or its domain."`
	Limit  int    `default:"20" help:"The most passes of a portal."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

type findingsCmd struct {
	ID    string `arg:"" name:"run" help:"The pass, by its id as history shows it; 'last' is the newest that found something."`
	JSON  bool   `name:"json" help:"Print one JSON object."`
	Limit int    `default:"1000" help:"The most findings that are printed; all are in leadsync_findings."`
}

// Run lists passes, newest first.
func (h historyCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		portals, err := db.Portals(ctx)
		if h.Portal != "" && err == nil {
			portals = make([]leads.Portal, 1)
			portals[0], err = findPortal(ctx, db, h.Portal)
		}
		if err != nil {
			return err
		}
		var runs []leads.Run
		for _, p := range portals {
			more, err := db.Runs(ctx, p.MemberID, h.Limit)
			if err != nil {
				return err
			}
			runs = append(runs, more...)
		}
		return h.print(a.stdout, leads.HostsOf(portals), runs)
	})
}

func (h historyCmd) print(out io.Writer, named leads.Hosts, runs []leads.Run) error {
	if h.JSON {
		views := make([]passView, len(runs))
		for i, run := range runs {
			views[i] = viewPass(run)
		}
		return json.NewEncoder(out).Encode(map[string]any{"runs": views})
	}
	if len(runs) == 0 {
		_, err := fmt.Fprintln(out, "no pass has been requested yet")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tPORTAL\tMODE\tSTATE\tSTARTED ("+time.Now().Format("MST")+")\tTOOK\tCOMPARED\tMISSED\tSTALE\tPHANTOM\tUNREADABLE\tREPAIRED\tWHAT TO DO")
	for _, r := range runs {
		mode := string(r.Mode)
		if r.DryRun {
			mode += " (dry)"
		}
		missed := strconv.FormatInt(r.Missed, 10)
		if r.Mode == leads.RunImport {
			missed = "-" // an import finds all leads, and no event was missed
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%d\t%s\n", r.ID, named.Of(r.MemberID), mode, r.State, leads.WallTime(r.StartedAt), took(r),
			r.Scanned, missed, r.Stale, r.Phantom, r.Unreadable, r.Repaired(), r.Error)
	}
	return w.Flush()
}

// took is how long a pass took; "-" where it has not ended.
func took(r leads.Run) string {
	if r.StartedAt.IsZero() || r.FinishedAt.IsZero() {
		return "-"
	}
	return max(0, r.FinishedAt.Sub(r.StartedAt)).Round(time.Second / 10).String()
}

// Run lists what a pass found.
func (f findingsCmd) Run(ctx context.Context, a *app) error {
	return a.withDatabase(ctx, func(db *repo.DB) error {
		id, err := f.id(ctx, db)
		if err != nil {
			return err
		}
		found, err := db.Findings(ctx, id)
		if err != nil {
			return err
		}
		return f.print(a.stdout, id, found)
	})
}

// historyBack is how many passes of a portal are looked through.
const historyBack = 500

func (f findingsCmd) id(ctx context.Context, db *repo.DB) (string, error) {
	if f.ID != "last" {
		_, ok, err := db.Run(ctx, f.ID)
		if err == nil && !ok {
			err = usageError{fmt.Errorf("there is no pass %s; leadsync reconcile history lists them", f.ID)}
		}
		return f.ID, err
	}
	portals, err := db.Portals(ctx)
	if err != nil {
		return "", err
	}
	var last leads.Run
	for _, p := range portals {
		runs, err := db.Runs(ctx, p.MemberID, historyBack)
		if err != nil {
			return "", err
		}
		for _, run := range runs {
			if run.Mode != leads.RunImport && run.Found() > 0 && run.RequestedAt.After(last.RequestedAt) {
				last = run
			}
		}
	}
	if last.ID == "" {
		return "", errors.New("no pass has found anything yet")
	}
	return last.ID, nil
}

// findingRow is a finding as it is printed.
type findingRow struct {
	LeadID        int64             `json:"lead_id"`
	Portal        string            `json:"portal"`
	Kind          leads.FindingKind `json:"kind"`
	Fields        []string          `json:"fields,omitempty"`
	FoundAt       time.Time         `json:"found_at"`
	SecondsBehind int64             `json:"seconds_behind,omitempty"` // since the lead's last change; missing where unknown
	Repaired      string            `json:"repaired"`
	Cause         string            `json:"cause"`
}

func (f findingsCmd) print(out io.Writer, id string, found []leads.Finding) error {
	left := max(0, len(found)-f.Limit)
	found = found[:len(found)-left]
	rows := make([]findingRow, len(found))
	for i, x := range found {
		rows[i] = findingRow{
			x.Ref.LeadID, x.Ref.MemberID, x.Kind, x.Fields, x.FoundAt, int64(x.Behind / time.Second), x.Repaired.String(), x.Cause,
		}
	}
	if f.JSON {
		return json.NewEncoder(out).Encode(map[string]any{"run": id, "findings": rows, "left_out": left})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out, "the pass has noted no difference (to an import every lead is new, so it notes none)")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEAD\tKIND\tBEHIND\tREPAIR\tLIKELY CAUSE\tFIELDS")
	for _, r := range rows {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", r.LeadID, r.Kind, span(time.Duration(r.SecondsBehind)*time.Second), r.Repaired, r.Cause, strings.Join(r.Fields, " "))
	}
	if left > 0 {
		fmt.Fprintf(w, "and %d more; --limit shows them\n", left)
	}
	return w.Flush()
}
