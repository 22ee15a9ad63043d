package service

import "github.com/prometheus/client_golang/prometheus"

var (
	journalTakenDesc   = prometheus.NewDesc("leadsync_journal_entries_total", "Entries that the journal of this process took; leadsync why tells what happened to a lead from them.", nil, nil)
	journalDroppedDesc = prometheus.NewDesc("leadsync_journal_dropped_total", "Entries that the journal dropped because the disk was full or too slow: leadsync why lacks them. Leads are not affected.", nil, nil)
)

// collectJournal shows what the journal took and lost.
func (c collector) collectJournal(out sink) {
	if j := c.s.Backend.Journal; j != nil {
		stats := j.Stats()
		out.counter(journalTakenDesc, stats.Taken)
		out.counter(journalDroppedDesc, stats.Dropped)
	}
}
