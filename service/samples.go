package service

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/retry"
)

const (
	// sampleEvery is how often a sample is taken.
	sampleEvery = time.Minute
	// fineAge and coarseAge are how long samples are kept: those of minutes, and those of hours.
	fineAge   = 24 * time.Hour
	coarseAge = 7 * 24 * time.Hour
	// mostFine and mostCoarse bound them whatever the clock does.
	mostFine   = int(fineAge / sampleEvery)
	mostCoarse = int(coarseAge / time.Hour)
	// mostSampleBytes is more than the file ever has.
	mostSampleBytes = 4 << 20
)

// sample is what happened within some time.
type sample struct {
	At       int64   `json:"at"`             // when it ended, in Unix seconds
	Took     float64 `json:"took"`           // seconds that it covers: a process may have been down
	Received int64   `json:"received"`       // callbacks
	Waiting  int64   `json:"waiting"`        // notices to read, at its end
	Lags     []int64 `json:"lags,omitempty"` // callbacks whose row was written, by bucket
}

// add makes one sample of two; other is the later one.
func (s *sample) add(other sample) {
	s.At, s.Took, s.Received, s.Waiting = other.At, s.Took+other.Took, s.Received+other.Received, max(s.Waiting, other.Waiting)
	if len(other.Lags) == 0 {
		return
	}
	lags := make([]int64, max(len(s.Lags), len(other.Lags)))
	copy(lags, s.Lags)
	for i, n := range other.Lags {
		lags[i] += n
	}
	s.Lags = lags
}

// sampleFile is what the file of samples has.
type sampleFile struct {
	Bounds []float64 `json:"bounds"` // of the buckets of lags, in seconds
	Fine   []sample  `json:"fine"`   // of minutes, the oldest first
	Coarse []sample  `json:"coarse"` // of hours
	// Portals are those of minutes in which callbacks of a portal came or were written, by member_id,
	// for lagSpan.
	Portals map[string][]sample `json:"portals,omitempty"`
}

// samples are kept for the charts of the pages, through restarts.
type samples struct {
	file string
	now  func() time.Time
	log  *slog.Logger

	mu sync.Mutex
	sampleFile
}

// openSamples reads what an earlier process has kept. What cannot be read is begun anew: charts are
// worth no start.
func openSamples(file string, bounds []float64, now func() time.Time, log *slog.Logger) *samples {
	s := &samples{file: file, now: now, log: log, sampleFile: sampleFile{Bounds: bounds}}
	kept, err := readSamples(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s
	case err == nil && !slices.Equal(kept.Bounds, bounds):
		err = errors.New("another version of leadsync has written it")
	}
	if err != nil {
		log.Warn("file of samples cannot be used, starting a new one", "file", file, "error", err)
		return s
	}
	s.sampleFile = kept
	s.forget()
	return s
}

func readSamples(file string) (kept sampleFile, err error) {
	info, err := os.Stat(file)
	if err != nil {
		return kept, err
	}
	if info.Size() > mostSampleBytes {
		return kept, errors.New("it is too large")
	}
	data, err := os.ReadFile(file) //nolint:gosec // a file of the data directory
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	lists := append(slices.Collect(maps.Values(kept.Portals)), kept.Fine, kept.Coarse)
	for _, s := range slices.Concat(lists...) {
		if len(s.Lags) > len(kept.Bounds)+1 || s.Took < 0 {
			err = errors.New("a sample of it cannot be")
		}
	}
	return kept, err
}

// add keeps a sample and those of portals within the same time, also on disk.
func (s *samples) add(one sample, portals map[string]sample) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(one, portals)
	s.save()
}

// keep adds samples to those in memory.
func (s *samples) keep(one sample, portals map[string]sample) {
	for memberID, of := range portals {
		if s.Portals == nil {
			s.Portals = map[string][]sample{}
		}
		s.Portals[memberID] = append(s.Portals[memberID], of)
	}
	s.Fine = append(s.Fine, one)
	last := len(s.Coarse) - 1
	if last >= 0 && s.Coarse[last].At/3600 == one.At/3600 {
		s.Coarse[last].add(one)
	} else {
		s.Coarse = append(s.Coarse, one)
	}
	s.forget()
}

// forget drops what is old, what lies ahead because the clock was set back, and what is too much.
func (s *samples) forget() {
	now := s.now()
	keep := func(list []sample, age time.Duration, most int) []sample {
		list = slices.DeleteFunc(list, func(one sample) bool {
			at := time.Unix(one.At, 0)
			return at.Before(now.Add(-age)) || at.After(now.Add(sampleEvery))
		})
		return slices.Clone(list[max(0, len(list)-most):])
	}
	s.Fine, s.Coarse = keep(s.Fine, fineAge, mostFine), keep(s.Coarse, coarseAge, mostCoarse)
	for memberID, list := range s.Portals {
		if s.Portals[memberID] = keep(list, lagSpan, int(lagSpan/sampleEvery)); len(s.Portals[memberID]) == 0 {
			delete(s.Portals, memberID)
		}
	}
}

// save writes the file as a whole or not at all.
func (s *samples) save() {
	kept := s.sampleFile
	data, err := json.Marshal(kept)
	if len(data) > mostSampleBytes { // hundreds of busy portals; theirs are of an hour only
		kept.Portals = nil
		data, err = json.Marshal(kept)
	}
	if err == nil {
		err = os.WriteFile(s.file+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(s.file+".new", s.file)
	}
	if err != nil {
		s.log.Warn("samples for charts could not be kept", "error", err)
	}
}

// trend is what was kept of some time, in steps.
func (s *samples) trend(span, step time.Duration) console.Trend {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.Fine
	if span > fineAge {
		list = s.Coarse
	}
	t := console.Trend{To: s.now().Truncate(step).Add(step), Step: step}
	steps := make([]sample, int(span/step))
	t.From = t.To.Add(-span)
	for _, one := range list {
		// A sample belongs to the step in which it ended.
		if i := int(time.Unix(one.At-1, 0).Sub(t.From) / step); i >= 0 && i < len(steps) && one.At > t.From.Unix() {
			steps[i].add(one)
		}
	}
	for i, one := range steps {
		t.Points = append(t.Points, s.point(t.From.Add(time.Duration(i+1)*step), one))
	}
	return t
}

// point is a sample as charts show it; NaN is unknown.
func (s *samples) point(at time.Time, one sample) console.Point {
	p := console.Point{At: at, PerMinute: math.NaN(), Waiting: math.NaN(), P50: quantile(s.Bounds, one.Lags, 0.5), P99: quantile(s.Bounds, one.Lags, 0.99)}
	if one.Took > 0 {
		p.PerMinute, p.Waiting = float64(one.Received)/one.Took*60, float64(one.Waiting)
	}
	return p
}

// recent is the last minutes as one point.
func (s *samples) recent(span time.Duration) console.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, whole := s.now(), sample{}
	for _, one := range s.Fine {
		if time.Unix(one.At, 0).After(now.Add(-span)) {
			whole.add(one)
		}
	}
	return s.point(now, whole)
}

// quantile is where a part of what was counted lies, as Prometheus finds it: evenly spread within a
// bucket. What is above the last bound counts as that. NaN where nothing was counted.
func quantile(bounds []float64, counts []int64, part float64) float64 {
	total := int64(0)
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return math.NaN()
	}
	rank, below := part*float64(total), int64(0)
	for i, n := range counts {
		if float64(below+n) < rank || n == 0 {
			below += n
			continue
		}
		if i >= len(bounds) {
			break
		}
		from := 0.0
		if i > 0 {
			from = bounds[i-1]
		}
		return from + (bounds[i]-from)*(rank-float64(below))/float64(n)
	}
	return bounds[len(bounds)-1]
}

// buckets are what a histogram has counted since the process began.
func buckets(of prometheus.Collector) (bounds []float64, counts []int64) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(of)
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 1 {
		return nil, nil
	}
	h := families[0].GetMetric()[0].GetHistogram()
	below := uint64(0)
	for _, b := range h.GetBucket() {
		bounds = append(bounds, b.GetUpperBound())
		counts = append(counts, int64(b.GetCumulativeCount()-below)) //nolint:gosec // callbacks of one process
		below = b.GetCumulativeCount()
	}
	return bounds, append(counts, int64(h.GetSampleCount()-below)) //nolint:gosec // callbacks of one process
}

// sampler takes samples of a service.
type sampler struct {
	s       *Service
	samples *samples
	every   time.Duration

	at       time.Time // by the process's own clock
	received int64
	lags     []int64
	portals  map[string]sample // what was counted of each portal
}

func newSampler(s *Service) *sampler {
	row, _ := s.Stats.Lags()
	bounds, lags := buckets(row)
	b := s.Backend
	return &sampler{
		s: s, samples: openSamples(b.data.file("samples.json"), bounds, b.Config.Now, b.Log), every: b.Config.scaled(sampleEvery),
		at: time.Now(), lags: lags, received: s.Portals.Stats.Received.Load(), portals: countedOf(s),
	}
}

// run takes samples until the context ends, and one more then, of what came since the last.
func (m *sampler) run(ctx context.Context) error {
	for retry.Wait(ctx, m.every) == nil {
		m.take(ctx)
	}
	m.take(context.WithoutCancel(ctx))
	return nil
}

// take keeps what has happened since the last time.
func (m *sampler) take(ctx context.Context) {
	row, _ := m.s.Stats.Lags()
	_, lags := buckets(row)
	one := sample{At: m.samples.now().Unix(), Took: time.Since(m.at).Seconds(), Waiting: int64(m.s.intake.Waiting().Entries)}
	received := m.s.Portals.Stats.Received.Load()
	one.Received, one.Lags = received-m.received, since(m.lags, lags)
	if bus := m.s.Backend.NATS.Bus(); bus != nil {
		ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
		defer cancel()
		depth, _ := events.Depth(ctx, bus, events.StreamNotices) // what is on disk is known without NATS
		one.Waiting += depth
	}
	portals := countedOf(m.s)
	news := newsOf(m.portals, portals, one)
	m.at, m.received, m.lags, m.portals = time.Now(), received, lags, portals
	m.samples.add(one, news)
}
