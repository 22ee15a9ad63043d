package service

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"leadsync/consumers"
	"leadsync/leads/leadstest"
)

// noon is a whole hour.
var noon = time.Unix(1_800_000_000, 0)

var testBounds = []float64{1, 2, 4}

func TestSamplesSurviveARestart(t *testing.T) {
	file, now := filepath.Join(t.TempDir(), "samples.json"), noon
	clock := func() time.Time { return now }
	s := openSamples(file, testBounds, clock, leadstest.Silent())
	for i := range 5 {
		s.add(sample{At: now.Unix(), Took: 60, Received: int64(i), Waiting: 3, Lags: []int64{0, 10, 0, 0}}, nil)
		now = now.Add(time.Minute)
	}
	before := s.trend(time.Hour, time.Minute)
	after := openSamples(file, testBounds, clock, leadstest.Silent()).trend(time.Hour, time.Minute)
	if diff := cmp.Diff(before, after, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
	known := 0
	for _, p := range after.Points {
		if p.RateKnown() {
			known++
		}
	}
	if known != 5 || len(after.Points) != 60 {
		t.Errorf("%d of %d points are known", known, len(after.Points))
	}
}

func TestSamplesThatCannotBeReadAreBegunAnew(t *testing.T) {
	for name, content := range map[string]string{
		"damaged": `{"bounds":[1,2,4],"fine":[{"at":`, "of other buckets": `{"bounds":[1,2],"fine":[{"at":1800000000,"took":60}]}`, "empty": "", "no object": "[]",
		"more buckets than there are": `{"bounds":[1,2,4],"fine":[{"at":1800000000,"took":60,"lags":[1,1,1,1,1,1,1]}]}`, "huge": `{"bounds":[1,2,4]}` + strings.Repeat(" ", mostSampleBytes),
	} {
		t.Run(name, func(t *testing.T) {
			var log leadstest.Log
			file := filepath.Join(t.TempDir(), "samples.json")
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := openSamples(file, testBounds, func() time.Time { return noon }, log.Logger())
			if !strings.Contains(log.String(), "starting a new one") || len(s.Fine) > 0 {
				t.Errorf("%d samples, the log says %s", len(s.Fine), log.String())
			}
			s.add(sample{At: noon.Unix(), Took: 60, Lags: []int64{1, 0, 0, 0}}, nil)
			if again := openSamples(file, testBounds, func() time.Time { return noon }, log.Logger()); len(again.Fine) != 1 {
				t.Errorf("afterwards %d samples are kept", len(again.Fine))
			}
		})
	}
}

func TestSamplesAreBounded(t *testing.T) {
	now := noon
	s := openSamples(filepath.Join(t.TempDir(), "samples.json"), testBounds, func() time.Time { return now }, leadstest.Silent())
	for range 9 * 24 * 60 {
		now = now.Add(time.Minute)
		s.keep(sample{At: now.Unix(), Took: 60, Received: 1, Lags: []int64{1, 1, 1, 1}}, nil)
	}
	if len(s.Fine) > mostFine || len(s.Coarse) > mostCoarse || len(s.Fine) < mostFine-1 || len(s.Coarse) < mostCoarse-1 {
		t.Errorf("%d of minutes and %d of hours are kept", len(s.Fine), len(s.Coarse))
	}
	week := s.trend(7*24*time.Hour, time.Hour)
	for i, p := range week.Points[1 : len(week.Points)-1] {
		if p.PerMinute != 1 {
			t.Errorf("hour %d has %v callbacks a minute", i, p.PerMinute)
		}
	}
	s.save()
	if info, err := os.Stat(s.file); err != nil || info.Size() > mostSampleBytes/8 {
		t.Errorf("the file: %v, %v", info, err)
	}
	for range 3 * mostFine { // a clock that stands still
		s.keep(sample{At: now.Unix(), Took: 60}, nil)
	}
	if len(s.Fine) > mostFine {
		t.Errorf("%d of minutes are kept by a clock that stands still", len(s.Fine))
	}
	now = now.Add(-48 * time.Hour) // it is set back
	s.keep(sample{At: now.Unix(), Took: 60, Received: 60}, nil)
	if len(s.Fine) != 1 || s.recent(time.Hour).PerMinute != 60 {
		t.Errorf("%d of minutes are kept, %+v", len(s.Fine), s.recent(time.Hour))
	}
}

func TestTrendTellsGaps(t *testing.T) {
	now := noon.Add(time.Hour)
	s := openSamples(filepath.Join(t.TempDir(), "samples.json"), testBounds, func() time.Time { return now }, leadstest.Silent())
	for _, minute := range []int{1, 2, 3, 50} { // the process was down between
		s.keep(sample{At: noon.Add(time.Duration(minute) * time.Minute).Unix(), Took: 60, Received: 6, Waiting: int64(minute)}, nil)
	}
	got := map[int]float64{}
	for i, p := range s.trend(24*time.Hour, 10*time.Minute).Points {
		if p.RateKnown() {
			got[i] = p.Waiting
			if p.PerMinute != 6 {
				t.Errorf("step %d has %v callbacks a minute", i, p.PerMinute)
			}
		}
	}
	if diff := cmp.Diff(map[int]float64{137: 3, 141: 50}, got); diff != "" {
		t.Error(diff)
	}
}

func TestQuantiles(t *testing.T) {
	for name, test := range map[string]struct {
		counts []int64
		part   float64
		want   float64
	}{
		"nothing":             {nil, 0.5, math.NaN()},
		"zeros":               {[]int64{0, 0, 0, 0}, 0.5, math.NaN()},
		"the first bucket":    {[]int64{10, 0, 0, 0}, 0.5, 0.5},
		"between two":         {[]int64{0, 0, 10, 0}, 0.5, 3},
		"of many":             {[]int64{50, 49, 1, 0}, 0.99, 2},
		"above the last":      {[]int64{0, 0, 0, 5}, 0.99, 4},
		"the upper of a pair": {[]int64{1, 0, 1, 0}, 0.99, 3.96},
	} {
		t.Run(name, func(t *testing.T) {
			if got := quantile(testBounds, test.counts, test.part); math.Abs(got-test.want) > 1e-9 || math.IsNaN(got) != math.IsNaN(test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

// What charts show of lags comes from the histogram that Prometheus sees.
func TestBucketsAreThoseOfTheHistogram(t *testing.T) {
	var stats consumers.Stats
	row, _ := stats.Lags()
	bounds, counts := buckets(row)
	if len(bounds) < 5 || len(counts) != len(bounds)+1 {
		t.Errorf("bounds %v, counts %v", bounds, counts)
	}
}

// Of each portal the last hour is kept, through restarts, and nothing of portals that are silent.
func TestSamplesOfPortals(t *testing.T) {
	file, now := filepath.Join(t.TempDir(), "samples.json"), noon
	clock := func() time.Time { return now }
	s := openSamples(file, testBounds, clock, leadstest.Silent())
	for minute := range 10 { // one is busy, one has a callback every five minutes
		now = now.Add(time.Minute)
		of := map[string]sample{"busy": {At: now.Unix(), Took: 60, Received: 60, Lags: []int64{0, 60, 0, 0}}}
		if minute%5 == 0 {
			of["calm"] = sample{At: now.Unix(), Took: 60, Received: 1, Lags: []int64{0, 0, 0, 1}}
		}
		s.add(sample{At: now.Unix(), Took: 60, Received: 61}, of)
	}
	for name, of := range map[string]*samples{"at once": s, "after a restart": openSamples(file, testBounds, clock, leadstest.Silent())} {
		busy, calm, silent := of.recentOf("busy", time.Hour), of.recentOf("calm", time.Hour), of.recentOf("silent", time.Hour)
		if busy.PerMinute != 60 || busy.P50 != 1.5 || calm.PerMinute != 0.2 || calm.P99 != 4 || silent.PerMinute != 0 || !math.IsNaN(silent.P50) {
			t.Errorf("%s: %+v, %+v, %+v", name, busy, calm, silent)
		}
	}
	now = now.Add(2 * time.Hour)
	s.add(sample{At: now.Unix(), Took: 60}, nil)
	if len(s.Portals) != 0 {
		t.Errorf("two hours later: %v", s.Portals)
	}
	for range 100 { // a clock that stands still
		s.keep(sample{At: now.Unix(), Took: 60}, map[string]sample{"busy": {At: now.Unix(), Took: 60, Received: 1}})
	}
	if n := len(s.Portals["busy"]); n != 60 {
		t.Errorf("%d samples of a portal are kept", n)
	}
}

// Very many portals do not make the file useless: it is kept without theirs.
func TestSamplesOfManyPortalsAreNotKeptOnDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "samples.json")
	s := openSamples(file, testBounds, func() time.Time { return noon }, leadstest.Silent())
	of := map[string]sample{}
	for i := range 100_000 {
		of[strconv.Itoa(i)] = sample{At: noon.Unix(), Took: 60, Received: 1}
	}
	s.add(sample{At: noon.Unix(), Took: 60, Received: 7}, of)
	again := openSamples(file, testBounds, func() time.Time { return noon }, leadstest.Silent())
	if len(s.Portals) != len(of) || len(again.Portals) != 0 || len(again.Fine) != 1 {
		t.Errorf("%d portals in memory; %d and %d samples on disk", len(s.Portals), len(again.Portals), len(again.Fine))
	}
}

// What a callback of a portal led to is shown for that portal.
func TestLagAndRateOfEachPortal(t *testing.T) {
	t.Parallel()
	p := openPages(t, 5)
	member := p.portal.Info().MemberID
	p.portal.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	p.until("the leads are imported", func() bool {
		_, ok, err := p.service.Backend.DB.LastCompleted(t.Context(), member)
		return err == nil && ok
	})
	p.service.sampler.take(t.Context())
	id, _ := p.portal.RandomID()
	if err := p.portal.Edit(id, map[string]any{"TITLE": "changed"}); err != nil {
		t.Fatal(err)
	}
	p.until("the callback has reached its row", func() bool {
		_, lags := p.service.Stats.PortalLags()
		return lags[member].Sum > 0
	})
	p.service.sampler.take(t.Context())
	o, err := (&desk{s: p.service}).Overview(t.Context())
	if err != nil || len(o.Portals) != 1 || o.Portals[0].Lag.P50 <= 0 || o.Portals[0].Rate.PerMinute <= 0 {
		t.Errorf("%+v, %v", o.Portals, err)
	}
	label, found := `{member_id="`+member+`"}`, scraped(p.service)
	if found["leadsync_portal_callbacks_received_total"+label] == "" || found["leadsync_portal_lag_row_seconds_count"+label] != found["leadsync_lag_row_seconds_count"] {
		t.Errorf("metrics: %v", found)
	}
}
