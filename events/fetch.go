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
	return answered(limited, func(ctx context.Context) ([]jetstream.Msg, error) { return next(ctx, consumer) })
}

func next(limited context.Context, consumer jetstream.Consumer) ([]jetstream.Msg, error) {
	batch, err := consumer.Fetch(1, jetstream.FetchContext(limited))
	switch {
	case limited.Err() != nil:
		return nil, nil //nolint:nilerr // nothing came in time
	case err != nil:
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

// WaitingNotice is the oldest notice that is not dealt with yet.
type WaitingNotice struct {
	Sequence uint64    // on its stream
	StoredAt time.Time // by the server's clock; zero where no notice waits
}

// OldestNotice returns the oldest of a portal's notices of leads that wait or are being
// worked on.
func OldestNotice(ctx context.Context, bus *Bus, memberID string) (WaitingNotice, error) {
	return oldest(ctx, bus, StreamNotices, "bitrix24.notices."+memberID+".*")
}

// OldestPortalNotice returns the oldest notice about the portal itself.
func OldestPortalNotice(ctx context.Context, bus *Bus, memberID string) (WaitingNotice, error) {
	return oldest(ctx, bus, StreamPortals, portalSubjects(memberID)+"*")
}

func oldest(ctx context.Context, bus *Bus, name, filter string) (WaitingNotice, error) {
	stream, err := bus.handle(ctx, name)
	if err != nil {
		return WaitingNotice{}, fmt.Errorf("look up stream %s: %w", name, err)
	}
	msg, err := answered(ctx, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(bus.Subject(filter)))
	})
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return WaitingNotice{}, nil
	case err != nil:
		bus.forget(name)
		return WaitingNotice{}, fmt.Errorf("look for notices on %s: %w", filter, err)
	}
	return WaitingNotice{Sequence: msg.Sequence, StoredAt: msg.Time}, nil
}
