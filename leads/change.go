package leads

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// ChangeKind says what happened to a row of the mirror.
type ChangeKind string

// The kinds of change.
const (
	Added       ChangeKind = "added"
	Changed     ChangeKind = "updated"
	RemovedKind ChangeKind = "deleted"
)

// Change is one revision of a row, as subscribers learn of it. Its JSON form is a
// contract.
type Change struct {
	MemberID string          `json:"member_id"`
	LeadID   int64           `json:"lead_id"`
	Kind     ChangeKind      `json:"change"`
	Revision int64           `json:"revision"` // rises with each change of this lead, from 1
	Fields   []string        `json:"changed"`  // names of the changed fields, sorted
	Cause    Cause           `json:"cause"`
	ReadAt   time.Time       `json:"read_at"`
	Lead     json.RawMessage `json:"lead,omitempty"`     // the whole card; absent on deletion
	Oversize bool            `json:"oversize,omitempty"` // the card was too large for the broker and is left out
}

// Ref names the lead that changed.
func (c Change) Ref() Ref { return Ref{MemberID: c.MemberID, LeadID: c.LeadID} }

// changeSpace makes the ids of changes unlike any other UUIDv5.
var changeSpace = uuid.MustParse("6f1a2b1e-6a0f-5d0c-9c53-6c65616473ff")

// ID is the same for the same revision of the same lead, for ever, so that a change
// published twice is recognised.
func (c Change) ID() string {
	return uuid.NewSHA1(changeSpace, fmt.Appendf(nil, "%s/%d/%d", c.MemberID, c.LeadID, c.Revision)).String()
}

// Announcement is a change waiting in the outbox.
type Announcement struct {
	ID     int64 // of its row there
	Change Change
}

// OnTopic is what the topic holds of a lead.
type OnTopic struct {
	LeadID   int64
	Revision int64
	Deleted  bool
	// Distinct says that it is not the mirror's change of that revision: they show
	// different cards.
	Distinct bool
}

// SameState tells whether two changes leave a subscriber with the same card, or with none.
func (c *Change) SameState(other *Change) bool {
	if gone := c.Kind == RemovedKind; gone || other.Kind == RemovedKind {
		return gone && other.Kind == RemovedKind
	}
	return bytes.Equal(c.Lead, other.Lead) || SameCard(c.Lead, other.Lead)
}

// SameCard tells whether two cards, as portals sent them, say the same.
func SameCard(a, b json.RawMessage) bool {
	one, err := Parse(a)
	if err != nil {
		return false
	}
	two, err := Parse(b)
	return err == nil && one.Hash() == two.Hash()
}
