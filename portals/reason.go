package portals

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Reason says what became of a callback, an installation or a log-in, and why.
type Reason int

// The reasons. The handlers map each one to an HTTP status and a page.
const (
	Accepted Reason = iota

	// Of callbacks and installations.

	Unparsable    // the body is not a callback
	TooLong       // the body is too long
	UnknownPortal // no portal with this member_id
	WrongToken    // the portal's application_token is another one
	NotVerified   // an installation that the authorization server does not confirm, or that is not wanted
	Unavailable   // the database, NATS or Bitrix24 does not answer
	Starting      // the service has just started and its database is not ready yet
	NotStored     // a genuine callback that could not be stored
	Forged        // taken while the database was down and found to be forged later
	UnknownEvent  // nobody asked for this event

	TokenNotLearnt  // the portal logged in, its application_token is not known yet
	TooMany         // installations that nobody has confirmed come too often
	RobotWebhook    // a robot's or a business process's webhook, which nobody can verify
	ApplicationPage // the portal opened us as an application's page
	UnknownPath     // no address of ours, though below /bitrix24/
	WrongMethod     // an address of ours, called by a wrong HTTP method
	NotAForm        // the body claims to be something else than a form, and no callback is in it
	WrongAddress    // a callback that was posted to another address than that of callbacks

	// Of log-ins.

	NotStarted       // the log-in did not begin here, or not in this browser
	NotAdministrator // the user may do less than the one whose tokens are stored
	BadDomain        // not the address of a portal
	NoApplication    // client id and secret are not configured
	NotServed        // this portal may not log in here
	UntrustedServer  // not one of Bitrix24's authorization servers
	CodeExpired      // the redirect has no code, or one that is no longer valid
	WrongApplication // the authorization server does not know client id or secret
	LoginFailed      // anything else
)

// labels are the reasons' names in the metric leadsync_callbacks_refused_total.
var labels = [...]string{
	Accepted:      "accepted",
	Unparsable:    "unparsable",
	TooLong:       "too_long",
	UnknownPortal: "unknown_portal",
	WrongToken:    "wrong_token",
	NotVerified:   "not_verified",
	Unavailable:   "unavailable",
	Starting:      "unavailable", // one label for the three: the operator's action is the same
	NotStored:     "unavailable",
	Forged:        "forged",
	UnknownEvent:  "unknown_event",

	TokenNotLearnt:  "token_not_learnt",
	TooMany:         "too_many",
	RobotWebhook:    "robot_webhook",
	ApplicationPage: "application_page",
	UnknownPath:     "unknown_path",
	WrongMethod:     "wrong_method",
	NotAForm:        "not_a_form",
	WrongAddress:    "wrong_address",

	NotStarted:       "not_started",
	NotAdministrator: "not_administrator",
	BadDomain:        "bad_domain",
	NoApplication:    "no_application",
	NotServed:        "not_served",
	UntrustedServer:  "untrusted_server",
	CodeExpired:      "code_expired",
	WrongApplication: "wrong_application",
	LoginFailed:      "login_failed",
}

// String is the reason's label in metrics; "" for a number that is not a reason.
func (r Reason) String() string {
	if r < 0 || int(r) >= len(labels) {
		return ""
	}
	return labels[r]
}

// Decision is what the registry answers.
type Decision struct {
	Reason Reason // Accepted, or why not
	// MemberID is what the sender says, in lower case, and Known tells that there is such a
	// portal.
	MemberID string
	Known    bool
	Domain   string // the portal's host, where it is known; of an installation or a log-in else as the sender says
	LeadID   int64  // of a callback; 0 where it names no lead, or is decided on before that is known
	// Verified is false for an accepted callback that nobody could check yet: it must be
	// stored as unverified and go through Registry.Verify before it is used.
	Verified bool
	// Err is what led to the reason, nil where nothing failed. It contains no token.
	Err error
}

// Stats counts the callbacks of this process since it started. The zero value is ready;
// it is safe for concurrent use.
type Stats struct {
	Received atomic.Int64 // stored, and answered 200
	Blind    atomic.Int64 // came while the database could not say which portal sent them

	mu       sync.Mutex
	refused  map[string]int64
	received map[string]int64 // by portal
}

// ReceivedOf returns how many verified callbacks of each portal were received. There are no more
// portals in it than have been connected.
func (s *Stats) ReceivedOf() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.received)
}

// receivedOf counts a verified callback of a portal: what nobody has verified may name any portal.
func (s *Stats) receivedOf(memberID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.received == nil {
		s.received = map[string]int64{}
	}
	s.received[memberID]++
}

// Refused returns the counts of refused and ignored callbacks by Reason.String.
func (s *Stats) Refused() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int64, len(s.refused))
	maps.Copy(counts, s.refused)
	return counts
}

// Count counts one callback: as received where the reason is Accepted, else as refused.
func (s *Stats) Count(reason Reason) {
	if reason == Accepted {
		s.Received.Add(1)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = map[string]int64{}
	}
	s.refused[reason.String()]++
}
