package consoletest

import (
	"context"
	"strings"

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

// Hands use mouse and keyboard.
type Hands struct{ page *Page }

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
func (h Hands) Click(selector string) {
	h.page.t.Helper()
	find := findPlace + "(" + quote(selector) + ")"
	h.page.Until(find + ".found")
	at := Value[place](h.page, find)
	h.page.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.MouseClickXY(at.X, at.Y)) })
}

// Press presses keys, one after the other.
func (h Hands) Press(keys ...string) {
	h.page.t.Helper()
	h.page.call(func(ctx context.Context) error { return chromedp.Do(ctx, chromedp.KeyEvent(strings.Join(keys, ""))) })
}

// Type types a text into what has the focus.
func (h Hands) Type(text string) {
	h.page.t.Helper()
	h.page.call(func(ctx context.Context) error {
		_, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: text})
		return err
	})
}

// Fill clicks on a field and types a text into it.
func (h Hands) Fill(selector, text string) {
	h.page.t.Helper()
	h.Click(selector)
	h.Type(text)
}

// TabTo presses Tab until an element of the selector has the focus.
func (h Hands) TabTo(selector string) {
	h.page.t.Helper()
	for range 200 {
		h.Press(Tab)
		if Value[bool](h.page, "document.activeElement.matches("+quote(selector)+")") {
			return
		}
	}
	h.page.t.Fatalf("the keyboard does not reach %s", selector)
}

// Downloads has files that are downloaded stored in a folder.
func (h Hands) Downloads(folder string) {
	h.page.t.Helper()
	own := chromedp.FromContext(h.page.browser).BrowserContextID
	h.page.call(func(ctx context.Context) error {
		_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
			Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: folder, BrowserContextID: own,
		})
		return err
	})
}
