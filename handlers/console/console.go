// Package console has the operators' pages: whether all is current, passes and what they found,
// leads, dead letters, portals, settings. It shows what it is given and asks for what people
// click on. Who may do what is decided before it, by package access; it must not know where the
// data come from.
package console

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"leadsync/events"
	"leadsync/handlers/access"
	"leadsync/journal"
	"leadsync/leads"
)

// Config is what the pages show and do.
type Config struct {
	Status   Status
	Passes   Passes
	Leads    Leads
	Stories  Stories
	Letters  Letters
	Portals  Portals
	Doctor   Doctor
	Settings func() []Setting
	// About are the versions of what runs, and the licence.
	About func() []Setting
	// PhoneRegion is the country of numbers without a country code.
	PhoneRegion string
	// PublicURL is where Bitrix24 reaches leadsync; "" where it is not set.
	PublicURL string
	Version   string
	// Now is the clock by which things are told of; nil is time.Now.
	Now func() time.Time
	// LiveEvery is how often pages that are open are told what is new; 0 is two seconds.
	LiveEvery time.Duration
	Log       *slog.Logger
}

// Status says how everything stands.
type Status interface {
	Overview(ctx context.Context) (Overview, error)
	// Trend is how things went in a span until now, in steps.
	Trend(span, step time.Duration) Trend
}

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

// Leads finds leads of the mirror.
type Leads interface {
	Callers(ctx context.Context, digits string, limit int) ([]leads.Caller, error)
	Card(ctx context.Context, ref leads.Ref) (leads.Card, bool, error)
}

// Stories are what happened to leads, and what is to happen.
type Stories interface {
	// Why tells what happened to a lead since a moment, also to one that the mirror lacks. The error
	// is ErrNotFound where there is no such portal.
	Why(ctx context.Context, ref leads.Ref, since time.Time) (journal.Timeline, error)
	// Changes are the newest changes of a lead, the newest first.
	Changes(ctx context.Context, ref leads.Ref, limit int) ([]leads.Revised, error)
	// Compare reads the lead from the portal now, and writes nothing.
	Compare(ctx context.Context, ref leads.Ref) (Comparison, error)
	// Repair has the lead read again and written, whatever the row has.
	Repair(ctx context.Context, ref leads.Ref) error
}

// Comparison is a row beside the lead in the portal.
type Comparison struct {
	At      time.Time // when the portal answered
	Sight   leads.Sight
	Problem string              // why the portal's answer is no lead; "" where it is one
	Known   bool                // the mirror has a row, which is no tombstone
	Fields  []leads.FieldChange // that differ, from the row's value to the portal's
}

// Equal tells whether there is nothing to repair.
func (c Comparison) Equal() bool {
	return c.Problem == "" && len(c.Fields) == 0 && c.Known == (c.Sight == leads.Present)
}

// Letters are the dead letters.
type Letters interface {
	// All returns them, the oldest first.
	All(ctx context.Context) ([]events.DeadLetter, error)
	// Failing returns leads that could not be stored and are tried again.
	Failing(ctx context.Context) ([]leads.Failing, error)
	// Payload is what the portal sent of a lead; false where nothing is kept.
	Payload(ctx context.Context, ref leads.Ref) (string, bool, error)
	// Replay and Drop return how many were dealt with, also beside an error.
	Replay(ctx context.Context, letters []events.DeadLetter) (int, error)
	Drop(ctx context.Context, letters []events.DeadLetter) (int, error)
}

// Overview is how everything stands.
type Overview struct {
	At       time.Time
	Problems map[string]string // by component, in words; empty is well
	Notes    map[string]string
	Portals  []PortalStatus
	Unread   error // why the portals could not be read, and Portals may lack some; nil where they were
	Spooled  int   // callbacks that wait on disk
	Notices  int64 // that wait to be read
	Outbox   int64 // changes that wait to be announced
	Dead     int64 // dead letters
	Failing  int64 // leads that cannot be stored: those that are tried again, and those given up
	Received int64 // callbacks since the process started
	Lost     int64
	Lag      Point // the last hour
	Rate     Point // the last minutes
	// Changed is when the newest change of a lead was written; zero where none is known.
	Changed time.Time
}

// PortalStatus is how a portal stands.
type PortalStatus struct {
	MemberID, Domain string
	State            leads.PortalState
	Mirror           leads.MirrorStatus // State is "" where nothing is known yet
	Leads            int64              // rows; -1 where it is not known
	Waiting          time.Time          // since when the oldest notice waits; zero where none does
	Notices          int64              // that wait to be read; -1 where it is not known
	Missed           Missed             // in 30 days
	Lag              Point              // the last hour; of the rows that this process has written
	Rate             Point              // the last minutes; of the callbacks that this process has received
	Budget           leads.Budget
	Operating        Operating  // zero where another process serves the portal
	Last             *leads.Run // the newest that has ended
	Running          *leads.Run // that is under way, requested or paused
	Next             time.Time  // when the next full pass begins; zero where none will
}

// Operating is the operating time of the REST method that has used the most of it.
type Operating struct {
	Method      string
	Used, Limit float64 // seconds within ten minutes
}

// Missed is what passes found that events had not brought.
type Missed struct {
	Known    bool
	Found    int64 // differences
	Compared int64 // leads, each as often as a pass compared it
}

// Percent is how many of a hundred comparisons found a difference.
func (m Missed) Percent() float64 {
	if m.Compared == 0 {
		return 0
	}
	return 100 * float64(m.Found) / float64(m.Compared)
}

// Setting is a setting as it is in force.
type Setting struct{ Name, Value string }

// ErrNotFound says that there is nothing of that name.
var ErrNotFound = errors.New("not found")

// ErrConflict says that what was asked for does not fit what is under way.
var ErrConflict = errors.New("something else is under way")

//go:embed templates static
var files embed.FS

// Static are the paths that the log-in needs, too; they show nothing of anybody.
var Static = []string{"/static/console.css", "/static/console.js", "/static/icon.svg"}

// Console has the pages.
type Console struct {
	cfg   Config
	mux   *http.ServeMux
	pages map[string]pages // by language

	stopping chan struct{}
	stop     sync.Once
	live     places // of streams
}

// New makes the pages.
func New(cfg Config) *Console {
	if cfg.LiveEvery == 0 {
		cfg.LiveEvery = 2 * time.Second
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	c := &Console{cfg: cfg, mux: http.NewServeMux(), pages: parsePages(), stopping: make(chan struct{}), live: places{by: map[string]int{}}}
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	assets := http.StripPrefix("/static/", http.FileServerFS(static))
	for _, path := range Static {
		c.mux.Handle("GET "+path, assets)
	}
	for pattern, find := range c.routes() {
		c.mux.Handle(pattern, c.handler(find))
	}
	for pattern, answer := range c.others() {
		c.mux.HandleFunc(pattern, answer)
	}
	c.mux.Handle("/", c.handler(func(*http.Request) (view, error) { return view{}, ErrNotFound }))
	return c
}

// routes are what is answered by a page.
func (c *Console) routes() map[string]func(*http.Request) (view, error) {
	return map[string]func(*http.Request) (view, error){
		"GET /{$}":                          c.overview,
		"GET /passes":                       c.passes,
		"GET /passes/{id}":                  c.pass,
		"GET /leads":                        c.search,
		"GET /leads/{member}/{id}":          c.lead,
		"GET /dead":                         c.dead,
		"GET /dead/{member}/{id}":           c.letter,
		"GET /portals":                      c.portals,
		"GET /portals/connect":              c.connect,
		"POST /portals":                     c.invite,
		"POST /portals/{member}/remove":     c.remove,
		"GET /doctor":                       c.doctor,
		"POST /doctor":                      c.examine,
		"POST /doctor/alarms":               c.testAlarms,
		"GET /settings":                     c.settings,
		"POST /passes":                      c.startPass,
		"POST /leads/{member}/{id}/compare": c.compare,
		"POST /leads/{member}/{id}/repair":  c.repair,
		"POST /passes/{id}/pause":           c.pausePass,
		"POST /passes/{id}/resume":          c.resumePass,
		"POST /dead/replay":                 c.replay,
		"POST /dead/drop":                   c.drop,
		"POST /portals/{member}/rebind":     c.rebind,
	}
}

// others are what is answered otherwise: files, pictures and streams.
func (c *Console) others() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /passes/{id}/findings.csv": c.findingsCSV,
		"GET /charts/{name}":            c.chart,
		"GET /live/doctor":              c.stream("doctor", c.doctor),
		"GET /live/overview":            c.stream("overview", c.overview),
		"GET /live/passes":              c.stream("passes", c.passes),
		"GET /live/pass/{id}":           c.stream("pass", c.pass),
	}
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Stop ends streams that are open. It may be called more than once.
func (c *Console) Stop() { c.stop.Do(func() { close(c.stopping) }) }

// view is an answer: a page with its data, or where to go.
type view struct {
	page string
	data any
	to   string // "" is no redirect
}

// seeOther leads back to a page after an action, which says what was done; see doneWords.
func seeOther(to string) (view, error) { return view{to: to}, nil }

// pageLimit is how long a page may take to find its data.
const pageLimit = 10 * time.Second

func (c *Console) handler(find func(*http.Request) (view, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageLimit)
		defer cancel()
		v, err := find(r.WithContext(ctx))
		switch {
		case err != nil:
			c.fail(w, r, err)
		case v.to != "":
			http.Redirect(w, r, v.to, http.StatusSeeOther)
		default:
			c.show(w, r, http.StatusOK, v)
		}
	})
}

var errBadForm = errors.New("bad form")

// fail shows a page that says what is wrong.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, said := http.StatusServiceUnavailable, failure{Title: "This cannot be shown now", Advice: "Load the page again in a minute. The cause:", Cause: err.Error()}
	switch {
	case errors.Is(err, ErrNotFound):
		status, said = http.StatusNotFound, failure{Title: "There is no such page", Advice: "What it showed may have been deleted."}
	case errors.Is(err, errBadForm):
		status, said = http.StatusBadRequest, failure{Title: "This form is incomplete", Advice: "Go back, load the page again and repeat."}
	case errors.Is(err, ErrConflict):
		status, said = http.StatusConflict, failure{Title: "Not done", Advice: "The cause:", Cause: err.Error()}
	default:
		c.cfg.Log.WarnContext(r.Context(), "page cannot be shown", "path", r.Pattern, "error", err)
	}
	c.show(w, r, status, view{page: "failure", data: said})
}

// failure is what a page says where something went wrong.
type failure struct{ Title, Advice, Cause string }

// mayOperate tells pages whether to show what operators click on.
func mayOperate(r *http.Request) bool { return access.CallerOf(r.Context()).Right >= access.Operate }
