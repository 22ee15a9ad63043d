package events

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// ForgetPortal removes all messages of a portal from the streams, the topic of leads with
// its names and phone numbers included.
func ForgetPortal(ctx context.Context, bus *Bus, memberID string) error {
	for stream, subject := range map[string]string{
		StreamNotices: "bitrix24.notices." + memberID + ".*",
		StreamPortals: portalSubjects(memberID) + "*",
		StreamLeads:   "leads." + memberID + ".*",
		StreamRuns:    RunSubject(memberID),
		StreamDead:    "leadsync.dead." + memberID + ".*",
		StreamSchema:  SchemaSubject(memberID),
	} {
		s, err := bus.Stream(ctx, stream)
		if err == nil {
			err = s.Purge(ctx, jetstream.WithPurgeSubject(bus.Subject(subject)))
		}
		if err != nil {
			return fmt.Errorf("remove portal %s from %s: %w", memberID, stream, err)
		}
	}
	return RemovePortal(ctx, bus, memberID)
}
