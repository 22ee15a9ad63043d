// Package alert tells people of problems: by a webhook and by e-mail, for houses that have no
// monitoring of their own. It knows nothing of what fails, only its name and words for it.
package alert

import (
	"context"
	"fmt"
	"time"
)

// Status is what a message says of its problem.
type Status string

// The statuses.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
	Test     Status = "test" // nothing is wrong: somebody tries whether messages arrive
)

// Message is what a channel sends. Its JSON form is a contract.
type Message struct {
	ID        string     `json:"id"` // of the problem: the message that it is over has the same
	Status    Status     `json:"status"`
	Component string     `json:"component"`     // as in /readyz
	Reason    string     `json:"reason"`        // what is wrong and what to do, in words
	See       string     `json:"see,omitempty"` // where the documentation says more of it
	Since     time.Time  `json:"since"`
	Until     *time.Time `json:"until"` // null while it lasts
	Instance  string     `json:"instance"`
	Version   string     `json:"version"`
	Text      string     `json:"text"` // all of it in a sentence, as chat services show it
}

// Key is the same for each attempt to send the message, so that a receiver can leave out one
// that came twice.
func (m Message) Key() string { return m.ID + "-" + string(m.Status) }

// Subject is the message in a line.
func (m Message) Subject() string {
	switch m.Status {
	case Resolved:
		return fmt.Sprintf("leadsync on %s: resolved: %s", m.Instance, m.Component)
	case Test:
		return fmt.Sprintf("leadsync on %s: test message", m.Instance)
	default:
		return fmt.Sprintf("leadsync on %s: problem: %s", m.Instance, m.Component)
	}
}

func (m Message) sentence() string {
	switch {
	case m.Until != nil:
		return fmt.Sprintf("%s. It lasted from %s to %s: %s", m.Subject(), stamp(m.Since), stamp(*m.Until), m.Reason)
	case m.Status == Test:
		return m.Subject() + ". Nothing is wrong; messages about problems arrive here."
	}
	text := fmt.Sprintf("%s since %s: %s", m.Subject(), stamp(m.Since), m.Reason)
	if m.See != "" {
		text += " (see " + m.See + ")"
	}
	return text
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05 -07:00") }

// Channel is a way to people.
type Channel interface {
	// Name is what settings and logs call it; it has no secret in it.
	Name() string
	// Send returns nil when the receiver has accepted the message.
	Send(ctx context.Context, m Message) error
}
