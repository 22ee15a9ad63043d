package events

import (
	"context"
	"fmt"
)

// ForgetPortal removes all messages of a portal from the streams, the topic of leads with
// its names and phone numbers included.
func ForgetPortal(ctx context.Context, bus *Bus, memberID string) error {
	for stream, subject := range map[string]string{
		StreamNotices: "bitrix24.notices." + memberID + ".*",
		StreamPortals: portalSubjects(memberID) + "*",
		StreamLeads:   "leads." + memberID + ".*",
		StreamRuns:    RunSubject(memberID),
		StreamStatus:  StatusSubject(memberID),
		StreamDead:    "leadsync.dead." + memberID + ".*",
		StreamSchema:  SchemaSubject(memberID),
	} {
		if err := bus.purge(ctx, stream, subject); err != nil {
			return fmt.Errorf("remove portal %s from %s: %w", memberID, stream, err)
		}
	}
	return RemovePortal(ctx, bus, memberID)
}
