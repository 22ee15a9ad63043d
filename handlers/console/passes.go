package console

import (
	"context"
	"encoding/csv"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

const (
	runsShown     = 50
	findingsShown = 200
	// findingsRead is how many findings are read at once for a file.
	findingsRead = 2000
)

// Passes are the passes over portals.
type Passes interface {
	// Runs returns a portal's runs, newest first.
	Runs(ctx context.Context, memberID string, limit int) ([]leads.Run, error)
	Run(ctx context.Context, id string) (leads.Run, bool, error)
	Findings(ctx context.Context, q FindingQuery) (FindingPage, error)
	// StartPass returns the run that does what is asked for.
	StartPass(ctx context.Context, memberID string, mode leads.RunMode, dryRun bool) (id string, err error)
	// PausePass is false where the run is not under way.
	PausePass(ctx context.Context, id string) (bool, error)
	// ResumePass is false where the run is not paused.
	ResumePass(ctx context.Context, id string) (bool, error)
}

// FindingQuery asks for some findings of a run.
type FindingQuery struct {
	RunID string
	Kind  leads.FindingKind // "" is all
	After int64             // the Next of the page before; 0 is the beginning
	Limit int
}

// FindingPage is some findings, in the order in which they were found.
type FindingPage struct {
	Findings []leads.Finding
	Next     int64 // for the query of the next page; 0 where there is none
}

// passPages are the pages of passes over portals.
type passPages struct {
	passes Passes
	status Status
	log    *slog.Logger
}

func (p passPages) routes() map[string]route {
	return map[string]route{
		"GET /passes":                   find(p.list),
		"POST /passes":                  find(p.start),
		"GET /passes/{id}":              find(p.pass),
		"POST /passes/{id}/pause":       find(p.pause),
		"POST /passes/{id}/resume":      find(p.resume),
		"GET /passes/{id}/findings.csv": file(p.findingsCSV),
		"GET /live/passes":              stream{"passes", p.list},
		"GET /live/pass/{id}":           stream{"pass", p.pass},
	}
}

// runView is a pass as pages show it.
type runView struct {
	leads.Run

	Domain  string
	Percent int // -1 where nobody can know
	Took    time.Duration
}

// Rate is how many leads are compared in a second; 0 where nobody can know.
func (v runView) Rate() int64 {
	if s := int64(v.Took.Seconds()); s > 0 {
		return v.Scanned / s
	}
	return 0
}

// lookedThrough is the part of the leads, in percent, from which a pass may be waiting before it asks again
// for those that seem to be gone: the pace of before says nothing of that.
const lookedThrough = 98

// Left is how long the pass will still take; 0 where nobody can know.
func (v runView) Left() time.Duration {
	if v.State != leads.RunRunning || v.Percent < 1 || v.Percent >= lookedThrough {
		return 0
	}
	return (v.Took * time.Duration(100-v.Percent) / time.Duration(v.Percent)).Round(time.Second)
}

// Imports tells the first pass of a portal: whatever it writes is new, and no difference.
func (v runView) Imports() bool { return v.Mode == leads.RunImport }

// CanPause and CanResume tell which buttons a pass has.
func (v runView) CanPause() bool {
	return v.State == leads.RunRunning || v.State == leads.RunRequested
}

// CanResume is CanPause for the other button.
func (v runView) CanResume() bool { return v.State == leads.RunPaused }

// Differences is what the pass found, without zeros.
func (v runView) Differences() []count {
	missed := v.Missed
	if v.Imports() {
		missed = 0
	}
	return slices.DeleteFunc([]count{
		{"missed", missed}, {"stale", v.Stale}, {"phantom", v.Phantom}, {"unreadable", v.Unreadable}, {"unprocessable", v.Unprocessable},
	}, func(c count) bool { return c.N == 0 })
}

// count is how many findings of a kind there are.
type count struct {
	Kind string
	N    int64
}

type passesData struct {
	Portals []PortalStatus
	Runs    []runView
}

// list lists the passes of all portals, newest first.
func (p passPages) list(r *http.Request) (view, error) {
	o, err := readPortals(r.Context(), p.status)
	if err != nil {
		return view{}, err
	}
	d := passesData{Portals: o.Portals}
	for _, portal := range o.Portals {
		runs, err := p.passes.Runs(r.Context(), portal.MemberID, runsShown)
		if err != nil {
			return view{}, err
		}
		for _, run := range runs {
			d.Runs = append(d.Runs, viewRun(run, portal, o.At))
		}
	}
	slices.SortStableFunc(d.Runs, func(a, b runView) int { return b.RequestedAt.Compare(a.RequestedAt) })
	d.Runs = d.Runs[:min(len(d.Runs), runsShown)]
	return view{page: "passes", data: d}, nil
}

func viewRun(run leads.Run, p PortalStatus, now time.Time) runView {
	return runView{Run: run, Domain: p.Domain, Percent: Percent(run, p.Leads), Took: took(run, now)}
}

type passData struct {
	Run      runView
	Kinds    []count
	Kind     leads.FindingKind
	Findings []leads.Finding
	Next     int64
}

// pass shows one pass and what it found.
func (p passPages) pass(r *http.Request) (view, error) {
	run, ok, err := p.passes.Run(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		return view{}, err
	case !ok:
		return view{}, ErrNotFound
	}
	o, err := readPortals(r.Context(), p.status)
	if err != nil {
		return view{}, err
	}
	var of PortalStatus
	for _, portal := range o.Portals {
		if portal.MemberID == run.MemberID {
			of = portal
		}
	}
	after, _ := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64) // nonsense is the beginning
	q := FindingQuery{RunID: run.ID, Kind: kindOf(r), After: max(0, after), Limit: findingsShown}
	found, err := p.passes.Findings(r.Context(), q)
	if err != nil {
		return view{}, err
	}
	v := viewRun(run, of, o.At)
	return view{page: "pass", data: passData{Run: v, Kinds: v.Differences(), Kind: q.Kind, Findings: found.Findings, Next: found.Next}}, nil
}

// kindOf is the kind of findings that an address asks for; "" where there is no such kind.
func kindOf(r *http.Request) leads.FindingKind {
	kinds := []leads.FindingKind{leads.FindingMissed, leads.FindingStale, leads.FindingPhantom, leads.FindingUnreadable, leads.FindingUnprocessable}
	if kind := leads.FindingKind(r.URL.Query().Get("kind")); slices.Contains(kinds, kind) {
		return kind
	}
	return ""
}

// findingsCSV sends all findings as a file, some at a time.
func (p passPages) findingsCSV(w http.ResponseWriter, r *http.Request) error {
	run, ok, err := p.passes.Run(r.Context(), r.PathValue("id"))
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrNotFound
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="findings.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write([]string{"lead", "portal", "kind", "fields", "found_at", "seconds_behind", "repaired", "cause"}) // the last error counts
	connection := http.NewResponseController(w)
	for q := (FindingQuery{RunID: run.ID, Kind: kindOf(r), Limit: findingsRead}); ; {
		page, err := p.passes.Findings(r.Context(), q)
		if err != nil {
			p.log.WarnContext(r.Context(), "file of findings cut off", "run", run.ID, "error", err)
			panic(http.ErrAbortHandler) // the browser sees that the file is not whole
		}
		for _, f := range page.Findings {
			_ = out.Write([]string{
				strconv.FormatInt(f.Ref.LeadID, 10), cell(f.Ref.MemberID), cell(string(f.Kind)), cell(strings.Join(f.Fields, " ")), f.FoundAt.UTC().Format(time.RFC3339),
				strconv.FormatInt(int64(f.Behind.Seconds()), 10), cell(f.Repaired.String()), cell(f.Cause),
			})
		}
		out.Flush()
		_ = connection.SetWriteDeadline(time.Now().Add(writeLimit))
		if page.Next == 0 || out.Error() != nil {
			return nil //nolint:nilerr // the browser is gone, and nobody reads more
		}
		q.After = page.Next
	}
}

// cell is a text that no spreadsheet takes for a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (p passPages) start(r *http.Request) (view, error) {
	mode := leads.RunMode(r.PostFormValue("mode"))
	member := r.PostFormValue("portal")
	if mode != leads.RunFull && mode != leads.RunChanged || !leads.ValidMemberID(member) {
		return view{}, errBadForm
	}
	id, err := p.passes.StartPass(r.Context(), member, mode, r.PostFormValue("dry_run") != "")
	if err != nil {
		return view{}, err
	}
	return seeOther("/passes/" + url.PathEscape(id) + "?done=started")
}

func (p passPages) pause(r *http.Request) (view, error) {
	return p.change(r, "paused", p.passes.PausePass)
}

func (p passPages) resume(r *http.Request) (view, error) {
	return p.change(r, "resumed", p.passes.ResumePass)
}

// change pauses or resumes a pass. One that has ended meanwhile is shown as it is.
func (p passPages) change(r *http.Request, done string, do func(context.Context, string) (bool, error)) (view, error) {
	to := "/passes/" + url.PathEscape(r.PathValue("id"))
	switch ok, err := do(r.Context(), r.PathValue("id")); {
	case err != nil:
		return view{}, err
	case ok:
		to += "?done=" + done
	}
	return seeOther(to)
}
