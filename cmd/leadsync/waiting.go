package main

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/events"
)

// scrapeLimit is how long a scrape waits for database and NATS; what does not answer is
// left out of it.
const scrapeLimit = 2 * time.Second

var (
	blindDesc       = prometheus.NewDesc("leadsync_callbacks_without_database_total", "Callbacks that came while the database could not say whose they were.", nil, nil)
	storedDesc      = prometheus.NewDesc("leadsync_notices_published_total", "Notices put on their stream, those from the spool included.", nil, nil)
	spooledDesc     = prometheus.NewDesc("leadsync_callbacks_spooled_total", "Callbacks kept on disk because NATS or the database did not answer.", nil, nil)
	lostDesc        = prometheus.NewDesc("leadsync_callbacks_lost_total", "Callbacks that could be kept nowhere, and were answered 500.", nil, nil)
	spoolDesc       = prometheus.NewDesc("leadsync_spool_entries", "Callbacks that wait in the spool.", nil, nil)
	spoolBytesDesc  = prometheus.NewDesc("leadsync_spool_bytes", "Size of the spool on disk.", nil, nil)
	spoolLimitDesc  = prometheus.NewDesc("leadsync_spool_limit_bytes", "Size at which the spool refuses.", nil, nil)
	spoolAgeDesc    = prometheus.NewDesc("leadsync_spool_age_seconds", "Age of the oldest callback in the spool.", nil, nil)
	coalescedDesc   = prometheus.NewDesc("leadsync_notices_coalesced", "Notices that a newer one of the same lead replaced; exact where one process takes and reads them all.", nil, nil)
	pendingDesc     = prometheus.NewDesc("leadsync_notices_waiting", "Notices on their stream, all portals.", nil, nil)
	outboxDesc      = prometheus.NewDesc("leadsync_outbox_changes", "Changes that wait to be announced.", nil, nil)
	outboxAgeDesc   = prometheus.NewDesc("leadsync_outbox_age_seconds", "Age of the oldest change that waits to be announced.", nil, nil)
	deadLettersDesc = prometheus.NewDesc("leadsync_dead_letters", "Notices that are parked.", nil, nil)
)

// collectIntake shows the way in.
func (s *service) collectIntake(c chan<- prometheus.Metric, count func(*prometheus.Desc, int64, ...string)) {
	if s.registry != nil {
		count(blindDesc, s.registry.Stats.Blind.Load())
	}
	count(storedDesc, s.intake.Published.Load())
	count(spooledDesc, s.intake.Spooled.Load())
	count(lostDesc, s.intake.Lost.Load())
	w := s.intake.Waiting()
	gauge(c, spoolDesc, float64(w.Entries))
	gauge(c, spoolBytesDesc, float64(w.Bytes))
	gauge(c, spoolLimitDesc, float64(w.Limit))
	gauge(c, spoolAgeDesc, s.age(w.Oldest))
}

// collectWaiting shows what waits in NATS and in the database, where they answer.
func (s *service) collectWaiting(c chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	s.collectStates(ctx, c)
	if n, err := events.Depth(ctx, s.js, events.StreamNotices); err == nil {
		gauge(c, pendingDesc, float64(n))
		gauge(c, coalescedDesc, float64(max(0, s.intake.Published.Load()-s.stats.Taken.Load()-n)))
	}
	if n, err := events.Depth(ctx, s.js, events.StreamDead); err == nil {
		gauge(c, deadLettersDesc, float64(n))
	}
	if n, err := s.db.OutboxDepth(ctx); err == nil {
		gauge(c, outboxDesc, float64(n))
	}
	if oldest, err := s.db.OutboxOldest(ctx); err == nil {
		gauge(c, outboxAgeDesc, s.age(oldest))
	}
}

func gauge(c chan<- prometheus.Metric, desc *prometheus.Desc, value float64) {
	c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
}

// age is how long ago a moment was, in seconds; 0 for none.
func (s *service) age(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return max(0, s.cfg.now().Sub(t).Seconds())
}
