package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// nextWait is how long Next waits for a message.
const nextWait = time.Second

// Next waits up to a second for one message. The end of the wait or of the context is no
// error: then there is no message.
func Next(ctx context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	limited, cancel := context.WithTimeout(ctx, nextWait)
	defer cancel()
	batch, err := consumer.Fetch(1, jetstream.FetchContext(limited))
	if limited.Err() != nil {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("fetch a message: %w", err)
	}
	var msgs []jetstream.Msg
	for msg := range batch.Messages() {
		msgs = append(msgs, msg)
	}
	if err := batch.Error(); err != nil && limited.Err() == nil {
		return msgs, fmt.Errorf("fetch a message: %w", err)
	}
	return msgs, nil
}

// OldestPortalNotice is when the oldest notice about a portal was stored that its owner has
// not dealt with; zero where there is none.
func OldestPortalNotice(ctx context.Context, bus *Bus, memberID string) (time.Time, error) {
	s, err := bus.Stream(ctx, StreamPortals)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", StreamPortals, err)
	}
	msg, err := s.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(bus.Subject(portalSubjects(memberID)+"*")))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("look for notices about portal %s: %w", memberID, err)
	}
	return msg.Time, nil
}
