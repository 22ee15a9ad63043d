package leads

import (
	"encoding/json"
	"time"
)

// Caller is a lead that a telephone number belongs to, as the call centre sees it.
type Caller struct {
	Rank          int       `json:"rank,omitempty"` // 1 is the newest open lead of the number
	MemberID      string    `json:"member_id"`
	LeadID        int64     `json:"lead_id"`
	Title         string    `json:"title"`
	Name          string    `json:"name"` // last, first and second
	Company       string    `json:"company"`
	ResponsibleID string    `json:"responsible_id"` // a user of the portal
	StatusID      string    `json:"status_id"`
	Open          bool      `json:"open"`                // neither converted nor junk
	Digits        string    `json:"digits10,omitempty"`  // of the number
	E164          string    `json:"e164,omitempty"`      // of the number, where it is valid
	Extension     string    `json:"extension,omitempty"` // that stands beside the number
	CreatedAt     time.Time `json:"created_at,omitzero"`
	ModifiedAt    time.Time `json:"modified_at,omitzero"` // by the portal's clock
	ReadAt        time.Time `json:"read_at,omitzero"`     // when the portal showed what the row holds
	// CardURL is the lead's page in the portal; "" where the portal's address is unknown.
	CardURL string `json:"card_url"`
}

// Card is one lead with all that the portal shows of it.
type Card struct {
	Caller

	Revision  int64           `json:"revision"`
	DeletedAt time.Time       `json:"deleted_at,omitzero"`
	Lead      json.RawMessage `json:"lead"` // as the portal sent it
}

// Answer is what the call centre is told of a number.
type Answer struct {
	Count int      `json:"count"`
	Leads []Caller `json:"leads"`
}

// NewAnswer counts; none is an empty list.
func NewAnswer(found []Caller) Answer {
	return Answer{Count: len(found), Leads: append([]Caller{}, found...)}
}
