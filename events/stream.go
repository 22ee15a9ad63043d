package events

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// The streams. Their names and subjects are a contract; see Bus for the prefix.
const (
	StreamNotices = "BITRIX24_NOTICES" // a lead may have changed
	StreamPortals = "BITRIX24_PORTALS" // a portal was authorized, installed or uninstalled
	StreamLeads   = "LEADS"            // the current state of every lead, for other systems
	StreamRuns    = "LEADSYNC_RUNS"    // summaries of reconciliations
	StreamDead    = "LEADSYNC_DEAD"    // notices that were given up, with the reason
	StreamSchema  = "LEADSYNC_SCHEMA"  // custom fields that were added, renamed, retyped or removed
)

// How long the topics keep what is not state: tombstones on LEADS, summaries of runs.
const (
	TombstoneLife = 30 * 24 * time.Hour
	runsLife      = 90 * 24 * time.Hour
)

// noticesMax bounds the notices waiting to be read, in bytes; a full stream refuses
// instead of dropping another lead's notice.
const noticesMax = 1 << 30

// portalsMax bounds the notices about portals, in bytes.
const portalsMax = 64 << 20

// NoticeSubject is where notices of a lead are published.
func NoticeSubject(ref leads.Ref) string { return subject("bitrix24.notices", ref) }

// PortalSubject is where a portal's notices of one kind are published. A newer one replaces
// one that waits: it says all that the older said.
func PortalSubject(memberID string, event PortalEvent) string {
	if !event.Known() {
		event = "other"
	}
	return portalSubjects(memberID) + string(event)
}

// portalSubjects is what the subjects of a portal's notices begin with.
func portalSubjects(memberID string) string { return "bitrix24.portals." + memberID + "." }

// LeadSubject is the topic of a lead.
func LeadSubject(ref leads.Ref) string { return subject("leads", ref) }

// RunSubject is where summaries of a portal's reconciliations are published.
func RunSubject(memberID string) string { return "leadsync.runs." + memberID }

// DeadSubject is where a lead's given-up notices are parked.
func DeadSubject(ref leads.Ref) string { return subject("leadsync.dead", ref) }

// SchemaSubject is where changes of a portal's custom fields are published.
func SchemaSubject(memberID string) string { return "leadsync.schema." + memberID }

func subject(prefix string, ref leads.Ref) string {
	return prefix + "." + ref.MemberID + "." + strconv.FormatInt(ref.LeadID, 10)
}

// streams returns the configuration of every stream, without the prefix. Notices and LEADS hold one
// message per subject: on the first that is the coalescing, on the second it makes the
// stream the current state.
func streams() []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: StreamNotices, Subjects: []string{"bitrix24.notices.*.*"}, Retention: jetstream.WorkQueuePolicy,
			Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1,
			MaxBytes: noticesMax, AllowAtomicPublish: true,
		},
		{
			Name: StreamPortals, Subjects: []string{"bitrix24.portals.*.*"}, Retention: jetstream.WorkQueuePolicy,
			Storage: jetstream.FileStorage, Discard: jetstream.DiscardNew, MaxMsgsPerSubject: 1, MaxBytes: portalsMax,
		},
		{
			Name: StreamLeads, Subjects: []string{"leads.*.*"}, Retention: jetstream.LimitsPolicy,
			Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, AllowRollup: true, AllowMsgTTL: true,
			AllowDirect: true, AllowAtomicPublish: true,
		},
		{
			Name: StreamRuns, Subjects: []string{"leadsync.runs.*"}, Retention: jetstream.LimitsPolicy,
			Storage: jetstream.FileStorage, MaxAge: runsLife,
		},
		{
			Name: StreamDead, Subjects: []string{"leadsync.dead.*.*"}, Retention: jetstream.LimitsPolicy,
			Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, AllowDirect: true,
		},
		{
			Name: StreamStatus, Subjects: []string{"leadsync.status.*"}, Retention: jetstream.LimitsPolicy,
			Storage: jetstream.FileStorage, MaxMsgsPerSubject: 1, AllowDirect: true,
		},
		schemaStream(),
	}
}

// Depth is how many messages a stream holds.
func Depth(ctx context.Context, bus *Bus, name string) (int64, error) {
	stream, err := bus.Stream(ctx, name)
	if err != nil {
		return 0, fmt.Errorf("look up stream %s: %w", name, err)
	}
	return int64(stream.CachedInfo().State.Msgs), nil //nolint:gosec // far below
}
