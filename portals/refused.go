package portals

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Refusal is what was refused lately; several with the same reason and portal are one.
type Refusal struct {
	At       time.Time // of the last
	Count    int64
	MemberID string // as the sender says, in lower case
	Host     string // of the portal, where it is known, else as the sender says; "" where it says none
	Reason   Reason
	Err      string // what led to the reason; "" where nothing failed. It contains no token
}

const (
	// refusalsKept is how many refusals of a reason are kept: anybody can cause them, and must not
	// push out those for another reason.
	refusalsKept = 10
	// refusalText is how long a text in one may be, in bytes.
	refusalText = 300
)

// newest are the newest refusals, the newest first.
type newest struct {
	mu   sync.Mutex
	list []Refusal
}

func (n *newest) add(d Decision, now time.Time) {
	one := Refusal{At: now, Count: 1, MemberID: short(d.MemberID), Host: short(d.Domain), Reason: d.Reason}
	if d.Err != nil {
		one.Err = short(d.Err.Error())
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	same := func(other Refusal) bool { return other.Reason == one.Reason && other.MemberID == one.MemberID }
	if i := slices.IndexFunc(n.list, same); i >= 0 {
		one.Count += n.list[i].Count
		n.list = slices.Delete(n.list, i, i+1)
	}
	n.list = slices.Insert(n.list, 0, one)
	left := refusalsKept
	n.list = slices.DeleteFunc(n.list, func(other Refusal) bool { // the oldest come last
		if other.Reason == one.Reason {
			left--
		}
		return left < 0 && other.Reason == one.Reason
	})
}

// short cuts what strangers may have chosen.
func short(text string) string {
	if len(text) > refusalText {
		text = strings.ToValidUTF8(text[:refusalText], "") + "…"
	}
	return text
}

// Refusals are what was refused since the process started, the newest first.
func (t *tally) Refusals() []Refusal {
	t.newest.mu.Lock()
	defer t.newest.mu.Unlock()
	return slices.Clone(t.newest.list)
}
