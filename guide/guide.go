// Package guide leads from an error, a log line or a component that fails to the heading of
// docs/trouble.md that says what a person does about it, and finds the pages on this machine. It knows nothing of what fails.
package guide

import (
	"errors"
	"strings"
)

// Heading is a heading of docs/trouble.md: the part of its address behind "#".
type Heading string

// The headings that something leads to.
const (
	Settings         Heading = "a-setting-is-refused"
	Port             Heading = "a-port-is-taken"
	DataDirectory    Heading = "the-data-directory-cannot-be-used"
	Exposed          Heading = "others-can-read-settings-or-data"
	NoKey            Heading = "there-is-no-encryption-key"
	Key              Heading = "stored-tokens-cannot-be-read"
	Clock            Heading = "the-clock-is-wrong"
	Nightly          Heading = "the-nightly-pass-is-off-or-at-a-wrong-time"
	PublicAddress    Heading = "bitrix24-cannot-reach-leadsync"
	Silence          Heading = "no-callbacks-come"
	Refused          Heading = "callbacks-are-refused"
	LogIn            Heading = "a-log-in-is-refused"
	Installation     Heading = "an-installation-was-lost"
	Client           Heading = "the-client-id-or-secret-is-missing-or-wrong"
	Bindings         Heading = "events-are-not-bound"
	Portals          Heading = "portals"
	NoPortal         Heading = "no-portal-is-connected"
	PortalDown       Heading = "a-portal-does-not-answer-or-leads-are-late"
	Permission       Heading = "a-permission-is-missing"
	Unserved         Heading = "no-process-serves-a-portal"
	Authorization    Heading = "a-portal-needs-authorization"
	SimpleCRM        Heading = "the-portal-is-in-simple-crm-mode"
	SolutionField    Heading = "the-solution-field-does-not-exist"
	Database         Heading = "the-database"
	DatabaseDown     Heading = "the-database-does-not-answer"
	DatabaseHealth   Heading = "the-database-needs-attention"
	Rights           Heading = "the-login-lacks-a-right"
	Migrate          Heading = "the-tables-are-not-up-to-date"
	Preflight        Heading = "leadsync-migrate-stops"
	Unclaimed        Heading = "adopted-leads-belong-to-no-portal"
	Lock             Heading = "a-transaction-waits-for-a-lock"
	Refill           Heading = "tables-could-not-be-refilled"
	DatabaseLost     Heading = "the-database-was-lost-or-you-restored-a-backup"
	NATS             Heading = "nats"
	NATSDown         Heading = "nats-does-not-answer"
	Copies           Heading = "streams-have-too-few-copies"
	NATSLogIn        Heading = "nats-refuses-leadsync"
	Stream           Heading = "a-stream-is-in-the-way"
	Outbox           Heading = "changes-are-not-announced"
	Spool            Heading = "callbacks-wait-in-the-spool"
	Disk             Heading = "the-disk-is-full"
	Segment          Heading = "a-spool-segment-is-damaged"
	Journal          Heading = "the-journal-cannot-be-written"
	Deletions        Heading = "a-pass-stopped-deletions"
	Lead             Heading = "leadsync-cannot-store-a-lead"
	Alarms           Heading = "alarms-are-not-delivered"
	OperatorsAddress Heading = "the-operators-address-is-open"
)

const troublePage = "docs/trouble.md"

// String is where people find the heading on this machine; "" is none.
func (h Heading) String() string {
	if h == "" {
		return ""
	}
	return Page(troublePage + "#" + string(h))
}

// explained is an error that a person has to act on.
type explained interface {
	error
	Heading() Heading
}

type located struct {
	error

	heading Heading
}

// At says which heading explains an error; nil stays nil.
func At(h Heading, err error) error {
	if err == nil {
		return nil
	}
	return located{err, h}
}

// Heading is where the error is explained.
func (l located) Heading() Heading { return l.heading }

func (l located) Unwrap() error { return l.error }

// Of is the heading that explains an error, by the outermost that has a method Heading; "" where none has.
func Of(err error) Heading {
	if e, ok := errors.AsType[explained](err); ok {
		return e.Heading()
	}
	return ""
}

// components are what /readyz and the alarms name.
var components = map[string]Heading{
	"nats": NATS, "spool": Spool, "database": Database, "outbox": Outbox, "adopted leads": Unclaimed,
}

// OfComponent is the heading for a component that /readyz and alarms name; "" where there is none.
func OfComponent(name string) Heading {
	switch {
	case strings.HasPrefix(name, "portal "):
		return Portals
	case strings.HasPrefix(name, "callbacks of "):
		return Silence
	}
	return components[name]
}

// Explained adds to the reasons of failing components where people read what to do.
func Explained(problems map[string]string) map[string]string {
	explained := make(map[string]string, len(problems))
	for name, reason := range problems {
		if h := OfComponent(name); h != "" {
			reason += " (see " + h.String() + ")"
		}
		explained[name] = reason
	}
	return explained
}
