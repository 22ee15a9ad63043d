package consoletest

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/chromedp/chromedp"
)

// faint finds texts whose contrast with what is behind them is less than 4.5, the least that
// WCAG 2 (AA) allows for texts of common size.
const faint = `(() => {
	const parts = colour => { const n = colour.match(/[\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
	const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = element => {
		for (; element; element = element.parentElement) {
			const colour = parts(getComputedStyle(element).backgroundColor);
			if (colour[3] > 0) return colour;
		}
		return [255, 255, 255, 1];
	};
	const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let text; (text = texts.nextNode());) {
		const element = text.parentElement;
		if (!text.data.trim() || !element.checkVisibility()) continue;
		const [a, b] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
		if ((a + 0.05) / (b + 0.05) < 4.5) found.push(text.data.trim().slice(0, 80));
	}
	return found;
})()`

// Eyes look at a page as its readers do.
type Eyes struct{ page *Page }

// Look is what a reader meets on a page.
type Look struct {
	Wider    int      `json:"wider"`    // than its window, in pixels
	Faint    []string `json:"faint"`    // texts that are hard to read, because their colour is near to that behind them
	Language string   `json:"language"` // that the page says it has
	Cyrillic bool     `json:"cyrillic"` // a letter in the page's own part
}

// Look looks at the page.
func (e Eyes) Look() Look {
	e.page.t.Helper()
	return Value[Look](e.page, `({
		wider: document.documentElement.scrollWidth - document.documentElement.clientWidth, faint: `+faint+`,
		language: document.documentElement.lang, cyrillic: /[а-яё]/i.test(document.querySelector("main").innerText),
	})`)
}

// focusable finds what the keyboard has to reach.
const focusable = `[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]')].filter(e => e.checkVisibility())`

// noteFocus notes in the page what gets the focus, and whether that can be seen.
const noteFocus = `(() => {
	document.activeElement.blur();
	window.reached = new Map();
	document.addEventListener("focusin", ({target: e}) => {
		const s = getComputedStyle(e), r = e.getBoundingClientRect();
		const visible = s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && r.right > 0 && r.bottom > 0 && r.left < innerWidth && r.top < innerHeight;
		reached.set(` + focusable + `.indexOf(e), visible);
	});
	return ` + focusable + `.length;
})()`

// unreached tells what is wrong after the keyboard went through the page.
const unreached = focusable + `.map((e, i) => {
	const name = e.outerHTML.slice(0, 100);
	return !reached.has(i) ? "the keyboard does not reach " + name : reached.get(i) ? "" : "the focus cannot be seen: " + name;
}).filter(wrong => wrong)`

// ByKeyboard goes through the page with Tab alone. It returns what is wrong: elements that
// cannot be reached, and those that do not show that they have the focus.
func (e Eyes) ByKeyboard() (wrong []string) {
	e.page.t.Helper()
	count := Value[int](e.page, noteFocus)
	e.page.Hands.Press(strings.Repeat(Tab, count+2)) // past the end, and to the first again
	return Value[[]string](e.page, unreached)
}

// violation is what axe-core found.
type violation struct {
	ID     string `json:"id"`
	Impact string `json:"impact"`
	Help   string `json:"help"`
	Nodes  []struct {
		HTML           string `json:"html"`
		FailureSummary string `json:"failureSummary"`
	} `json:"nodes"`
}

// LoadAxe reads axe-core from a folder in which npm installed it, or leaves the test out.
func (e Eyes) LoadAxe(folder string) string {
	e.page.t.Helper()
	script, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js")) //nolint:gosec // a folder of the test's
	if err != nil {
		Skip(e.page.t, "axe-core is missing: npm ci --prefix handlers/console/testdata/axe")
	}
	return string(script)
}

// Inaccessible are the serious and critical faults that axe-core finds on the page.
func (e Eyes) Inaccessible(axe string) (faults []string) {
	e.page.t.Helper()
	Value[bool](e.page, axe+"; true")
	found := Value[[]violation](e.page, `axe.run({resultTypes: ["violations"], preload: false}).then(r => r.violations)`)
	for _, v := range found {
		if v.Impact != "serious" && v.Impact != "critical" {
			continue
		}
		for _, node := range v.Nodes {
			faults = append(faults, strings.Join([]string{v.Impact, v.ID, v.Help, node.HTML, node.FailureSummary}, ": "))
		}
	}
	return faults
}

// Picture writes a picture of the whole page, as PNG.
func (e Eyes) Picture(file string) {
	e.page.t.Helper()
	e.page.call(func(ctx context.Context) error {
		picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			return err
		}
		return os.WriteFile(file, picture, 0o600)
	})
}
