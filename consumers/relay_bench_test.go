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

// BenchmarkRelay moves changes of new leads, then of known ones, from SQLite onto the topic
// of an embedded server that syncs every write. Beside it as many are moved as it was done
// before: each looked up and published by itself, in eight lanes.
func BenchmarkRelay(b *testing.B) {
	const count = 4000 // each way
	for b.Loop() {
		o, tickets := open(b, 2*count), leads.NewTickets(0)
		ids := slices.Sorted(slices.Values(o.ids()))
		for _, kind := range []string{"new", "known"} {
			for _, id := range ids {
				o.edit(id, kind)
			}
			o.write(tickets, ids[:count]...)
			began := time.Now()
			o.relayAlone()
			alone := time.Since(began)
			o.write(tickets, ids[count:]...)
			end := o.stats.Published.Load() + count
			began = time.Now()
			stop := background(b, o.relay(o.db, "one").Run)
			o.until("all is published", func() bool { return o.stats.Published.Load() == end }) // counting the outbox would cost as much
			together := time.Since(began)
			stop()
			b.ReportMetric(count/together.Seconds(), kind+"/s")
			b.ReportMetric(alone.Seconds()/together.Seconds(), kind+"-x-alone")
		}
	}
}

// relayAlone empties the outbox, each change by itself.
func (o *harness) relayAlone() {
	o.t.Helper()
	topic, err := events.OpenTopic(o.t.Context(), o.js)
	if err != nil {
		o.t.Fatal(err)
	}
	const lanes = 8
	for {
		rows, err := o.db.Outbox(o.t.Context(), 500)
		if err != nil {
			o.t.Fatal(err)
		}
		if len(rows) == 0 {
			return
		}
		group, ctx := errgroup.WithContext(context.WithoutCancel(o.t.Context()))
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
			o.t.Fatal(err)
		}
		if err := o.db.DropOutbox(o.t.Context(), ids); err != nil {
			o.t.Fatal(err)
		}
	}
}
