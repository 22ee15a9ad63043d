package service

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
	blindDesc       = prometheus.NewDesc("leadsync_callbacks_without_database_total", "Callbacks that came while the database could not say which portal sent them. They wait in the spool until it can.", nil, nil)
	storedDesc      = prometheus.NewDesc("leadsync_notices_published_total", "Notices (one for each accepted callback) put on their NATS stream, those from the spool included.", nil, nil)
	spooledDesc     = prometheus.NewDesc("leadsync_callbacks_spooled_total", "Callbacks written to the spool on this machine's disk because NATS or the database did not answer. They follow when both are back.", nil, nil)
	lostDesc        = prometheus.NewDesc("leadsync_callbacks_lost_total", "Callbacks that could be stored neither in NATS nor on disk and were answered 500. Bitrix24 does not repeat them; the next pass finds what they changed.", nil, nil)
	spoolDesc       = prometheus.NewDesc("leadsync_spool_entries", "Callbacks that wait in the spool on this machine's disk. 0 while NATS and the database answer.", nil, nil)
	spoolBytesDesc  = prometheus.NewDesc("leadsync_spool_bytes", "Size of the spool on disk.", nil, nil)
	spoolLimitDesc  = prometheus.NewDesc("leadsync_spool_limit_bytes", "Size at which the spool is full: from then on callbacks are lost.", nil, nil)
	spoolAgeDesc    = prometheus.NewDesc("leadsync_spool_age_seconds", "Age of the oldest callback in the spool. 0 where it is empty.", nil, nil)
	coalescedDesc   = prometheus.NewDesc("leadsync_notices_coalesced", "Notices that a newer one of the same lead replaced before they were read, which saves requests. Exact where one process takes and reads them all.", nil, nil)
	pendingDesc     = prometheus.NewDesc("leadsync_notices_waiting", "Notices of all portals that wait on their NATS stream to be read.", nil, nil)
	outboxDesc      = prometheus.NewDesc("leadsync_outbox_changes", "Changes in SQL that wait to be published on the topic, as they were counted last: a count that takes a second is used again for 100 seconds.", nil, nil)
	statementsDesc  = prometheus.NewDesc("leadsync_database_statements_total", "SQL statements that this process sent to the database. The beginning and the end of a transaction are not counted, nor is each row of a bulk copy.", nil, nil)
	outboxAgeDesc   = prometheus.NewDesc("leadsync_outbox_age_seconds", "Age of the oldest change in SQL that waits to be published on the topic. 0 where none waits.", nil, nil)
	tableRowsDesc   = prometheus.NewDesc("leadsync_table_rows", "Rows of the tables that grow, looked up every ten minutes: on SQL Server the approximate number of its catalogue, on SQLite counted.", tableLabel, nil)
	prunedDesc      = prometheus.NewDesc("leadsync_pruned_rows_total", "Rows of history that this process deleted because they were older than LEADSYNC_KEEP; those of leadsync_changes because they were older than LEADSYNC_KEEP_CHANGES.", tableLabel, nil)
	deadLettersDesc = prometheus.NewDesc("leadsync_dead_letters", "Leads that leadsync gave up after repeated failures: leadsync dead list shows them with the reason.", nil, nil)

	tableLabel = []string{"table"}
)

// collectIntake shows the way in.
func (c collector) collectIntake(out sink) {
	in := c.s.intake
	out.counter(storedDesc, in.Published.Load())
	out.counter(spooledDesc, in.Spooled.Load())
	out.counter(lostDesc, in.Lost.Load())
	w := in.Waiting()
	out.gauge(spoolDesc, float64(w.Entries))
	out.gauge(spoolBytesDesc, float64(w.Bytes))
	out.gauge(spoolLimitDesc, float64(w.Limit))
	out.gauge(spoolAgeDesc, c.age(w.Oldest))
}

// collectWaiting shows what waits in NATS and in the database, where they answer.
func (c collector) collectWaiting(out sink) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	db := c.s.Backend.DB
	out.counter(statementsDesc, db.Statements())
	c.collectStates(ctx, out)
	if bus := c.s.Backend.NATS.Bus(); bus != nil {
		c.collectStreams(ctx, bus, out)
	}
	if n, err := c.s.outboxDepth.get(ctx, db.OutboxDepth); err == nil {
		out.gauge(outboxDesc, float64(n))
	}
	if oldest, err := db.OutboxOldest(ctx); err == nil {
		out.gauge(outboxAgeDesc, c.age(oldest))
	}
}

// collectHistory shows how large tables are, and what was deleted of them. It asks the
// database nothing.
func (c collector) collectHistory(out sink) {
	if sizes := c.s.history.sizes.Load(); sizes != nil {
		for table, n := range *sizes {
			out.gauge(tableRowsDesc, float64(n), table)
		}
	}
	for table, n := range c.s.history.deleted.rows() {
		out.counter(prunedDesc, n, table)
	}
}

// collectStreams shows what waits in NATS.
func (c collector) collectStreams(ctx context.Context, bus *events.Bus, out sink) {
	if n, err := events.Depth(ctx, bus, events.StreamNotices); err == nil {
		out.gauge(pendingDesc, float64(n))
		out.gauge(coalescedDesc, float64(max(0, c.s.intake.Published.Load()-c.s.Stats.Taken.Load()-n)))
	}
	if n, err := events.Depth(ctx, bus, events.StreamDead); err == nil {
		out.gauge(deadLettersDesc, float64(n))
	}
}

// age is how long ago a moment was, in seconds; 0 for none, and for one ahead of now.
func (c collector) age(t time.Time) float64 { return c.s.ready.age(t).Seconds() }
