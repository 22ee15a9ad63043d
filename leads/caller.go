package leads

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Caller is a lead with a given telephone number, as the call centre receives it. The JSON
// names are a contract.
type Caller struct {
	Rank          int       `json:"rank,omitempty"` // 1 is the newest open lead of the number
	MemberID      string    `json:"member_id"`
	LeadID        int64     `json:"lead_id"`
	Title         string    `json:"title"`
	Name          string    `json:"name"` // last, first and second
	Company       string    `json:"company"`
	ResponsibleID string    `json:"responsible_id"` // id of a user of the portal
	StatusID      string    `json:"status_id"`
	Open          bool      `json:"open"`                // neither converted nor junk
	Digits        string    `json:"digits10,omitempty"`  // the number's key, see Phone.Digits
	E164          string    `json:"e164,omitempty"`      // the number as +79123456789; "" where it is not valid
	Extension     string    `json:"extension,omitempty"` // digits to dial afterwards
	CreatedAt     time.Time `json:"created_at,omitzero"`
	ModifiedAt    time.Time `json:"modified_at,omitzero"` // by the portal's clock
	ReadAt        time.Time `json:"read_at,omitzero"`     // when we read the row's content from the portal
	// CardURL is the address of the lead's page in the portal; "" where the portal's domain is unknown.
	CardURL string `json:"card_url"`
}

// Card is one lead with everything that the portal returned.
type Card struct {
	Caller

	Revision  int64           `json:"revision"`
	DeletedAt time.Time       `json:"deleted_at,omitzero"` // zero where the lead exists
	Lead      json.RawMessage `json:"lead"`                // as the portal sent it
}

// Answer is the response to a lookup of a number.
type Answer struct {
	Count int      `json:"count"`
	Leads []Caller `json:"leads"`
}

// NewAnswer wraps the leads found; without any, Leads is an empty list, not null.
func NewAnswer(found []Caller) Answer {
	return Answer{Count: len(found), Leads: append([]Caller{}, found...)}
}

// WriteText writes a table, as people read it. That nobody has a number is an answer, too.
func (a Answer) WriteText(out io.Writer) error {
	if a.Count == 0 {
		_, err := fmt.Fprintln(out, "no lead has this number")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "RANK\tLEAD\tSTATE\tNAME\tCOMPANY\tTITLE\tRESPONSIBLE\tREAD\tCARD")
	for _, c := range a.Leads {
		state := "open"
		if !c.Open {
			state = "closed"
		}
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Rank, c.LeadID, state, OneLine(c.Name), OneLine(c.Company), OneLine(c.Title), c.ResponsibleID, WallTime(c.ReadAt), c.CardURL)
	}
	return w.Flush()
}
