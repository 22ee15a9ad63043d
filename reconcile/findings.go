package reconcile

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"leadsync/leads"
)

// Findings are what a pass found, as it is printed.
type Findings struct {
	Findings []findingView `json:"findings"`
	LeftOut  int           `json:"left_out"`
	Run      string        `json:"run"`
}

type findingView struct {
	LeadID        int64             `json:"lead_id"`
	Portal        string            `json:"portal"`
	Kind          leads.FindingKind `json:"kind"`
	Fields        []string          `json:"fields,omitempty"`
	FoundAt       time.Time         `json:"found_at"`
	SecondsBehind int64             `json:"seconds_behind,omitempty"` // since the lead's last change; missing where unknown
	Repaired      string            `json:"repaired"`
	Cause         string            `json:"cause"`
}

// NewFindings are what the run found, at most that many.
func NewFindings(run string, found []leads.Finding, most int) Findings {
	left := max(0, len(found)-most)
	found = found[:len(found)-left]
	views := make([]findingView, len(found))
	for i, x := range found {
		views[i] = findingView{
			x.Ref.LeadID, x.Ref.MemberID, x.Kind, x.Fields, x.FoundAt, int64(x.Behind / time.Second), x.Repaired.String(), x.Cause,
		}
	}
	return Findings{views, left, run}
}

// WriteText writes a table.
func (f Findings) WriteText(out io.Writer) error {
	if len(f.Findings) == 0 {
		_, err := fmt.Fprintln(out, "the pass has noted no difference (to an import every lead is new, so it notes none)")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "LEAD\tKIND\tBEHIND\tREPAIR\tLIKELY CAUSE\tFIELDS")
	for _, x := range f.Findings {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", x.LeadID, x.Kind, span(time.Duration(x.SecondsBehind)*time.Second), x.Repaired, x.Cause, strings.Join(x.Fields, " "))
	}
	if f.LeftOut > 0 {
		fmt.Fprintf(w, "and %d more; --limit shows them\n", f.LeftOut)
	}
	return w.Flush()
}

// span is a time that has passed, as people say it; "unknown" where it is 0.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "unknown"
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/day)
}
