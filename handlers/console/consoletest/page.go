package consoletest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/chromedp/chromedp"
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

// quote is a text in JavaScript.
func quote(text string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // it is a text
	}
	return string(quoted)
}
