package events

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/guide"
)

// ackWait is how long after a process died its work is given to another. In-progress acks
// keep work that takes longer.
const ackWait = 5 * time.Second

// maxPending is large because a portal's backlog is taken in one piece.
const maxPending = 20_000

// Notices is the portal's durable consumer of lead notices. There is one per portal,
// so that none can hold up another.
func Notices(ctx context.Context, bus *Bus, memberID string) (jetstream.Consumer, error) {
	return durable(ctx, bus, StreamNotices, "notices-"+memberID, "bitrix24.notices."+memberID+".*")
}

// Portals is the portal's durable consumer of its authorizations.
func Portals(ctx context.Context, bus *Bus, memberID string) (jetstream.Consumer, error) {
	return durable(ctx, bus, StreamPortals, "portal-"+memberID, portalSubjects(memberID)+"*")
}

func durable(ctx context.Context, bus *Bus, stream, name, filter string) (jetstream.Consumer, error) {
	if err := bus.ours(); err != nil {
		return nil, fmt.Errorf("set up consumer %s of %s: %w", name, stream, err)
	}
	want := jetstream.ConsumerConfig{
		Durable: name, FilterSubject: bus.Subject(filter), AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ackWait, MaxDeliver: -1, MaxAckPending: maxPending,
	}
	consumer, err := bus.js.Consumer(ctx, bus.Name(stream), name)
	if err != nil || !serves(consumer.CachedInfo(), want) { // a cluster agrees on each update, even on one that changes nothing
		consumer, err = bus.js.CreateOrUpdateConsumer(ctx, bus.Name(stream), want)
	}
	if err != nil {
		return nil, fmt.Errorf("set up consumer %s of %s: %w", name, stream, bus.named(bus.taken(ctx, stream, err)))
	}
	if consumer.CachedInfo().Paused { // the settings do not change that
		if _, err := bus.js.ResumeConsumer(ctx, bus.Name(stream), name); err != nil {
			return nil, fmt.Errorf("resume consumer %s of %s: %w", name, stream, bus.named(err))
		}
	}
	return consumer, nil
}

// serves reports whether a consumer that is there is as we want it.
func serves(info *jetstream.ConsumerInfo, want jetstream.ConsumerConfig) bool {
	has := info.Config
	return !info.Paused && has.FilterSubject == want.FilterSubject && len(has.FilterSubjects) == 0 && has.AckPolicy == want.AckPolicy &&
		has.AckWait == want.AckWait && has.MaxDeliver == want.MaxDeliver && has.MaxAckPending == want.MaxAckPending &&
		has.InactiveThreshold == 0 && has.PauseUntil == nil && !has.HeadersOnly && has.DeliverPolicy == want.DeliverPolicy &&
		has.RateLimit == 0 && len(has.BackOff) == 0
}

// codesTaken are the refusals of a consumer whose messages another one takes: only one may.
var codesTaken = []jetstream.ErrorCode{10099, 10100}

// taken names the consumers that take our messages, where the server has refused ours for that. Our own
// are called like portals, and leave each other theirs.
func (b *Bus) taken(ctx context.Context, name string, refused error) error {
	var api *jetstream.APIError
	if !errors.As(refused, &api) || !slices.Contains(codesTaken, api.ErrorCode) {
		return refused
	}
	stream, err := b.Stream(ctx, name)
	if err != nil {
		return refused
	}
	var others []string
	for other := range stream.ConsumerNames(ctx).Name() {
		if !strings.HasPrefix(other, "notices-") && !strings.HasPrefix(other, "portal-") {
			others = append(others, other)
		}
	}
	if len(others) == 0 {
		return refused
	}
	slices.Sort(others)
	return guide.At(guide.Stream, fmt.Errorf("consumers that leadsync did not make take its messages from %s, and only one may: remove %s (%w)", b.Name(name), strings.Join(others, ", "), refused))
}

// Pending is how many of a portal's notices are not acknowledged yet, those under way
// included.
func Pending(ctx context.Context, bus *Bus, memberID string) (int, error) {
	consumer, err := bus.js.Consumer(ctx, bus.Name(StreamNotices), "notices-"+memberID)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return waiting(ctx, bus, memberID)
	}
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	info, err := consumer.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	if n := int(info.NumPending) + info.NumAckPending; n > 0 { //nolint:gosec // a stream of that many bytes holds fewer
		return n, nil
	}
	// For an instant a server knows a consumer and not yet its messages: when it was just
	// made, and when the cluster gave it to another server.
	return waiting(ctx, bus, memberID)
}

// waiting counts the notices of a portal in the stream, which holds those that are not
// acknowledged. It lists their subjects: only where there are few.
func waiting(ctx context.Context, bus *Bus, memberID string) (int, error) {
	stream, err := bus.Stream(ctx, StreamNotices)
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(bus.Subject("bitrix24.notices."+memberID+".*")))
	if err != nil {
		return 0, fmt.Errorf("look up the notices of %s: %w", memberID, err)
	}
	return len(info.State.Subjects), nil
}

// RemoveConsumers removes the portal's durable consumers; its messages stay. The next
// call of Notices or Portals makes new ones, to which everything that is not acknowledged
// is delivered, also what the server had given to somebody else or forgotten to give.
func RemoveConsumers(ctx context.Context, bus *Bus, memberID string) error {
	if err := bus.ours(); err != nil {
		return fmt.Errorf("remove the consumers of %s: %w", memberID, err)
	}
	for stream, name := range map[string]string{StreamNotices: "notices-" + memberID, StreamPortals: "portal-" + memberID} {
		if err := bus.js.DeleteConsumer(ctx, bus.Name(stream), name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return fmt.Errorf("remove consumer %s: %w", name, err)
		}
	}
	return nil
}

// RemovePortal removes the consumers of a portal that is no longer served, and the
// notices that nobody will read.
func RemovePortal(ctx context.Context, bus *Bus, memberID string) error {
	if err := RemoveConsumers(ctx, bus, memberID); err != nil {
		return err
	}
	for name, subject := range map[string]string{StreamNotices: "bitrix24.notices." + memberID + ".*", StreamPortals: portalSubjects(memberID) + "*"} {
		if err := bus.purge(ctx, name, subject); err != nil {
			return fmt.Errorf("remove the notices of %s from %s: %w", memberID, name, err)
		}
	}
	return nil
}

// GiveBack makes the server deliver messages again at once.
func GiveBack(msgs []jetstream.Msg) {
	for _, msg := range msgs {
		_ = msg.Nak() // if it is lost, the message comes again after ackWait
	}
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
