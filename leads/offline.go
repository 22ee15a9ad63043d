package leads

import "time"

// EventDeleted is Bitrix24's event of a deletion. After it, one answer "Not found" proves
// that the lead was deleted.
const EventDeleted = "ONCRMLEADDELETE"

// OfflineEvent is one event in a portal's queue of offline events. When the same event of
// the same lead happens again, the portal only updates At, so the queue has at most one
// for each lead and event. Source: docs/bitrix24.md 2.6.
type OfflineEvent struct {
	LeadID int64
	Event  string    // Bitrix24's name, such as ONCRMLEADUPDATE
	At     time.Time // when it happened last, by the portal's clock, in whole seconds
}

// OfflineBatch is the result of one read of that queue.
type OfflineBatch struct {
	// Process is the id under which the portal reserves the events until they are cleared;
	// "" where this read has removed them from the queue.
	Process  string
	Messages []string // MESSAGE_ID of every event, including events of other objects than leads
	Events   []OfflineEvent
	At       time.Time // of the answer, by the portal's clock; zero where unknown
}
