package portals

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"leadsync/leads"
)

const (
	// recentMost is how many hosts are remembered that were refused.
	recentMost = 20
	// hostMost and whyMost bound what strangers write, in characters.
	hostMost = 100
	whyMost  = 400
)

// Refusal is the last time that somebody who said to be a portal was refused. Host is what the
// sender said, which anybody can invent.
type Refusal struct {
	Host string
	Why  string // with what a person can do about it
	At   time.Time
}

// recent remembers the last refusals, one for each host: a stranger can push out older ones, and
// do no more.
type recent struct {
	mu   sync.Mutex
	list []Refusal // the newest first
}

func (l *recent) add(one Refusal) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(one.Host)
	l.list = slices.Insert(l.list, 0, one)
	l.list = l.list[:min(len(l.list), recentMost)]
}

// forget drops what is over. mu is held.
func (l *recent) forget(host string) {
	l.list = slices.DeleteFunc(l.list, func(r Refusal) bool { return r.Host == host })
}

// over notes that a portal came in.
func (l *recent) over(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget(bounded(host, hostMost))
}

// Refusals are the portals that were refused last, the newest first.
func (r *Registry) Refusals() []Refusal {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	return slices.Clone(r.recent.list)
}

// decided remembers a decision about somebody who said to come from a host, and returns it. What
// cannot be decided now is refused by nobody.
func (r *Registry) decided(d Decision, host string) Decision {
	if d.Reason == Accepted || d.Reason == Unavailable {
		return d
	}
	why := strings.ReplaceAll(d.Reason.String(), "_", " ")
	if d.Err != nil {
		why += ": " + d.Err.Error()
	}
	if hint := hints[d.Reason]; hint != "" {
		why += "; " + hint
	}
	r.recent.add(Refusal{bounded(cmp.Or(strings.ToLower(host), d.Domain, leads.CanonicalMemberID(d.MemberID), "?"), hostMost), bounded(why, whyMost), r.cfg.Now()})
	return d
}

// bounded is a text that people can read, whoever wrote it.
func bounded(text string, most int) string {
	text = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, " "))
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most-1]) + "…"
	}
	return text
}
