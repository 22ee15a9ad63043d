package owner_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
)

// Before the first import is completed, a database that was lost is filled from the topic. One that was not is left alone:
// reading a topic of a million leads at each take-over keeps new leads waiting.
func TestATakeOverReadsTheTopicOnlyForALostDatabase(t *testing.T) {
	const count = 5
	for name, test := range map[string]struct{ has, want []int64 }{
		"lost":                  {nil, []int64{1, 2, 3, 4, 5}},
		"lost, cut off":         {[]int64{1, 2, 3}, []int64{1, 2, 3, 4, 5}},
		"it has what came last": {[]int64{5}, []int64{5}},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, 0)
			topic, err := events.OpenTopic(t.Context(), h.bus)
			if err != nil {
				t.Fatal(err)
			}
			changes := make([]leads.Change, count+1)
			for id := range int64(count) {
				changes[id+1] = leads.Change{
					MemberID: h.record.MemberID, LeadID: id + 1, Kind: leads.Added, Revision: 3, ReadAt: time.Now(), Cause: leads.CauseEvent,
					Lead: json.RawMessage(fmt.Sprintf(`{"ID":"%d","TITLE":"t"}`, id+1)),
				}
				if _, err := topic.Publish(t.Context(), changes[id+1]); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range test.has {
				if _, err := h.db.RestoreFromTopic(t.Context(), changes[id:id+1]); err != nil {
					t.Fatal(err)
				}
			}
			h.work(h.config())
			h.until("the work has begun", func() bool {
				stream, err := h.bus.Stream(t.Context(), events.StreamNotices)
				if err != nil {
					return false
				}
				_, err = stream.Consumer(t.Context(), "notices-"+h.record.MemberID)
				return err == nil
			})
			rows, err := h.db.Range(t.Context(), h.record.MemberID, 0, leads.MaxID, 10)
			if err != nil || len(rows) != len(test.want) {
				t.Fatalf("%d rows, want %d: %v", len(rows), len(test.want), err)
			}
			for i, row := range rows {
				if row.LeadID != test.want[i] || row.Revision != 3 {
					t.Errorf("lead %d at revision %d, want %d at 3", row.LeadID, row.Revision, test.want[i])
				}
			}
		})
	}
}
