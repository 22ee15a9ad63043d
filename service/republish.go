package service

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
)

// Republished is what was announced again.
type Republished struct {
	Portals []RepublishedPortal `json:"portals"`
}

// RepublishedPortal is what was announced again of a portal.
type RepublishedPortal struct {
	Portal string `json:"portal"`
	consumers.Republished
}

// WriteText writes a line for each portal.
func (r Republished) WriteText(out io.Writer) error {
	if len(r.Portals) == 0 {
		_, err := fmt.Fprintln(out, "no portal is connected yet: there is nothing to announce")
		return err
	}
	for _, p := range r.Portals {
		if _, err := fmt.Fprintf(out, "%s  %s compared, %d announced, %d raised above the topic, %d found on the topic alone\n",
			p.Portal, leads.Amount(int64(p.Rows), "row"), p.Announced, p.Raised, p.Restored); err != nil {
			return err
		}
	}
	return nil
}

// Republish makes topic and rows of the portals agree, all or the one of that name, and returns when all that
// differs is announced: by the service's relay where one runs, else by its own.
func (b *Backend) Republish(ctx context.Context, name string, wait *Waiting) (Republished, error) {
	report := Republished{Portals: []RepublishedPortal{}}
	only, err := MemberOf(ctx, b.DB, name)
	if err != nil {
		return report, err
	}
	topic, err := events.OpenTopic(ctx, b.NATS.Bus())
	if err != nil {
		return report, err
	}
	portals, err := b.DB.Portals(ctx)
	if err != nil {
		return report, err
	}
	for _, p := range portals {
		if only != "" && p.MemberID != only {
			continue
		}
		wait.Begin("Comparing the rows of " + p.Domain + " with the topic")
		done, err := consumers.Republish(ctx, b.DB, topic, p.MemberID, func(rows int) {
			wait.Update(fmt.Sprintf("Comparing the rows of %s with the topic: %s", p.Domain, leads.Amount(int64(rows), "row")))
		})
		if err != nil {
			return report, fmt.Errorf("republish %s: %w", p.MemberID, err)
		}
		report.Portals = append(report.Portals, RepublishedPortal{p.MemberID, done})
		if done.Restored == 0 {
			continue
		}
		// Were they deleted meanwhile? The portal's owner asks, now or when there is one.
		if _, err := b.DB.RequestRun(ctx, leads.Run{MemberID: p.MemberID, Mode: leads.RunIDs}); err != nil {
			return report, err
		}
	}
	if only != "" && len(report.Portals) == 0 {
		return report, fmt.Errorf("portal %s is not known", only)
	}
	wait.Begin("Publishing what differs")
	return report, b.relayAll(ctx, topic)
}

// relayAll returns when the outbox is empty.
func (b *Backend) relayAll(ctx context.Context, topic *events.Topic) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	relay := &consumers.Relay{Bus: b.NATS.Bus(), Outbox: b.DB, Topic: topic, Holder: b.Holder, Stats: &consumers.Stats{}, Log: b.Log}
	group, working := errgroup.WithContext(working)
	group.Go(func() error { return relay.Run(working) })
	group.Go(func() error {
		defer stop()
		for {
			left, err := b.DB.OutboxDepth(working)
			if err != nil || left == 0 {
				return err
			}
			if err := retry.Wait(working, 100*time.Millisecond); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}
