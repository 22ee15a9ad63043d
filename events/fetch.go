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
