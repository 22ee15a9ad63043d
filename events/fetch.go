package events

import (
	"context"
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

// Oldest is when the oldest message of a stream was stored; zero where there is none.
func Oldest(ctx context.Context, js jetstream.JetStream, stream string) (time.Time, error) {
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up stream %s: %w", stream, err)
	}
	if state := s.CachedInfo().State; state.Msgs > 0 {
		return state.FirstTime, nil
	}
	return time.Time{}, nil
}
