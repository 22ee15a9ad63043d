package events

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWait is after how long work that a dead process had taken is given to another.
// Work that takes longer is kept by in-progress acks.
const ackWait = 5 * time.Second

// maxPending is large because a portal's backlog is taken in one piece.
const maxPending = 20_000

// Notices is the portal's durable consumer of lead notices. There is one per portal,
// so that none can hold up another.
func Notices(ctx context.Context, js jetstream.JetStream, memberID string) (jetstream.Consumer, error) {
	return durable(ctx, js, StreamNotices, "notices-"+memberID, "bitrix24.notices."+memberID+".*")
}

// Portals is the portal's durable consumer of its authorizations.
func Portals(ctx context.Context, js jetstream.JetStream, memberID string) (jetstream.Consumer, error) {
	return durable(ctx, js, StreamPortals, "portal-"+memberID, PortalSubject(memberID))
}

func durable(ctx context.Context, js jetstream.JetStream, stream, name, filter string) (jetstream.Consumer, error) {
	consumer, err := js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxPending,
	})
	if err != nil {
		return nil, fmt.Errorf("set up consumer %s of %s: %w", name, stream, err)
	}
	return consumer, nil
}

// Pending is how many of a portal's notices are not dealt with yet, those under way
// included.
func Pending(ctx context.Context, js jetstream.JetStream, memberID string) (int, error) {
	consumer, err := js.Consumer(ctx, StreamNotices, "notices-"+memberID)
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	return int(info.NumPending) + info.NumAckPending, nil //nolint:gosec // a stream of that many bytes holds fewer
}

// KeepWorking sends in-progress acks for messages until stop is called, so that a long
// read is not given to somebody else.
func KeepWorking(msgs []jetstream.Msg) (stop func()) {
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		tick := time.NewTicker(ackWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				for _, msg := range msgs {
					_ = msg.InProgress() // a lost one costs a second delivery, which is harmless
				}
			}
		}
	}()
	return func() { close(done); <-finished }
}
