package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Entry is a message on its way to its stream. A spool keeps it as JSON.
type Entry struct {
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
	// At is when the process received it, by its own clock.
	At time.Time `json:"at"`
	// MemberID and TokenHash are set if the callback could not be verified when it came:
	// TokenHash is the SHA-256 of its application_token. The entry must be verified before
	// it is published.
	MemberID  string `json:"member_id,omitempty"`
	TokenHash string `json:"token_hash,omitempty"`
}

// NoticeEntry makes an entry of a lead's notice.
func NoticeEntry(n Notice) (Entry, error) {
	return entry(NoticeSubject(n.Ref), n, n.ReceivedAt)
}

// PortalEntry makes an entry of a portal's notice.
func PortalEntry(n PortalNotice) (Entry, error) {
	return entry(PortalSubject(n.MemberID, n.Event), n, n.At)
}

func entry(subject string, body any, at time.Time) (Entry, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return Entry{}, fmt.Errorf("encode for %s: %w", subject, err)
	}
	return Entry{Subject: subject, Data: data, At: at}, nil
}

// Unverified marks the entry as one that must be verified first.
func (e Entry) Unverified(memberID, tokenHash string) Entry {
	e.MemberID, e.TokenHash = memberID, tokenHash
	return e
}

// EntryTime reads when an entry was taken from what a spool keeps of it; the zero time if
// it is not an entry. It is a spool's Config.TakenAt.
func EntryTime(payload []byte) time.Time {
	e, err := decodeEntry(payload)
	if err != nil {
		return time.Time{}
	}
	return e.At
}

func decodeEntry(payload []byte) (e Entry, err error) {
	if err := json.Unmarshal(payload, &e); err != nil {
		return e, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if e.Subject == "" {
		return e, fmt.Errorf("%w: the entry has no subject", ErrMessage)
	}
	return e, nil
}

// PublishEntry returns when the stream has the entry on disk. It does not retry if no
// stream answers: the spool is faster.
func PublishEntry(ctx context.Context, bus *Bus, e Entry) error {
	_, err := StoreEntry(ctx, bus, e)
	return err
}

// StoreEntry is PublishEntry; it returns the entry's sequence on its stream. Notices of leads that
// arrive together are stored together.
func StoreEntry(ctx context.Context, bus *Bus, e Entry) (sequence uint64, err error) {
	if streamOf(e.Subject) == StreamNotices {
		return bus.publishTogether(ctx, &bus.notices, e.Subject, e.Data)
	}
	return bus.publish(ctx, e.Subject, e.Data, jetstream.WithRetryAttempts(0))
}
