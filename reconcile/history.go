package reconcile

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"leadsync/leads"
)

// History is a list of past passes.
type History Reports

// MarshalJSON implements json.Marshaler.
func (h History) MarshalJSON() ([]byte, error) {
	reports := make([]Report, len(h.Runs))
	for i, run := range h.Runs {
		reports[i] = reportOf(run)
	}
	return json.Marshal(map[string]any{"runs": reports})
}

// WriteText writes a table.
func (h History) WriteText(out io.Writer) error {
	if len(h.Runs) == 0 {
		_, err := fmt.Fprintln(out, "no pass has been requested yet: connecting a portal requests the first one, which imports all leads")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RUN\tPORTAL\tMODE\tSTATE\tSTARTED ("+time.Now().Format("MST")+")\tTOOK\tCOMPARED\tMISSED\tSTALE\tPHANTOM\tUNREADABLE\tREPAIRED\tIMPORTED\tWHAT TO DO")
	for _, r := range h.Runs {
		mode := string(r.Mode)
		if r.DryRun {
			mode += " (dry)"
		}
		missed, repaired, imported := strconv.FormatInt(r.Missed, 10), strconv.FormatInt(r.Repaired(), 10), "-"
		if r.Mode == leads.RunImport {
			missed, repaired, imported = "-", "-", repaired // an import finds all leads: no event was missed, and no row was wrong
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%d\t%d\t%s\t%s\t%s\n", r.ID, h.Hosts.Of(r.MemberID), mode, r.State, leads.WallTime(r.StartedAt), took(r),
			r.Scanned, missed, r.Stale, r.Phantom, r.Unreadable, repaired, imported, r.Error)
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
