package main

import (
	"context"
	"fmt"
	"time"

	"leadsync/events"
	"leadsync/events/spool"
)

// unverifiedLimit bounds what strangers can fill while the database is down, in bytes.
const unverifiedLimit = 64 << 20

// spoolWarning is how old the oldest entry may be before readiness says so although NATS
// is connected.
const spoolWarning = 30 * time.Second

// openIntake opens the spools and puts them beside the streams.
func (b *base) openIntake() (*events.Intake, error) {
	in := &events.Intake{
		Publish: func(ctx context.Context, e events.Entry) error { return events.PublishEntry(ctx, b.js, e) },
		Now:     time.Now, Log: b.log,
	}
	for _, part := range []struct {
		to    **spool.Spool
		name  string
		limit int64
	}{{&in.Verified, "spool/verified", 0}, {&in.Unverified, "spool/unverified", unverifiedLimit}} {
		s, err := spool.Open(spool.Config{Dir: b.data.file(part.name), Limit: part.limit, TakenAt: events.EntryTime, Log: b.log})
		if err != nil {
			return nil, err
		}
		b.closing(s.Close)
		*part.to = s
	}
	if waiting := in.Waiting(); waiting.Entries > 0 {
		b.log.Warn("callbacks wait in the spool", "entries", waiting.Entries, "since", waiting.Oldest)
	}
	return in, nil
}

// illSpool says what is wrong with the spool.
func (s *service) illSpool(ill map[string]string) {
	if _, known := ill["nats"]; !known && s.intake.Avoiding() {
		ill["nats"] = "does not store what it is sent: callbacks are kept in the spool (is its disk full? a server that could not write has to be restarted)"
	}
	w := s.intake.Waiting()
	switch {
	case s.intake.Losing():
		ill["spool"] = "takes nothing, and neither does NATS: callbacks are LOST (is the disk full?)"
	case s.intake.Full():
		ill["spool"] = fmt.Sprintf("full with %d callbacks in %d bytes: callbacks are LOST until NATS and the database are back", w.Entries, w.Bytes)
	case w.Entries > 0 && s.cfg.now().Sub(w.Oldest) > spoolWarning:
		ill["spool"] = fmt.Sprintf("%d callbacks wait on disk since %s, %d of %d bytes", w.Entries, w.Oldest.Format(time.RFC3339), w.Bytes, w.Limit)
	}
}
