package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/consumers"
	"leadsync/events"
	"leadsync/leads"
)

// republishCmd makes the topic of leads say what the tables say.
type republishCmd struct {
	Portal string `help:"Only this portal, by its member_id."`
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
func (r republishCmd) Run(ctx context.Context, a *app) (err error) {
	if r.Portal != "" && !leads.ValidMemberID(r.Portal) {
		return usageError{errors.New("--portal takes a member_id, as Bitrix24 sends it")}
	}
	b, err := a.join(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	report, err := b.republish(ctx, r.Portal)
	if err != nil {
		return err
	}
	if r.JSON {
		return json.NewEncoder(a.stdout).Encode(report)
	}
	for _, p := range report.Portals {
		if _, err := fmt.Fprintf(a.stdout, "%s  %d rows compared, %d announced, %d raised above the topic, %d found on the topic alone\n",
			p.Portal, p.Rows, p.Announced, p.Raised, p.Restored); err != nil {
			return err
		}
	}
	return nil
}

// republish levels the portals, all or one, and empties the outbox: by the service's
// relay where one runs, else by its own.
func (b *base) republish(ctx context.Context, only string) (republishReport, error) {
	report := republishReport{Portals: []republishView{}}
	topic, err := events.OpenTopic(ctx, b.js)
	if err != nil {
		return report, err
	}
	portals, err := b.db.Portals(ctx)
	if err != nil {
		return report, err
	}
	for _, p := range portals {
		if only != "" && p.MemberID != only {
			continue
		}
		done, err := consumers.Republish(ctx, b.db, topic, p.MemberID)
		if err != nil {
			return report, fmt.Errorf("republish %s: %w", p.MemberID, err)
		}
		report.Portals = append(report.Portals, republishView{p.MemberID, done})
		if done.Restored == 0 {
			continue
		}
		// Were they deleted meanwhile? The portal's owner asks, now or when there is one.
		if _, err := b.db.RequestRun(ctx, leads.Run{MemberID: p.MemberID, Mode: leads.RunIDs}); err != nil {
			return report, err
		}
	}
	if only != "" && len(report.Portals) == 0 {
		return report, fmt.Errorf("portal %s is not known", only)
	}
	return report, b.relayAll(ctx, topic)
}

// relayAll returns when the outbox is empty.
func (b *base) relayAll(ctx context.Context, topic *events.Topic) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	relay := &consumers.Relay{JS: b.js, Outbox: b.db, Topic: topic, Holder: b.holder, Stats: &consumers.Stats{}, Log: b.log}
	group, working := errgroup.WithContext(working)
	group.Go(func() error { return relay.Run(working) })
	group.Go(func() error {
		defer stop()
		for {
			left, err := b.db.OutboxDepth(working)
			if err != nil || left == 0 {
				return err
			}
			if err := pauseFor(working, 100*time.Millisecond); err != nil {
				return err
			}
		}
	})
	return group.Wait()
}
