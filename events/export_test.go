package events

import "time"

// Impatient has a batch given up sooner.
func (t *Topic) Impatient(after time.Duration) { t.patience = after }
