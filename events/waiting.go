package events

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// Waiting returns which of a portal's leads have a notice that was not acknowledged yet.
func Waiting(ctx context.Context, bus *Bus, memberID string, ids []int64) (map[int64]bool, error) {
	stream, err := bus.Stream(ctx, StreamNotices)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", StreamNotices, err)
	}
	pending, err := Pending(ctx, bus, memberID)
	if err != nil || pending == 0 {
		return nil, err
	}
	waiting := map[int64]bool{}
	for _, id := range ids {
		_, err := lastMessage(ctx, stream, bus.Subject(NoticeSubject(leads.Ref{MemberID: memberID, LeadID: id})))
		switch {
		case err == nil:
			waiting[id] = true
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return nil, fmt.Errorf("look for the notice of lead %d: %w", id, err)
		}
	}
	return waiting, nil
}
