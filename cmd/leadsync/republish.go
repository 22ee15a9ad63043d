package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/retry"
	"leadsync/service"
)

// republishCmd makes the topic of leads say what the tables say.
type republishCmd struct {
	Portal string `help:"Only this portal, by its member_id or its domain."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// republishReport is what --json prints.
type republishReport struct {
	Portals []republishView `json:"portals"`
}

type republishView struct {
	Portal string `json:"portal"`
	consumers.Republished
}

// Run compares every row with the topic, beside a running service or without one, and
// returns when all that differs is announced.
func (r republishCmd) Run(ctx context.Context, a *app) error {
	var report republishReport
	err := a.join(ctx, func(b *service.Backend) error {
		only, err := service.MemberOf(ctx, b.DB, r.Portal)
		if err == nil {
			report, err = republish(ctx, b, only, a.wait)
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.JSON {
		return json.NewEncoder(a.stdout).Encode(report)
	}
	if len(report.Portals) == 0 {
		_, err := fmt.Fprintln(a.stdout, "no portal is connected yet: there is nothing to announce")
		return err
	}
	for _, p := range report.Portals {
		if _, err := fmt.Fprintf(a.stdout, "%s  %s compared, %d announced, %d raised above the topic, %d found on the topic alone\n",
			p.Portal, leads.Amount(int64(p.Rows), "row"), p.Announced, p.Raised, p.Restored); err != nil {
			return err
		}
	}
	return nil
}

// republish makes topic and rows of the portals agree, all or one, and empties the outbox: by the service's
// relay where one runs, else by its own.
func republish(ctx context.Context, b *service.Backend, only string, wait *service.Waiting) (republishReport, error) {
	report := republishReport{Portals: []republishView{}}
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
		report.Portals = append(report.Portals, republishView{p.MemberID, done})
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
	return report, relayAll(ctx, b, topic)
}

// relayAll returns when the outbox is empty.
func relayAll(ctx context.Context, b *service.Backend, topic *events.Topic) error {
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
