package consumers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
)

// WaitingNotice is a notice of a lead that is not dealt with yet.
type WaitingNotice struct {
	Sequence uint64    // on its stream
	StoredAt time.Time // by the server's clock; zero where no notice waits
}

// OldestNotice returns the oldest of a portal's notices of leads that wait or are being
// worked on.
func OldestNotice(ctx context.Context, js jetstream.JetStream, memberID string) (WaitingNotice, error) {
	stream, err := js.Stream(ctx, events.StreamNotices)
	if err != nil {
		return WaitingNotice{}, fmt.Errorf("look up stream %s: %w", events.StreamNotices, err)
	}
	all := strings.TrimSuffix(events.NoticeSubject(leads.Ref{MemberID: memberID}), "0") + "*"
	msg, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(all))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return WaitingNotice{}, nil
	case err != nil:
		return WaitingNotice{}, fmt.Errorf("look for notices of portal %s: %w", memberID, err)
	}
	return WaitingNotice{Sequence: msg.Sequence, StoredAt: msg.Time}, nil
}
