package main

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// panel is one of the small charts of the picture. Lines are drawn by what their figures are called.
type panel struct {
	title string
	of    string // what sizes count
	lines []line
}

type line struct{ what, name string }

var panels = []panel{
	{"leads a second", "leads", []line{{"import: leads", "import"}, {"full pass: leads", "full pass"}}},
	{"ms of processor for a lead", "leads", []line{{"import: processor", "import"}, {"full pass: processor", "full pass"}}},
	{"KB written for a lead", "leads", []line{{"import: written", "import"}, {"full pass: written", "full pass"}}},
	{"MB of memory, idle", "portals", []line{{"idle portals: memory", ""}}},
	{"goroutines, idle", "portals", []line{{"idle portals: goroutines", ""}}},
	{"SQL statements a second, idle", "portals", []line{{"idle portals: statements", ""}}},
}

// The measures of the picture, in pixels.
const (
	columns               = 3
	panelWidth            = 300
	panelHeight           = 236
	left, right           = 16, 24
	top, bottom           = 68, 40
	plotWidth, plotHeight = panelWidth - left - right, panelHeight - top - bottom
)

// style has the colours of a light page and of a dark one: the reader's browser chooses.
const style = `
text { font: 12px system-ui, sans-serif; fill: #1c2126 }
.page { fill: #ffffff } .title { font-weight: 600 } .quiet { fill: #57606a }
.axis { stroke: #d5d9dd } .line { fill: none; stroke-width: 2 }
.s0 { stroke: #0a58a6 } .d0 { fill: #0a58a6 } .s1 { stroke: #8a5a00; stroke-dasharray: 5 3 } .d1 { fill: #8a5a00 }
@media (prefers-color-scheme: dark) {
text { fill: #e6eaee } .page { fill: #14181c } .quiet { fill: #9aa5b0 } .axis { stroke: #39424b }
.s0 { stroke: #79b8ff } .d0 { fill: #79b8ff } .s1 { stroke: #e2b04a } .d1 { fill: #e2b04a }
}
`

// draw returns the picture as SVG.
func draw(figures []Figure) []byte {
	var out bytes.Buffer
	rows := (len(panels) + columns - 1) / columns
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="How leadsync grows with leads and portals">`+"\n<style>%s</style>\n",
		columns*panelWidth, rows*panelHeight, style)
	fmt.Fprintf(&out, `<rect class="page" width="%d" height="%d"/>`+"\n", columns*panelWidth, rows*panelHeight)
	for i, p := range panels {
		fmt.Fprintf(&out, `<g transform="translate(%d %d)">`+"\n", i%columns*panelWidth, i/columns*panelHeight)
		p.draw(&out, figures)
		out.WriteString("</g>\n")
	}
	out.WriteString("</svg>\n")
	return out.Bytes()
}

func (p panel) draw(out *bytes.Buffer, figures []Figure) {
	sizes, most := p.extent(figures)
	text(out, "title", left, 20, "start", p.title)
	for i, l := range p.lines {
		if l.name != "" {
			fmt.Fprintf(out, `<circle class="d%d" cx="%d" cy="34" r="4"/>`+"\n", i, left+4+i*80)
			text(out, "quiet", left+12+i*80, 38, "start", l.name)
		}
	}
	base := top + plotHeight
	fmt.Fprintf(out, `<line class="axis" x1="%d" y1="%d" x2="%d" y2="%d"/>`+"\n", left, base, left+plotWidth, base)
	if len(sizes) == 0 {
		text(out, "quiet", left+plotWidth/2, top+plotHeight/2, "middle", "not measured yet")
		return
	}
	at := func(size int) int { // sizes stand side by side, each usually ten times the one before
		return left + 24 + slices.Index(sizes, size)*(plotWidth-48)/max(1, len(sizes)-1)
	}
	for _, size := range sizes {
		text(out, "quiet", at(size), base+16, "middle", grouped(size))
	}
	text(out, "quiet", left+plotWidth/2, base+32, "middle", p.of)
	for i, l := range p.lines {
		var points []string
		for _, f := range figures {
			if f.What != l.what {
				continue
			}
			x, y := at(f.Size), base-int(math.Round(f.Value/most*plotHeight))
			points = append(points, fmt.Sprintf("%d,%d", x, y))
			fmt.Fprintf(out, `<circle class="d%d" cx="%d" cy="%d" r="3"/>`+"\n", i, x, y)
			text(out, "", x, y-7, "middle", short(f.Value))
		}
		fmt.Fprintf(out, `<polyline class="line s%d" points="%s"/>`+"\n", i, strings.Join(points, " "))
	}
}

// extent is the sizes that a panel shows, and its highest value.
func (p panel) extent(figures []Figure) (sizes []int, most float64) {
	seen := map[int]bool{}
	for _, f := range figures {
		if slices.ContainsFunc(p.lines, func(l line) bool { return l.what == f.What }) {
			seen[f.Size] = true
			most = max(most, f.Value)
		}
	}
	if most == 0 {
		most = 1
	}
	return slices.Sorted(maps.Keys(seen)), most
}

func text(out *bytes.Buffer, class string, x, y int, anchor, words string) {
	fmt.Fprintf(out, `<text class="%s" x="%d" y="%d" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(words))
}

// short is a value with as many digits as help.
func short(v float64) string {
	switch {
	case v >= 1000:
		return grouped(int(math.Round(v)))
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
}

// grouped is a number with commas, as in the documents.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
