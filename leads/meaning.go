package leads

import (
	"errors"
)

// ErrUnavailable says that something leadsync stands on does not answer: the database,
// NATS. It passes without anybody acting here.
var ErrUnavailable = errors.New("database unavailable")

// ErrPortalRefuses says that the portal refuses every call for the same reason, which no
// lead causes: a permission, its plan, its authorization. It passes when a person changes
// that in Bitrix24; until then the error's RetryAfter says when to ask again.
var ErrPortalRefuses = errors.New("portal refuses every call")

// Meaning is what an error asks of the loop that meets it.
type Meaning int

// The meanings.
const (
	CarryOn  Meaning = iota // no error
	TryLater                // the portal, the database or the broker is ill: the same work may pass later
	GiveUp                  // a person or another process has to act first
)

// MeaningOf is the one place that decides what an error of a portal's work means. An
// error that it does not know is tried again: nothing is lost by that.
func MeaningOf(err error) Meaning {
	switch {
	case err == nil:
		return CarryOn
	case errors.Is(err, ErrPortalRefuses): // before ErrStopped: a stopped portal may come back
		return TryLater
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrStopped), errors.Is(err, ErrNotOwner):
		return GiveUp
	case errors.Is(err, ErrUnsettled): // a new ownership can claim the run again
		return GiveUp
	default:
		return TryLater
	}
}

// Final tells errors for retry.Loop that no repetition mends.
func Final(err error) bool { return MeaningOf(err) == GiveUp }
