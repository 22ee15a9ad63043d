package events

import "time"

// LimitBatches makes a topic give up a batch sooner.
func (t *Topic) LimitBatches(limit time.Duration) { t.batchLimit = limit }
