package events

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Entry is a message on its way to its stream, as the spool keeps it.
type Entry struct {
	Subject string          `json:"subject"`
	Data    json.RawMessage `json:"data"`
	// At is when it was taken, by our clock.
	At time.Time `json:"at"`
	// MemberID and TokenHash are set where nobody could say whether the callback is
	// genuine: TokenHash is the SHA-256 of its application_token. It must be verified
	// before anything comes of it.
	MemberID  string `json:"member_id,omitempty"`
	TokenHash string `json:"token_hash,omitempty"`
}

// NoticeEntry is a notice on its way.
func NoticeEntry(n Notice) (Entry, error) {
	return entry(NoticeSubject(n.Ref), n, n.ReceivedAt)
}

// PortalEntry is a portal's notice on its way.
func PortalEntry(n PortalNotice) (Entry, error) {
	return entry(PortalSubject(n.MemberID), n, n.At)
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

// PublishEntry returns when the stream has the entry on disk. It does not try again where
// no stream answers: the spool is faster.
func PublishEntry(ctx context.Context, js jetstream.JetStream, e Entry) error {
	if _, err := js.Publish(ctx, e.Subject, e.Data, jetstream.WithRetryAttempts(0)); err != nil {
		return fmt.Errorf("publish %s: %w", e.Subject, err)
	}
	return nil
}
