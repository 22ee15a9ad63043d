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
	return readLetters(ctx, stream, bus.Subject(filter))
}

// DeadLetterOf returns the dead letter of a lead as it is now; false where there is none.
func DeadLetterOf(ctx context.Context, bus *Bus, ref leads.Ref) (letter DeadLetter, ok bool, err error) {
	stream, err := bus.Stream(ctx, StreamDead)
	if err != nil {
		return letter, false, fmt.Errorf("read the dead letter of %s: %w", ref, err)
	}
	msg, err := lastMessage(ctx, stream, bus.Subject(DeadSubject(ref)))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return letter, false, nil
	case err != nil:
		return letter, false, fmt.Errorf("read the dead letter of %s: %w", ref, err)
	}
	ok = json.Unmarshal(msg.Data, &letter) == nil
	letter.Ref = ref
	return letter, ok, nil
}

// readLetters reads what the stream has now: letters that go meanwhile are not waited for.
func readLetters(ctx context.Context, stream jetstream.Stream, filter string) (letters []DeadLetter, err error) {
	err = readAll(ctx, stream, filter, func(page []jetstream.Msg) error {
		for _, msg := range page {
			if letter, ok := parseLetter(msg); ok {
				letters = append(letters, letter)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	return letters, nil
}

// parseLetter reads what PublishDead wrote; false for what leadsync did not write.
func parseLetter(msg jetstream.Msg) (letter DeadLetter, ok bool) {
	ref, err := parseRef(msg.Subject())
	if err != nil || json.Unmarshal(msg.Data(), &letter) != nil {
		return letter, false
	}
	letter.Ref = ref
	return letter, true
}
