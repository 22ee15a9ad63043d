package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// DeadLetter is a notice that leadsync gave up.
type DeadLetter struct {
	Notice

	Reason   string    `json:"reason"`
	Attempts int       `json:"attempts"`
	FirstAt  time.Time `json:"first_at"`
	LastAt   time.Time `json:"last_at"`
}

// PublishDead parks a notice, in place of an earlier one of the same lead.
func PublishDead(ctx context.Context, bus *Bus, d DeadLetter) error {
	return publishJSON(ctx, bus, DeadSubject(d.Ref), d)
}

// DropDead removes a lead's dead letter; it is not an error if there is none.
func DropDead(ctx context.Context, bus *Bus, ref leads.Ref) error {
	if err := bus.purge(ctx, StreamDead, DeadSubject(ref)); err != nil {
		return fmt.Errorf("drop the dead letter of %s: %w", ref, err)
	}
	return nil
}

// DeadLetters returns all dead letters, the oldest first: of one portal or, with "", of all.
// It skips messages that leadsync did not write.
func DeadLetters(ctx context.Context, bus *Bus, memberID string) ([]DeadLetter, error) {
	stream, err := bus.Stream(ctx, StreamDead)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	filter := "leadsync.dead.*.*"
	if memberID != "" {
		filter = "leadsync.dead." + memberID + ".*"
	}
	var letters []DeadLetter
	for seq := uint64(1); ; {
		msg, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(bus.Subject(filter)))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return letters, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read dead letters: %w", err)
		}
		seq = msg.Sequence + 1
		var letter DeadLetter
		ref, err := parseRef(msg.Subject)
		if err != nil || json.Unmarshal(msg.Data, &letter) != nil {
			continue
		}
		letter.Ref = ref
		letters = append(letters, letter)
	}
}
