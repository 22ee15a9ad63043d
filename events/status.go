package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// StreamStatus holds one message for each portal: how far its mirror can be trusted.
const StreamStatus = "LEADSYNC_STATUS"

// StatusSubject is where the status of a portal's mirror is published.
func StatusSubject(memberID string) string { return "leadsync.status." + memberID }

// PublishStatus publishes the status of a portal's mirror in place of the one before.
func PublishStatus(ctx context.Context, bus *Bus, s leads.MirrorStatus) error {
	s.Domain = "" // it may change, and is no part of the contract
	return publishJSON(ctx, bus, StatusSubject(s.MemberID), s)
}

// LastStatus returns the status that was published last; false where none was.
func LastStatus(ctx context.Context, bus *Bus, memberID string) (s leads.MirrorStatus, ok bool, err error) {
	stream, err := bus.Stream(ctx, StreamStatus)
	if err != nil {
		return s, false, fmt.Errorf("look up stream %s: %w", StreamStatus, err)
	}
	msg, err := lastMessage(ctx, stream, bus.Subject(StatusSubject(memberID)))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return s, false, nil
	case err != nil:
		return s, false, fmt.Errorf("look up the status of %s: %w", memberID, err)
	}
	return s, json.Unmarshal(msg.Data, &s) == nil, nil
}
