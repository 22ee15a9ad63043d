// Package consoletest opens the operators' pages in Chromium, for tests. A test fails where a
// page asks for anything beyond this machine or where its script has an error. It knows nothing
// of what the pages show.
package consoletest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// limit is how long anything may take: far longer than it takes, because a slow machine is not
// a failure.
const limit = 5 * time.Minute

// chromium is the browser of all tests of a package: starting it takes longer than most tests.
var chromium struct {
	mu   sync.Mutex
	tabs context.Context // of which tabs are made; nil where it does not run
	stop func()
}

// Main is how TestMain runs tests that look at pages: Chromium ends with the last.
type Main struct{ Tests interface{ Run() int } }

// Run implements what goleak.VerifyTestMain asks for.
func (m Main) Run() int {
	defer Close()
	return m.Tests.Run()
}

// Close ends Chromium. The next test that needs it starts it again.
func Close() {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	if chromium.tabs != nil {
		chromium.stop()
		chromium.tabs = nil //nolint:fatcontext // it is replaced, not nested
	}
}

// start starts Chromium where it does not run.
func start(path string) (context.Context, error) {
	chromium.mu.Lock()
	defer chromium.mu.Unlock()
	if chromium.tabs != nil && chromium.tabs.Err() == nil {
		return chromium.tabs, nil
	}
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
	t       *testing.T
	browser context.Context // chromedp keeps the tab in it

	mu       sync.Mutex
	faults   []string
	expected []string
	received strings.Builder // by streams
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
	p := &Page{t: t}
	var end context.CancelFunc
	p.browser, end = chromedp.NewContext(tabs, chromedp.WithListener(p.watch), chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		p.end()
		end()
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
	for _, fault := range p.Faults() {
		p.t.Error(fault)
	}
}

// Faults are what went wrong in the page so far, but for what is expected.
func (p *Page) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var faults []string
	for _, fault := range p.faults {
		if !p.isExpected(fault) {
			faults = append(faults, fault)
		}
	}
	return faults
}

func (p *Page) isExpected(fault string) bool {
	for _, part := range p.expected {
		if strings.Contains(fault, part) {
			return true
		}
	}
	return false
}

// Expect takes what contains a text for no fault.
func (p *Page) Expect(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = append(p.expected, text)
}

// Received tells whether a stream of the page has brought a text.
func (p *Page) Received(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Contains(p.received.String(), text)
}

// watch notes faults among what happens in the tab.
func (p *Page) watch(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fault := ""
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if !local(e.Request.URL) {
			fault = "a request leaves the machine: " + e.Request.URL
		}
	case *network.EventEventSourceMessageReceived:
		p.received.WriteString(e.Data)
	case *network.EventWebSocketCreated:
		fault = "a web socket: " + e.URL
	case *runtime.EventExceptionThrown:
		fault = "the script has an error: " + describe(e.ExceptionDetails)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning || e.Type == runtime.ConsoleAPICalledTypeAssert {
			fault = fmt.Sprint("the script complains: ", e.Type)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			fault = "the browser complains: " + e.Entry.Text + " " + e.Entry.URL
		}
	}
	if fault != "" {
		p.faults = append(p.faults, fault)
	}
}

func describe(e *runtime.ExceptionDetails) string {
	if e.Exception != nil && e.Exception.Description != "" {
		return e.Exception.Description
	}
	return e.Text
}

// local tells addresses that need no network.
func local(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Hostname() == "127.0.0.1" || u.Scheme == "data" || u.Scheme == "about" || u.Scheme == "blob")
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
