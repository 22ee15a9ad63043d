package service

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leadsync/consumers"
	"leadsync/leads"
	"leadsync/portals"
)

// metricsHandler shows what the service counts to Prometheus.
func metricsHandler(s *Service) http.Handler {
	registry := prometheus.NewRegistry()
	row, topic := s.Stats.Lags()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), row, topic, collector{s})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

// collector reads the service's numbers when Prometheus asks.
type collector struct{ s *Service }

// sink takes metrics.
type sink chan<- prometheus.Metric

func (c sink) counter(desc *prometheus.Desc, n int64, labels ...string) {
	c <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
}

func (c sink) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

func (c sink) histogram(desc *prometheus.Desc, bounds []float64, of consumers.Lags, labels ...string) {
	below, buckets := uint64(0), make(map[float64]uint64, len(bounds))
	for i, n := range of.Counts {
		below += uint64(n) //nolint:gosec // a count
		if i < len(bounds) {
			buckets[bounds[i]] = below
		}
	}
	c <- prometheus.MustNewConstHistogram(desc, below, of.Sum, buckets, labels...)
}

var (
	receivedDesc  = prometheus.NewDesc("leadsync_callbacks_received_total", "Callbacks that leadsync accepted, stored and answered with 200.", nil, nil)
	refusedDesc   = prometheus.NewDesc("leadsync_callbacks_refused_total", "Callbacks, installations and log-ins that leadsync refused or ignored, by reason; each reason is there from the start. docs/trouble.md explains them.", []string{"reason"}, nil)
	readDesc      = prometheus.NewDesc("leadsync_leads_read_total", "Leads read from portals because of callbacks; passes are not counted.", nil, nil)
	outcomesDesc  = prometheus.NewDesc("leadsync_lead_outcomes_total", "What the reads of leads because of callbacks led to: a row inserted, updated, deleted, unchanged and so on.", []string{"outcome"}, nil)
	publishedDesc = prometheus.NewDesc("leadsync_changes_published_total", "Changes of leads published on the topic.", nil, nil)
	takenDesc     = prometheus.NewDesc("leadsync_notices_taken_total", "Notices that were processed: their lead was read and written, or given up.", nil, nil)
	parkedDesc    = prometheus.NewDesc("leadsync_notices_parked_total", "Notices given up after repeated failures and kept as dead letters.", nil, nil)
	ignoredDesc   = prometheus.NewDesc("leadsync_portal_notices_ignored_total", "Notices about a portal itself, such as an installation, whose kind this version does not know.", nil, nil)
)

// Describe implements prometheus.Collector. Which metrics there are depends on what the
// process owns, so it describes none: the registry then checks them when it collects.
func (c collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	out := sink(to)
	c.collectCallbacks(out)
	c.collectIntake(out)
	c.collectWaiting(out)
	c.collectHistory(out)
	c.collectJournal(out)
	c.collectPortals(out)
	c.collectPortalWork(out)
	c.collectWork(out)
	c.collectWatched(out)
}

func (c collector) collectCallbacks(out sink) {
	stats := &c.s.Portals.Stats
	out.counter(receivedDesc, stats.Received.Load())
	out.counter(blindDesc, stats.Blind.Load())
	refused := stats.Refused()
	for reason := portals.Accepted + 1; reason.String() != ""; reason++ { // from 0 on: what begins with 1 has not increased
		if _, known := refused[reason.String()]; !known {
			refused[reason.String()] = 0
		}
	}
	for reason, n := range refused {
		out.counter(refusedDesc, n, reason)
	}
}

// collectWork shows what became of notices.
func (c collector) collectWork(out sink) {
	stats := c.s.Stats
	out.counter(readDesc, stats.Read.Load())
	out.counter(takenDesc, stats.Taken.Load())
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		out.counter(outcomesDesc, stats.Outcomes(v), v.String())
	}
	out.counter(publishedDesc, stats.Published.Load())
	out.counter(parkedDesc, stats.Parked.Load())
	out.counter(ignoredDesc, stats.IgnoredNotices.Load())
}
