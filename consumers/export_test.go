package consumers

import (
	"context"
	"time"

	"leadsync/leads"
)

// PublishOnce publishes a status as a process does that holds the lease.
func (s *Statuses) PublishOnce(ctx context.Context, status leads.MirrorStatus) error {
	if s.published == nil {
		s.hold()
	}
	return s.publish(ctx, status)
}

// UntilNextRead is how long a read has to wait.
var UntilNextRead = untilNextRead

// ReadAt is when the worker's last read began. Only its own goroutine may ask.
func (w *Worker) ReadAt() time.Time { return w.readAt }
