package leads

import (
	"fmt"
	"strconv"
	"strings"
)

// MaxID is the largest lead id: the mirror's column sql_ID is a 32-bit int.
const MaxID = 1<<31 - 1

// Ref names one lead of one portal.
type Ref struct {
	MemberID string // the portal's member_id, which survives renaming
	LeadID   int64  // 1..MaxID
}

// String returns member_id/lead_id, the form of errors and logs.
func (r Ref) String() string { return r.MemberID + "/" + strconv.FormatInt(r.LeadID, 10) }

// PortalID parses a lead id as portals and relays may write it: as ParseID wants it, with blanks
// around it, or as a fraction of nothing.
func PortalID(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if strings.HasSuffix(s, ".") {
		return ParseID(s)
	}
	return ParseID(wholeNumberText(s))
}

// ParseID parses a lead id as people write it, and as Bitrix24 documents it: a decimal number from 1
// to MaxID.
func ParseID(s string) (int64, error) {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id < 1 || id > MaxID || s[0] == '+' {
		return 0, fmt.Errorf("lead id: not a whole number in range, want 1 to %d", MaxID)
	}
	return id, nil
}

// CanonicalMemberID is how a member_id is stored, compared and written into NATS subjects: in
// lower case, as Bitrix24 sends it. Forms and proxies may carry it in capitals.
func CanonicalMemberID(s string) string { return strings.ToLower(s) }

// ValidMemberID reports whether s can be a member_id: 1 to 64 ASCII letters and digits, so
// that it fits into one token of a NATS subject. Bitrix24 itself sends 32 hex digits.
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
