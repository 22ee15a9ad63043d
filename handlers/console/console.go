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

	"leadsync/handlers/access"
)

// Config is what the pages show and do.
type Config struct {
	Status  Status
	Passes  Passes
	Leads   Leads
	Stories Stories
	Letters Letters
	Portals Portals
	Doctor  Doctor
	// Refusals are the newest installations and log-ins that were refused, the newest first; nil knows
	// of none.
	Refusals func() []Refusal
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

// ErrNotFound says that there is nothing of that name.
var ErrNotFound = errors.New("not found")

// ErrConflict says that what was asked for does not fit what is under way.
var ErrConflict = errors.New("something else is under way")

//go:embed templates static
var files embed.FS

// Static are the paths that the log-in needs, too; they show nothing of anybody.
var Static = []string{"/static/console.css", "/static/console.js", "/static/icon.svg"}

// Console has the pages: what is around each of them, and the streams of those that are live.
type Console struct {
	version   string
	liveEvery time.Duration
	log       *slog.Logger
	mux       *http.ServeMux
	pages     map[string]pages // by language

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
	c := &Console{
		version: cfg.Version, liveEvery: cfg.LiveEvery, log: cfg.Log, mux: http.NewServeMux(), pages: parsePages(), stopping: make(chan struct{}), live: places{by: map[string]int{}},
	}
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // it is embedded
	}
	assets := http.StripPrefix("/static/", http.FileServerFS(static))
	for _, path := range Static {
		c.mux.Handle("GET "+path, assets)
	}
	for _, part := range partsOf(&cfg) {
		for pattern, answer := range part.routes() {
			c.mux.HandleFunc(pattern, answer.by(c))
		}
	}
	c.mux.HandleFunc("/", find(func(*http.Request) (view, error) { return view{}, ErrNotFound }).by(c))
	return c
}

// part is some pages that belong together.
type part interface {
	// routes are what they answer, by method and path.
	routes() map[string]route
}

// partsOf are all pages, each with what it needs.
func partsOf(cfg *Config) []part {
	return []part{
		overviewPages{status: cfg.Status, log: cfg.Log},
		passPages{passes: cfg.Passes, status: cfg.Status, log: cfg.Log},
		leadPages{leads: cfg.Leads, stories: cfg.Stories, status: cfg.Status, phoneRegion: cfg.PhoneRegion, now: cfg.Now},
		deadPages{letters: cfg.Letters},
		portalPages{portals: cfg.Portals, status: cfg.Status, refusals: cfg.Refusals, publicURL: cfg.PublicURL},
		doctorPages{doctor: cfg.Doctor},
		settingPages{inForce: cfg.Settings, about: cfg.About},
	}
}

// route is how requests are answered.
type route interface {
	by(c *Console) http.HandlerFunc
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

// find finds what a page shows, or does what a form asks for.
type find func(*http.Request) (view, error)

func (f find) by(c *Console) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageLimit)
		defer cancel()
		v, err := f(r.WithContext(ctx))
		switch {
		case err != nil:
			c.fail(w, r, err)
		case v.to != "":
			http.Redirect(w, r, v.to, http.StatusSeeOther)
		default:
			c.show(w, r, http.StatusOK, v)
		}
	}
}

// file answers with a file or a picture; its error is shown as a page, so it comes before the first byte.
type file func(http.ResponseWriter, *http.Request) error

func (f file) by(c *Console) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := f(w, r); err != nil {
			c.fail(w, r, err)
		}
	}
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
		c.log.WarnContext(r.Context(), "page cannot be shown", "path", r.Pattern, "error", err)
	}
	c.show(w, r, status, view{page: "failure", data: said})
}

// failure is what a page says where something went wrong.
type failure struct{ Title, Advice, Cause string }

// mayOperate tells pages whether to show what operators click on.
func mayOperate(r *http.Request) bool { return access.CallerOf(r.Context()).Right >= access.Operate }
