package console

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-analyze/charts"

	"leadsync/handlers/language"
)

// Trend is how things went in some time.
type Trend struct {
	From, To time.Time
	Step     time.Duration
	Points   []Point // one for each step, the oldest first
}

// Point is how things were in a step. NaN is not known.
type Point struct {
	At        time.Time
	PerMinute float64 // callbacks a minute
	P50, P99  float64 // seconds from a callback to the row, for half of them and for 99 of 100
	Waiting   float64 // callbacks that wait, on disk and in NATS
}

// LagKnown tells whether callbacks have reached their rows in that time.
func (p Point) LagKnown() bool { return !math.IsNaN(p.P50) }

// RateKnown tells whether leadsync was running in that time.
func (p Point) RateKnown() bool { return !math.IsNaN(p.PerMinute) }

// chartSpan is a time that charts show.
type chartSpan struct {
	Name, Words string
	span, step  time.Duration
}

var chartSpans = []chartSpan{
	{"1h", "an hour", time.Hour, time.Minute},
	{"24h", "a day", 24 * time.Hour, 10 * time.Minute},
	{"7d", "a week", 7 * 24 * time.Hour, time.Hour},
}

// spanOf is the span that an address names, else an hour.
func spanOf(r *http.Request) chartSpan {
	for _, s := range chartSpans {
		if s.Name == r.URL.Query().Get("span") {
			return s
		}
	}
	return chartSpans[0]
}

// chart is what a chart draws.
type chart struct {
	Name, Title string
	whole       bool // its values are numbers of things
	lines       []chartLine
}

type chartLine struct {
	name string
	of   func(Point) float64
}

var chartKinds = []chart{
	{"lag", "Seconds from a callback to the row", false, []chartLine{{"half of them", func(p Point) float64 { return p.P50 }}, {"99 of 100", func(p Point) float64 { return p.P99 }}}},
	{"callbacks", "Callbacks a minute", false, []chartLine{{"", func(p Point) float64 { return p.PerMinute }}}},
	{"waiting", "Callbacks that wait", true, []chartLine{{"", func(p Point) float64 { return p.Waiting }}}},
}

// chart draws one chart, for a light page or a dark one.
func (p overviewPages) chart(w http.ResponseWriter, r *http.Request) error {
	name, _ := strings.CutSuffix(r.PathValue("name"), ".svg")
	i := slices.IndexFunc(chartKinds, func(k chart) bool { return k.Name == name })
	if i < 0 {
		return ErrNotFound
	}
	span, lang := spanOf(r), language.Of(r, "")
	picture, err := chartKinds[i].draw(lang, p.status.Trend(span.span, span.step), r.URL.Query().Get("theme") == "dark")
	if err != nil {
		p.log.ErrorContext(r.Context(), "chart cannot be drawn", "chart", name, "error", err)
		http.Error(w, "This chart cannot be drawn; the log says why.", http.StatusInternalServerError)
		return nil
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	_, _ = w.Write(picture) // the browser may be gone
	return nil
}

const (
	chartWidth  = 640
	chartHeight = 200
)

var (
	lightChart = charts.MakeTheme(charts.ThemeOption{
		AxisStrokeColor: charts.ColorFromHex("#d5d9dd"), AxisSplitLineColor: charts.ColorFromHex("#d5d9dd"), BackgroundColor: charts.ColorFromHex("#ffffff"),
		TextColor: charts.ColorFromHex("#1c2126"), SeriesColors: []charts.Color{charts.ColorFromHex("#0a58a6"), charts.ColorFromHex("#8a5a00")},
	})
	darkChart = charts.MakeTheme(charts.ThemeOption{
		IsDarkMode: true, AxisStrokeColor: charts.ColorFromHex("#39424b"), AxisSplitLineColor: charts.ColorFromHex("#39424b"), BackgroundColor: charts.ColorFromHex("#14181c"),
		TextColor: charts.ColorFromHex("#e6eaee"), SeriesColors: []charts.Color{charts.ColorFromHex("#79b8ff"), charts.ColorFromHex("#e2b04a")},
	})
)

// draw draws a chart as SVG. A drawing that panics is an error: the library has a painter of its own.
func (k chart) draw(lang string, t Trend, dark bool) (_ []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("drawing panicked: %v", p))
		}
	}()
	values, names := make([][]float64, len(k.lines)), make([]string, len(k.lines))
	most := 0.0
	for i, line := range k.lines {
		names[i] = roomy(language.Say(lang, line.name))
		for _, p := range t.Points {
			v := line.of(p)
			if math.IsNaN(v) || math.IsInf(v, 0) {
				v = charts.GetNullValue()
			} else {
				most = max(most, v)
			}
			values[i] = append(values[i], v)
		}
	}
	opt := charts.NewLineChartOptionWithData(values)
	opt.Theme = lightChart
	if dark {
		opt.Theme = darkChart
	}
	opt.XAxis.Labels = labels(lang, t)
	opt.XAxis.BoundaryGap = new(false)
	top, ticks := axis(most, k.whole)
	opt.YAxis[0].Min, opt.YAxis[0].Max, opt.YAxis[0].LabelCount = new(0.0), &top, ticks+1
	opt.Legend = charts.LegendOption{SeriesNames: names, Show: new(len(k.lines) > 1)}
	opt.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	opt.LineStrokeWidth = 1.5
	opt.ValueFormatter = func(f float64) string { return decimal(lang, f) }
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: chartWidth, Height: chartHeight, Theme: opt.Theme})
	if err := painter.LineChart(opt); err != nil {
		return nil, err
	}
	picture, err := painter.Bytes()
	return withoutStyles(picture), err
}

// roomy is a name with room behind it in a legend: the library measures letters of its own font, and those
// of the reader's may be wider by a third.
func roomy(name string) string {
	return name + strings.Repeat("\u00a0", 2+utf8.RuneCountInString(name)/2)
}

// mostTicks is how many steps of an axis can be read on a chart of our height.
const mostTicks = 5

// axis finds a top not below the largest value, and how many steps lead to it: each is 1, 2 or 5, or one
// of these with zeros. Nobody can read 1.43, and there is no half a callback.
func axis(most float64, whole bool) (top float64, ticks int) {
	if most <= 0 {
		most = 1
	}
	size := math.Pow(10, math.Floor(math.Log10(most/mostTicks)))
	for _, of := range []float64{1, 2, 5, 10} {
		step := of * size
		if whole {
			step = max(step, 1)
		}
		if ticks = int(math.Ceil(most/step - 1e-9)); ticks <= mostTicks {
			return step * float64(ticks), ticks
		}
	}
	return most, 1
}

// words are a chart's title and the last value of each line that is known.
func (k chart) words(lang string, t Trend) string {
	var lasts []string
	for _, line := range k.lines {
		for _, p := range slices.Backward(t.Points) {
			if v := line.of(p); !math.IsNaN(v) && !math.IsInf(v, 0) {
				lasts = append(lasts, strings.TrimSpace(language.Say(lang, line.name)+" "+decimal(lang, v)))
				break
			}
		}
	}
	if len(lasts) == 0 {
		return language.Say(lang, "%s: nothing is known of that time", language.Say(lang, k.Title))
	}
	return language.Say(lang, "%s: last %s", language.Say(lang, k.Title), strings.Join(lasts, ", "))
}

// labels say how long ago a step was: pictures do not know the reader's zone.
func labels(lang string, t Trend) []string {
	unit, words := time.Minute, "%s min"
	switch {
	case t.Step >= time.Hour:
		unit, words = 24*time.Hour, "%s d"
	case t.Step > time.Minute:
		unit, words = time.Hour, "%s h"
	}
	list := make([]string, len(t.Points))
	for i, p := range t.Points {
		ago := "0"
		if n := math.Round(10*float64(t.To.Sub(p.At))/float64(unit)) / 10; n > 0 {
			ago = "−" + decimal(lang, n)
		}
		list[i] = language.Say(lang, words, ago)
	}
	return list
}

// style is an attribute of an element of SVG; what is in it may be attributes as well.
var style = regexp.MustCompile(` ?style="([^"]*)"`)

// withoutStyles has a picture's styles as attributes: our policy lets no page have styles of its own,
// and a picture that somebody opens is a page.
func withoutStyles(picture []byte) []byte {
	return style.ReplaceAllFunc(picture, func(found []byte) []byte {
		var attributes bytes.Buffer
		for declaration := range strings.SplitSeq(string(style.FindSubmatch(found)[1]), ";") {
			if name, value, ok := strings.Cut(declaration, ":"); ok {
				fmt.Fprintf(&attributes, ` %s="%s"`, strings.TrimSpace(name), strings.TrimSpace(value))
			}
		}
		return attributes.Bytes()
	})
}
