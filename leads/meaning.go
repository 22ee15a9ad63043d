package leads

import (
	"errors"
)

// ErrUnavailable says that the database does not answer. The same work succeeds when the
// database is back; nobody has to act in leadsync.
var ErrUnavailable = errors.New("database unavailable")

// ErrPortalRefuses says that the portal refuses every call for a reason that is no lead's: a
// permission, the tariff, a blocked portal. The same work passes when a person has mended
// that in Bitrix24. Such an error says in words what is wrong and where it is mended.
var ErrPortalRefuses = errors.New("portal refuses all calls")

// ErrMisconfigured says that a setting is missing or wrong: a person has to change it.
var ErrMisconfigured = errors.New("the settings have to be changed")

// Meaning is what an error asks of the loop that meets it.
type Meaning int

// The meanings.
const (
	CarryOn  Meaning = iota // no error
	TryLater                // the portal, the database or the broker is ill: the same work may pass later
	GiveUp                  // a person or another process has to act first
)

// MeaningOf is the one place that decides what an error of a portal's work means. An
// error that it does not know is tried again: nothing is lost by that. So are
// ErrPortalRefuses and ErrStopped: portals are unblocked and paid for without a word to us.
func MeaningOf(err error) Meaning {
	switch {
	case err == nil:
		return CarryOn
	case errors.Is(err, ErrPortalRefuses): // before ErrUnauthorized: what is refused may be given back
		return TryLater
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrNotOwner):
		return GiveUp
	case errors.Is(err, ErrUnsettled): // a new ownership can claim the run again
		return GiveUp
	default:
		return TryLater
	}
}

// Final tells errors for retry.Loop that no repetition mends.
func Final(err error) bool { return MeaningOf(err) == GiveUp }
