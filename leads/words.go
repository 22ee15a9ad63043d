package leads

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Noun is a regular noun as it stands behind a number: "lead" or "leads".
func Noun(n int64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// Amount is a number with its noun: "1 lead", "2 leads".
func Amount(n int64, noun string) string { return fmt.Sprintf("%d %s", n, Noun(n, noun)) }

// WallTime is a time as clocks here show it; "-" where it is unknown.
func WallTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}

// OneLine is a text from Bitrix24, as part of a line in a terminal: it neither breaks the line nor has characters that terminals
// obey, nor marks of direction, which would show the rest of the line in another order.
func OneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// Hosts are the host names of portals by their member_id: people know a portal by its host.
type Hosts map[string]string

// HostsOf are the hosts of these portals.
func HostsOf(portals []Portal) Hosts {
	h := Hosts{}
	for _, p := range portals {
		h[p.MemberID] = p.Domain
	}
	return h
}

// Of is a portal's host; its member_id where the host is not known.
func (h Hosts) Of(memberID string) string { return cmp.Or(h[memberID], memberID) }
