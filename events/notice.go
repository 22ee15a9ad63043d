package events

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// ErrMessage says that a message on one of our subjects was not written by leadsync.
var ErrMessage = errors.New("not a leadsync message")

// Notice says that a lead may have changed. It carries no data of the lead: whoever
// takes it reads the lead from the portal. A newer notice of the same lead replaces an
// older one that waits.
type Notice struct {
	Ref        leads.Ref   `json:"-"`           // in the subject
	Event      string      `json:"event"`       // Bitrix24's name of it, ONCRMLEADUPDATE
	Cause      leads.Cause `json:"cause"`       // how leadsync learnt of it
	SentAt     int64       `json:"ts"`          // unix seconds, from the callback; when it was sent, not when the change was made
	ReceivedAt time.Time   `json:"received_at"` // our clock
	// Force has the columns of the row compared although its hash says that nothing has changed:
	// somebody may have edited them.
	Force    bool   `json:"force,omitempty"`
	Sequence uint64 `json:"-"` // on the stream, where it was read from there
}

// PublishNotice returns when the stream has the notice on disk.
func PublishNotice(ctx context.Context, bus *Bus, n Notice) error {
	return publishJSON(ctx, bus, NoticeSubject(n.Ref), n)
}

// ParseNotice reads what PublishNotice wrote.
func ParseNotice(msg jetstream.Msg) (Notice, error) {
	var n Notice
	if err := json.Unmarshal(msg.Data(), &n); err != nil {
		return n, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	ref, err := parseRef(msg.Subject())
	n.Ref = ref
	if meta, missing := msg.Metadata(); missing == nil {
		n.Sequence = meta.Sequence.Stream
	}
	return n, err
}

// PortalNotice says that something happened to a portal. It never carries a code or a
// token: those are in SQL.
type PortalNotice struct {
	MemberID     string    `json:"member_id"`
	Domain       string    `json:"domain"`
	Scope        string    `json:"scope"`
	ServerDomain string    `json:"server_domain"`
	UserID       int64     `json:"user_id"`
	At           time.Time `json:"at"`
	// Event is what happened.
	Event PortalEvent `json:"event"`
}

// PublishPortal returns when the stream has the notice on disk.
func PublishPortal(ctx context.Context, bus *Bus, n PortalNotice) error {
	return publishJSON(ctx, bus, PortalSubject(n.MemberID, n.Event), n)
}

// ParsePortalNotice reads what PublishPortal wrote.
func ParsePortalNotice(msg jetstream.Msg) (PortalNotice, error) {
	var n PortalNotice
	if err := json.Unmarshal(msg.Data(), &n); err != nil {
		return n, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return n, nil
}

// PublishRun publishes the summary of a reconciliation.
func PublishRun(ctx context.Context, bus *Bus, run leads.Run) error {
	return publishJSON(ctx, bus, RunSubject(run.MemberID), run.Summary())
}

func publishJSON(ctx context.Context, bus *Bus, subject string, body any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode for %s: %w", subject, err)
	}
	_, err = bus.publish(ctx, subject, data)
	return err
}

// parseRef reads the lead from the last two tokens of a subject.
func parseRef(subject string) (leads.Ref, error) {
	tokens := strings.Split(subject, ".")
	if len(tokens) < 3 {
		return leads.Ref{}, fmt.Errorf("%w: subject %s names no lead", ErrMessage, subject)
	}
	id, err := leads.ParseID(tokens[len(tokens)-1])
	if err != nil {
		return leads.Ref{}, fmt.Errorf("%w: subject %s: %w", ErrMessage, subject, err)
	}
	return leads.Ref{MemberID: tokens[len(tokens)-2], LeadID: id}, nil
}
