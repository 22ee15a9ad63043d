package leads

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// ChangeKind is what happened to a lead in the mirror.
type ChangeKind string

// The kinds of change.
const (
	Added       ChangeKind = "added"
	Changed     ChangeKind = "updated"
	RemovedKind ChangeKind = "deleted"
)

// Change is one revision of a lead, as subscribers receive it. Its JSON form is a
// contract.
type Change struct {
	MemberID string          `json:"member_id"`
	LeadID   int64           `json:"lead_id"`
	Kind     ChangeKind      `json:"change"`
	Revision int64           `json:"revision"` // 1 for the first change of this lead, higher for each later one
	Fields   []string        `json:"changed"`  // names of the changed fields, sorted
	Cause    Cause           `json:"cause"`
	ReadAt   time.Time       `json:"read_at"`            // when we read the lead from the portal
	Lead     json.RawMessage `json:"lead,omitempty"`     // the whole card as the portal sent it; absent on deletion
	Oversize bool            `json:"oversize,omitempty"` // Lead is absent because it is too large for the broker
}

// Ref names the lead that changed.
func (c Change) Ref() Ref { return Ref{MemberID: c.MemberID, LeadID: c.LeadID} }

// changeSpace is the UUIDv5 namespace of changes.
var changeSpace = uuid.MustParse("6f1a2b1e-6a0f-5d0c-9c53-6c65616473ff")

// ID is a UUID that depends only on portal, lead and revision, so that subscribers can
// recognise a change that is published twice.
func (c Change) ID() string {
	return uuid.NewSHA1(changeSpace, fmt.Appendf(nil, "%s/%d/%d", c.MemberID, c.LeadID, c.Revision)).String()
}

// WriteText writes the change as a line: when, what, which lead, its title and name, and the fields
// that changed.
func (c Change) WriteText(out io.Writer) error {
	parts := []string{c.ReadAt.Local().Format(time.TimeOnly), fmt.Sprintf("%-7s", c.Kind), c.Ref().String(), fmt.Sprintf("revision %d", c.Revision), fmt.Sprintf("(%s)", c.Cause)}
	var card struct {
		Title string `json:"TITLE"`
		Name  string `json:"NAME"`
		Last  string `json:"LAST_NAME"`
	}
	if json.Unmarshal(c.Lead, &card) == nil {
		parts = append(parts, OneLine(card.Title), OneLine(card.Name+" "+card.Last))
	}
	if c.Kind == Changed && len(c.Fields) > 0 {
		parts = append(parts, "["+strings.Join(c.Fields, " ")+"]")
	}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	_, err := fmt.Fprintln(out, strings.Join(parts, "  "))
	return err
}

// Announcement is a change waiting in the outbox.
type Announcement struct {
	ID     int64 // id of its row in the outbox
	Change Change
	// Lost says that the card is gone, because somebody else deleted or damaged the lead's row:
	// there is nothing to announce. A pass finds the lead and announces it again.
	Lost bool
}

// OnTopic describes the last change of a lead on the topic.
type OnTopic struct {
	LeadID   int64
	Revision int64
	Sequence uint64 // on the topic; 0 where it was not looked up
	Deleted  bool
	// Distinct says that the mirror's change of the same revision has a different card.
	Distinct bool
}

// SameState reports whether a subscriber has the same card after either change, or has
// deleted the lead after both.
func (c *Change) SameState(other *Change) bool {
	if gone := c.Kind == RemovedKind; gone || other.Kind == RemovedKind {
		return gone && other.Kind == RemovedKind
	}
	return bytes.Equal(c.Lead, other.Lead) || SameCard(c.Lead, other.Lead)
}

// SameCard reports whether two cards, as portals sent them, are equal in canonical form. It
// is false where one of them cannot be read.
func SameCard(a, b json.RawMessage) bool {
	one, err := Parse(a)
	if err != nil {
		return false
	}
	two, err := Parse(b)
	return err == nil && one.Hash() == two.Hash()
}
