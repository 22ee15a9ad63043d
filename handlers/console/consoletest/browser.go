// Package consoletest opens the operators' pages in Chromium, for tests. A test fails where a
// page asks for anything beyond this machine or where its script has an error. It knows nothing
// of what the pages show.
package consoletest

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// limit is how long anything may take: far longer than it takes, because a slow machine is not
// a failure.
const limit = 5 * time.Minute

// chromium is the browser of all tests of a package: starting it takes longer than most tests.
var chromium struct {
	mu    sync.Mutex
	tabs  context.Context // of which tabs are made; nil where it does not run
	stop  func()
	pages int  // that tests have
	close bool // when there are none any more
}

// Main is how TestMain runs tests that look at pages: Chromium ends with the last.
type Main struct{ Tests interface{ Run() int } }

// Run implements what goleak.VerifyTestMain asks for.
func (m Main) Run() int {
	defer Close()
	return m.Tests.Run()
}

// Close ends Chromium, as soon as no test has a page of it any more: others may run beside the one that
// calls it. The next test that needs it starts it again.
func Close() {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	chromium.close = true
	closeUnused()
}

// closeUnused ends Chromium where that is wanted and harms nobody; it is locked.
func closeUnused() {
	if chromium.close && chromium.pages == 0 && chromium.tabs != nil {
		chromium.stop()
		chromium.tabs = nil //nolint:fatcontext // it is replaced, not nested
	}
}

// leave gives back what start has counted.
func leave() {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	chromium.pages--
	closeUnused()
}

// start starts Chromium where it does not run, and counts one page more.
func start(path string) (_ context.Context, err error) {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	defer func() {
		if err == nil {
			chromium.pages++
		}
	}()
	if chromium.tabs != nil && chromium.tabs.Err() == nil {
		return chromium.tabs, nil
	}
	chromium.close = false
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, // pages are our own, and tests often run as root
		chromedp.WSURLReadTimeout(limit),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"), // no request leaves the machine
		chromedp.Flag("disable-component-update", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	tabs, end := chromedp.NewContext(allocator)
	chromium.stop = func() { end(); stop() }
	if err := chromedp.Do(tabs); err != nil {
		chromium.stop()
		return nil, err
	}
	chromium.tabs = tabs //nolint:fatcontext // it is replaced, not nested
	return tabs, nil
}

// Page is a tab that a test has for itself, with cookies of its own.
type Page struct {
	Hands Hands
	Eyes  Eyes
	// Events are what has happened in the page.
	Events *Events

	t       *testing.T
	browser context.Context // chromedp keeps the tab in it
}

// Required tells whether a test must not be left out because something it needs is missing:
// LEADSYNC_TEST_BROWSER=1 says so.
func Required() bool {
	return os.Getenv("LEADSYNC_TEST_BROWSER") == "1" //nolint:forbidigo // a setting of tests
}

// Skip leaves a test out because something is missing, unless it is required.
func Skip(t *testing.T, reason string) {
	t.Helper()
	if Required() {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// Open opens a tab, or leaves the test out: there is none, or the test run is a short one.
func Open(t *testing.T) *Page {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	path := installed()
	if path == "" {
		Skip(t, "there is no Chromium: apt-get install chromium")
	}
	tabs, err := start(path)
	if err != nil {
		t.Fatal(err)
	}
	p := &Page{t: t, Events: &Events{}}
	p.Hands, p.Eyes = Hands{p}, Eyes{p}
	var end context.CancelFunc
	p.browser, end = chromedp.NewContext(tabs, chromedp.WithListener(p.Events.watch), chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		p.end()
		end()
		leave()
	})
	if err := chromedp.Do(p.browser); err != nil {
		t.Fatal(err)
	}
	return p
}

func installed() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// end reports what went wrong in the page.
func (p *Page) end() {
	p.t.Helper()
	if p.browser.Err() == nil {
		_, _ = chromedp.Run(p.browser, chromedp.Evaluate[bool]("true")) // whatever happened before it has been reported then
	}
	for _, fault := range p.Events.Faults() {
		p.t.Error(fault)
	}
}

// Reader is who looks at a page. The zero value reads English on a light screen 1200 pixels
// wide.
type Reader struct {
	Language string // as browsers name it, such as "ru"
	Zone     string // of time, such as "Asia/Tokyo"; "" is the machine's
	Width    int    // of the screen, in pixels
	Dark     bool
}

// As shows pages to a reader from now on.
func (p *Page) As(r Reader) {
	p.t.Helper()
	if r.Width == 0 {
		r.Width = 1200
	}
	if r.Language == "" {
		r.Language = "en"
	}
	scheme := "light"
	if r.Dark {
		scheme = "dark"
	}
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(r.Width), Height: 800, DeviceScaleFactor: 1})
		return err
	})
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: r.Zone})
		return err
	})
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": r.Language}})
		return err
	})
}

// call asks something of the browser, which must do it.
func (p *Page) call(do func(context.Context) error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.browser, limit)
	defer cancel()
	if err := do(ctx); err != nil {
		p.t.Fatal(err)
	}
}
