package consumers

import (
	"sync/atomic"

	"leadsync/leads"
)

// Tally counts what the consumers of this process did since it started.
type Tally struct {
	Read      atomic.Int64 // leads read because of notices
	Published atomic.Int64 // changes put on the topic
	Parked    atomic.Int64 // notices given up

	verdicts [leads.Failed + 1]atomic.Int64
}

// Outcomes is how many snapshots ended with that verdict, reconciliation included.
func (t *Tally) Outcomes(v leads.Verdict) int64 { return t.verdicts[v].Load() }

// Count adds what became of a batch.
func (t *Tally) Count(outcomes []leads.Outcome) {
	for _, o := range outcomes {
		t.verdicts[o.Verdict].Add(1)
	}
}
