package leads

import "time"

// EventDeleted is Bitrix24's event after which "Not found" needs no second proof.
const EventDeleted = "ONCRMLEADDELETE"

// OfflineEvent is one event of a lead that a portal keeps in a queue of its own. The
// same event of the same lead again only moves At, so there is one for each lead and
// event. Source: docs/bitrix24.md 2.6.
type OfflineEvent struct {
	LeadID int64
	Event  string    // Bitrix24's name of it, ONCRMLEADUPDATE
	At     time.Time // when it happened last, by the portal's clock, whole seconds
}

// OfflineBatch is what one read of that queue brought.
type OfflineBatch struct {
	// Process is under which name the portal keeps the events reserved until they are
	// cleared; "" where it has forgotten them with this read.
	Process  string
	Messages []string // MESSAGE_ID of every event, those included that are of no lead
	Events   []OfflineEvent
	At       time.Time // of the answer, by the portal's clock; zero unknown
}
