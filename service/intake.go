package service

import (
	"errors"
	"time"

	"leadsync/events"
	"leadsync/events/spool"
)

// unverifiedLimit bounds what strangers can fill while the database is down, in bytes.
const unverifiedLimit = 64 << 20

// errStarting says that NATS cannot be used yet.
var errStarting = errors.New("NATS is not ready yet")

// openIntake opens the spools and puts them beside the streams.
func openIntake(b *Backend) (*events.Intake, error) {
	in := &events.Intake{
		Publish: b.NATS.publish,
		Now:     time.Now, Journal: b.Journal, Log: b.Log,
	}
	for _, part := range []struct {
		to    **spool.Spool
		name  string
		limit int64
	}{{&in.Verified, "spool/verified", 0}, {&in.Unverified, "spool/unverified", unverifiedLimit}} {
		s, err := spool.Open(spool.Config{Dir: b.data.file(part.name), Limit: part.limit, TakenAt: events.EntryTime, Log: b.Log})
		if err != nil {
			return nil, err
		}
		b.closing(s.Close)
		*part.to = s
	}
	if waiting := in.Waiting(); waiting.Entries > 0 {
		b.Log.Warn("callbacks wait in the spool", "entries", waiting.Entries, "since", waiting.Oldest)
	}
	return in, nil
}
