package console_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/handlers/console"
)

// trendOf has a point for each value of P99; NaN is a step of which nothing is known.
func trendOf(step time.Duration, values ...float64) console.Trend {
	t := console.Trend{To: time.Unix(1_800_000_000, 0), Step: step}
	t.From = t.To.Add(-step * time.Duration(len(values)))
	for i, v := range values {
		t.Points = append(t.Points, console.Point{At: t.From.Add(step * time.Duration(i+1)), PerMinute: v, P50: v / 2, P99: v, Waiting: v})
	}
	return t
}

// elements are those of a picture, which must be well-formed and have nothing that acts.
func elements(t *testing.T, picture string) (names []string) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatalf("not well-formed: %v: %s", err, picture)
		}
		element, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		names = append(names, element.Name.Local)
		if slices.Contains([]string{"script", "style", "foreignObject", "a", "image"}, element.Name.Local) {
			t.Errorf("an element %s", element.Name.Local)
		}
		for _, a := range element.Attr {
			if a.Name.Local == "style" || a.Name.Local == "href" || strings.HasPrefix(a.Name.Local, "on") {
				t.Errorf("an attribute %s=%q", a.Name.Local, a.Value)
			}
		}
	}
}

// Who does not see a chart reads what it shows last.
func TestChartsSayTheirLastValues(t *testing.T) {
	h := furnished("plain")
	o := open(t, h)
	for _, want := range []string{`alt="Seconds from a callback to the row: last half of them 0.5, 99 of 100 12"`, `alt="Callbacks a minute: last 35"`, `alt="Callbacks that wait: last 0"`} {
		if page := o.page("/"); !strings.Contains(page, want) {
			t.Errorf("no %s in %s", want, page)
		}
	}
	if page := o.page("/", "Accept-Language", "ru"); !strings.Contains(page, `alt="Событий в минуту: последнее значение 35"`) {
		t.Errorf("in Russian: %s", page)
	}
	h.change(func() { h.trend = console.Trend{} })
	if page := o.page("/"); !strings.Contains(page, `alt="Callbacks a minute: nothing is known of that time"`) {
		t.Errorf("without values: %s", page)
	}
}

func TestChartsAreDrawn(t *testing.T) {
	unknown := math.NaN()
	week := make([]float64, 168)
	for i := range week {
		week[i] = float64(i * i)
	}
	for name, trend := range map[string]console.Trend{
		"an hour": trendOf(time.Minute, 1, 2, unknown, 4, 0.001), "nothing is known": trendOf(time.Minute, unknown, unknown), "no points": {}, "one point": trendOf(time.Minute, 5),
		"a week": trendOf(time.Hour, week...), "huge": trendOf(10*time.Minute, 1e12, 0, math.Inf(1)), "a day of zeros": trendOf(10*time.Minute, make([]float64, 144)...),
	} {
		h := furnished("plain")
		h.trend = trend
		o := open(t, h)
		for _, path := range []string{"/charts/lag.svg", "/charts/callbacks.svg?span=24h&theme=dark", "/charts/waiting.svg?span=7d"} {
			response, picture := o.send(http.MethodGet, path, nil, "Accept-Language", "ru")
			if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "image/svg+xml" || len(picture) > 200_000 {
				t.Errorf("%s of %s: %d, %d bytes: %s", path, name, response.StatusCode, len(picture), picture)
				continue
			}
			names := elements(t, picture)
			if name == "a week" && !slices.Contains(names, "path") {
				t.Errorf("%s of %s has no line: %s", path, name, picture)
			}
			if dark := strings.Contains(picture, "rgb(20,24,28)") || strings.Contains(picture, "#14181c"); dark != strings.Contains(path, "dark") {
				t.Errorf("%s of %s: dark is %v", path, name, dark)
			}
		}
		if want := "1h0m0s 1m0s;24h0m0s 10m0s;168h0m0s 1h0m0s"; strings.Join(h.asked, ";") != want {
			t.Errorf("asked for %v", h.asked)
		}
	}
	o := open(t, furnished("plain"))
	if response, _ := o.send(http.MethodGet, "/charts/none.svg", nil); response.StatusCode != http.StatusNotFound {
		t.Errorf("of no chart: %d", response.StatusCode)
	}
	page := o.page("/?span=7d")
	if !strings.Contains(page, `src="/charts/lag.svg?span=7d"`) || !strings.Contains(page, `href="/?span=7d" aria-current="true"`) {
		t.Errorf("the page of a week: %s", page)
	}
}

func TestOverviewTellsNumbers(t *testing.T) {
	page := open(t, furnished("plain")).page("/")
	for _, want := range []string{"half within 0.4\u00a0s, 99 of 100 within 12\u00a0s", "33.3", "12 of 360,000 comparisons (0.00333 %)"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	h := &house{overview: console.Overview{Lag: console.Point{P50: math.NaN(), P99: math.NaN()}, Rate: console.Point{PerMinute: math.NaN()}, Problems: map[string]string{"nats": "is away"}}}
	page = open(t, h).page("/")
	if strings.Contains(page, "NaN") || !strings.Contains(page, "Start the NATS server") {
		t.Errorf("without samples: %s", page)
	}
}

// tick is a number beside an axis.
var tick = regexp.MustCompile(`<text[^>]*>([0-9.,]+)</text>`)

// An axis has numbers that people count in, and of things whole ones.
func TestChartsHaveTicksThatCanBeRead(t *testing.T) {
	for _, test := range []struct {
		most          float64
		rates, things string
	}{
		{0, "0 0.2 0.4 0.6 0.8 1", "0 1"},
		{0.003, "0 0.001 0.002 0.003", "0 1"},
		{1.43, "0 0.5 1 1.5", "0 1 2"},
		{7, "0 2 4 6 8", "0 2 4 6 8"},
		{33.3, "0 10 20 30 40", "0 10 20 30 40"},
		{100, "0 20 40 60 80 100", "0 20 40 60 80 100"},
		{1234, "0 500 1000 1500", "0 500 1000 1500"},
	} {
		h := furnished("plain")
		h.trend = trendOf(time.Minute, 0, test.most)
		o := open(t, h)
		for path, want := range map[string]string{"/charts/callbacks.svg": test.rates, "/charts/waiting.svg": test.things} {
			_, picture := o.send(http.MethodGet, path, nil)
			var ticks []float64
			for _, found := range tick.FindAllStringSubmatch(picture, -1) {
				v, err := strconv.ParseFloat(found[1], 64)
				if err != nil {
					t.Fatal(err)
				}
				ticks = append(ticks, v)
			}
			slices.Sort(ticks)
			if got := strings.Trim(fmt.Sprint(ticks), "[]"); got != want {
				t.Errorf("%s of %v: %s, want %s", path, test.most, got, want)
			}
		}
	}
}
