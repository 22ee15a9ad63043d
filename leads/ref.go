package leads

import (
	"fmt"
	"strconv"
)

// MaxID is the largest lead id: the mirror's sql_ID is an int, as in the seed.
const MaxID = 1<<31 - 1

// Ref names one lead of one portal.
type Ref struct {
	MemberID string // the portal's member_id, which survives renaming
	LeadID   int64  // 1..MaxID
}

// String is member_id/lead_id, as errors and logs name a lead.
func (r Ref) String() string { return r.MemberID + "/" + strconv.FormatInt(r.LeadID, 10) }

// ParseID reads a lead id as callbacks and portals write it: a decimal string
// from 1 to MaxID.
func ParseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 || id > MaxID || s[0] == '+' {
		return 0, fmt.Errorf("lead id must be a whole number from 1 to %d", MaxID)
	}
	return id, nil
}

// ValidMemberID tells whether s can be a member_id. Bitrix24 sends 32 hex digits;
// any run of ASCII letters and digits up to 64 is accepted, which is also what fits
// into one token of a NATS subject.
func ValidMemberID(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
