package consumers_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/events"
	"leadsync/leads"
)

// BenchmarkRelay moves changes of new leads, then of known ones, from SQLite onto the topic of
// an embedded server that syncs every write. For comparison it moves as many changes one by
// one: each looked up and published by itself, in eight lanes.
func BenchmarkRelay(b *testing.B) {
	const count = 4000 // each way
	for b.Loop() {
		h, tickets := open(b, 2*count), leads.NewTickets(0)
		ids := slices.Sorted(slices.Values(h.ids()))
		for _, kind := range []string{"new", "known"} {
			for _, id := range ids {
				h.edit(id, kind)
			}
			h.write(tickets, ids[:count]...)
			began := time.Now()
			h.relayAlone()
			alone := time.Since(began)
			h.write(tickets, ids[count:]...)
			end := h.stats.Published.Load() + count
			began = time.Now()
			stop := background(b, h.relay(h.db, "one").Run)
			h.until("all is published", func() bool { return h.stats.Published.Load() == end }) // counting the outbox would cost as much
			together := time.Since(began)
			stop()
			b.ReportMetric(count/together.Seconds(), kind+"/s")
			b.ReportMetric(alone.Seconds()/together.Seconds(), kind+"-x-alone")
		}
	}
}

// relayAlone empties the outbox, each change by itself.
func (h *harness) relayAlone() {
	h.t.Helper()
	topic, err := events.OpenTopic(h.t.Context(), h.bus)
	if err != nil {
		h.t.Fatal(err)
	}
	const lanes = 8
	for {
		rows, err := h.db.Outbox(h.t.Context(), 500)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(rows) == 0 {
			return
		}
		group, ctx := errgroup.WithContext(context.WithoutCancel(h.t.Context()))
		ids := make([]int64, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		for lane := range int64(lanes) {
			group.Go(func() error {
				for _, row := range rows {
					if row.Change.LeadID%lanes != lane {
						continue
					}
					if _, err := topic.Publish(ctx, row.Change); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			h.t.Fatal(err)
		}
		if err := h.db.DropOutbox(h.t.Context(), ids); err != nil {
			h.t.Fatal(err)
		}
	}
}
