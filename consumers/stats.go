package consumers

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/leads"
)

// Stats counts what the consumers of this process did since it started. The zero value
// is ready.
type Stats struct {
	Read      atomic.Int64 // leads read because of notices
	Taken     atomic.Int64 // notices dealt with
	Published atomic.Int64 // changes put on the topic
	Parked    atomic.Int64 // notices given up
	// IgnoredNotices are portal notices of an unknown kind.
	IgnoredNotices atomic.Int64

	verdicts [leads.Failed + 1]atomic.Int64
	lags     lags
	relaying atomic.Pointer[error] // the last failure of the relay, until it works again
}

// RelayError is why this process cannot publish the outbox; nil where it can, or where
// another process does.
func (s *Stats) RelayError() error {
	if err := s.relaying.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Stats) relayed(err error) {
	if err == nil {
		s.relaying.Store(nil)
		return
	}
	s.relaying.Store(&err)
}

// Outcomes is how many snapshots ended with that verdict, reconciliation included.
func (s *Stats) Outcomes(v leads.Verdict) int64 { return s.verdicts[v].Load() }

// Count adds what became of a batch.
func (s *Stats) Count(outcomes []leads.Outcome) {
	for _, o := range outcomes {
		s.verdicts[o.Verdict].Add(1)
	}
}

// waitingMax limits how many changes keep the time of their callback until they are
// announced: another replica may announce them, and then nothing here removes them.
const waitingMax = 100_000

// lagBounds are the buckets of lags, in seconds.
var lagBounds = []float64{.01, .025, .05, .1, .25, .5, .75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 1800}

// Lags are those of one portal from callback to row.
type Lags struct {
	Counts []int64 // by bucket of Stats.Lags; the last is of what is longer
	Sum    float64 // seconds
}

// lags measures the way of a callback, in seconds of our clock.
type lags struct {
	once       sync.Once
	row, topic prometheus.Histogram

	mu      sync.Mutex
	waiting map[revision]time.Time // written, not yet announced
	portals map[string]*Lags       // of the portals that this process has served
}

type revision struct {
	ref    leads.Ref
	number int64
}

func (l *lags) ready() *lags {
	l.once.Do(func() {
		l.row = prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadsync_lag_row_seconds", Help: "Time from the arrival of a callback until the lead's row in SQL shows the change.", Buckets: lagBounds,
		})
		l.topic = prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "leadsync_lag_topic_seconds", Buckets: lagBounds,
			Help: "Time from the arrival of a callback until the change is on the topic, where this process did both.",
		})
		l.waiting, l.portals = map[revision]time.Time{}, map[string]*Lags{}
	})
	return l
}

// Lags are the histograms of the way from the callback to the row and to the topic.
func (s *Stats) Lags() (row, topic prometheus.Collector) {
	l := s.lags.ready()
	return l.row, l.topic
}

// ofPortal counts a lag of a portal. mu is held.
func (l *lags) ofPortal(memberID string, took float64) {
	of, ok := l.portals[memberID]
	if !ok {
		of = &Lags{Counts: make([]int64, len(lagBounds)+1)}
		l.portals[memberID] = of
	}
	i, _ := slices.BinarySearch(lagBounds, took) // a bucket has its upper bound
	of.Counts[i]++
	of.Sum += took
}

// PortalLags are the lags of each portal whose rows this process has written.
func (s *Stats) PortalLags() (bounds []float64, by map[string]Lags) {
	l := s.lags.ready()
	l.mu.Lock()
	defer l.mu.Unlock()
	by = make(map[string]Lags, len(l.portals))
	for memberID, of := range l.portals {
		by[memberID] = Lags{slices.Clone(of.Counts), of.Sum}
	}
	return lagBounds, by
}

// wrote notes that a callback received at that time has reached its row.
func (s *Stats) wrote(o leads.Outcome, received, now time.Time) {
	if received.IsZero() || o.Verdict == leads.Failed {
		return
	}
	l := s.lags.ready()
	took := max(0, now.Sub(received).Seconds())
	l.row.Observe(took)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ofPortal(o.MemberID, took)
	if !o.Wrote() {
		return
	}
	if len(l.waiting) >= waitingMax {
		clear(l.waiting)
	}
	l.waiting[revision{o.Ref, o.Revision}] = received
}

// announced notes that a change has reached the topic.
func (s *Stats) announced(c leads.Change) {
	s.Published.Add(1)
	l := s.lags.ready()
	l.mu.Lock()
	defer l.mu.Unlock()
	key := revision{c.Ref(), c.Revision}
	if received, ok := l.waiting[key]; ok {
		l.topic.Observe(max(0, time.Since(received).Seconds()))
		delete(l.waiting, key)
	}
}
