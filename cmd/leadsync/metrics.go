package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"leadsync/leads"
)

// metrics shows the tallies to Prometheus.
func (s *service) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	row, topic := s.stats.Lags()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), row, topic, s)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}

var (
	receivedDesc  = prometheus.NewDesc("leadsync_callbacks_received_total", "Callbacks that were stored and answered 200.", nil, nil)
	refusedDesc   = prometheus.NewDesc("leadsync_callbacks_refused_total", "Callbacks that were refused or left alone, by reason.", []string{"reason"}, nil)
	readDesc      = prometheus.NewDesc("leadsync_leads_read_total", "Leads read from portals because of notices.", nil, nil)
	outcomesDesc  = prometheus.NewDesc("leadsync_outcomes_total", "What became of leads that were read because of notices.", []string{"outcome"}, nil)
	publishedDesc = prometheus.NewDesc("leadsync_changes_published_total", "Changes put on the topic of leads.", nil, nil)
	takenDesc     = prometheus.NewDesc("leadsync_notices_taken_total", "Notices dealt with.", nil, nil)
	parkedDesc    = prometheus.NewDesc("leadsync_notices_parked_total", "Notices given up and kept as dead letters.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *service) Describe(c chan<- *prometheus.Desc) { prometheus.DescribeByCollect(s, c) }

// Collect implements prometheus.Collector.
func (s *service) Collect(c chan<- prometheus.Metric) {
	count := func(desc *prometheus.Desc, n int64, labels ...string) {
		c <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(n), labels...)
	}
	if s.registry != nil {
		count(receivedDesc, s.registry.Stats.Received.Load())
		for reason, n := range s.registry.Stats.Refused() {
			count(refusedDesc, n, reason)
		}
	}
	s.collectIntake(c, count)
	s.collectWaiting(c)
	s.collectPortals(c)
	count(readDesc, s.stats.Read.Load())
	count(takenDesc, s.stats.Taken.Load())
	for v := leads.Unchanged; v <= leads.Failed; v++ {
		count(outcomesDesc, s.stats.Outcomes(v), v.String())
	}
	count(publishedDesc, s.stats.Published.Load())
	count(parkedDesc, s.stats.Parked.Load())
}
