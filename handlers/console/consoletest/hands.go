package consoletest

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Keys that hands press.
const (
	Tab   = kb.Tab
	Enter = kb.Enter
	Down  = kb.ArrowDown
	Space = " "
)

// Visit opens an address and waits until the page and its script are there.
func (p *Page) Visit(address string) {
	p.t.Helper()
	p.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.Navigate(address)) })
}

// Value is what an expression of JavaScript gives; a promise is waited for.
func Value[T any](p *Page, expression string) T {
	p.t.Helper()
	var value T
	p.call(func(ctx context.Context) (err error) {
		value, err = chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
		return err
	})
	return value
}

// Until waits until an expression of JavaScript is true, also on the next page.
func (p *Page) Until(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.browser, limit)
	defer cancel()
	for {
		// An error is mostly a page that is just being left, and if not, it is told at the end.
		done, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && done {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("did not happen: %s (%v); the page at %s says: %s", expression, err, Value[string](p, "location.href"), p.Text())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Wait waits until something outside the page has happened.
func (p *Page) Wait(what string, done func() bool) {
	p.t.Helper()
	for never := time.After(limit); !done(); {
		select {
		case <-never:
			p.t.Fatal("did not happen: " + what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// UntilAt waits for a page, by its path and query.
func (p *Page) UntilAt(path string) {
	p.t.Helper()
	p.Until("document.readyState === 'complete' && location.pathname + location.search === " + quote(path))
}

// UntilSays waits until a text can be read on the page.
func (p *Page) UntilSays(text string) {
	p.t.Helper()
	p.Until("document.body && document.body.innerText.includes(" + quote(text) + ")")
}

// Text is what can be read on the page.
func (p *Page) Text() string {
	p.t.Helper()
	return Value[string](p, "document.body.innerText")
}

// place is where a person would click.
type place struct {
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	Found bool    `json:"found"`
}

// findPlace scrolls to an element and finds its middle; it is not found where another element
// covers it.
const findPlace = `(selector => {
	const element = [...document.querySelectorAll(selector)].find(e => e.checkVisibility());
	if (!element) return {found: false};
	element.scrollIntoView({block: "center"});
	const r = element.getClientRects()[0], x = r.x + r.width / 2, y = r.y + r.height / 2, hit = document.elementFromPoint(x, y);
	return {x, y, found: !!hit && (element.contains(hit) || hit.contains(element))};
})`

// Click clicks with the mouse on the first visible element of a selector, as soon as there is
// one.
func (p *Page) Click(selector string) {
	p.t.Helper()
	find := findPlace + "(" + quote(selector) + ")"
	p.Until(find + ".found")
	at := Value[place](p, find)
	p.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)) })
}

// Press presses keys, one after the other.
func (p *Page) Press(keys ...string) {
	p.t.Helper()
	p.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.KeyEvent(strings.Join(keys, ""))) })
}

// Type types a text into what has the focus.
func (p *Page) Type(text string) {
	p.t.Helper()
	p.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// Fill clicks on a field and types a text into it.
func (p *Page) Fill(selector, text string) {
	p.t.Helper()
	p.Click(selector)
	p.Type(text)
}

// TabTo presses Tab until an element of the selector has the focus.
func (p *Page) TabTo(selector string) {
	p.t.Helper()
	for range 200 {
		p.Press(Tab)
		if Value[bool](p, "document.activeElement.matches("+quote(selector)+")") {
			return
		}
	}
	p.t.Fatalf("the keyboard does not reach %s", selector)
}

// Downloads has files that are downloaded stored in a folder.
func (p *Page) Downloads(folder string) {
	p.t.Helper()
	own := chromedp.FromContext(p.browser).BrowserContextID
	p.call(func(ctx context.Context) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder, BrowserContextID: own,
		})
		return err
	})
}

// Picture writes a picture of the whole page, as PNG.
func (p *Page) Picture(file string) {
	p.t.Helper()
	p.call(func(ctx context.Context) error {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			return err
		}
		return os.WriteFile(file, picture, 0o600)
	})
}

func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // it is a text
	}
	return string(quoted)
}
