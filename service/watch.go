package service

import (
	"context"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// watchEvery is how often the service looks at itself for metrics and alarms.
const watchEvery = 10 * time.Second

// watched is what the service saw when it looked at itself last, so that no scrape waits for
// the database.
type watched struct {
	problems map[string]string     // as /readyz reports them
	portals  map[string]portalView // those of this process, by member_id
}

// portalView is what the database says of a portal that this process serves.
type portalView struct {
	pass      leads.Run   // the last full pass that ended; zero where none has
	completed time.Time   // when the last pass of any kind completed; zero where none has
	grant     leads.Grant // the tokens that were refreshed last; zero where a webhook is used
}

// watch looks at the service again and again, until the context ends.
func (s *Service) watch(ctx context.Context) error {
	pause := s.Backend.Config.scaled(watchEvery)
	loop := retry.Loop{Policy: retry.Policy{First: pause, Max: pause}, Interval: pause}
	return loop.Run(ctx, func(ctx context.Context) error {
		seen := &watched{problems: s.problems(ctx), portals: s.views(ctx)}
		if ctx.Err() == nil {
			s.watched.Store(seen)
			s.alarms.Observe(seen.problems)
		}
		return nil
	})
}

// views are the portals of this process. One that the database does not answer for is left out.
func (s *Service) views(ctx context.Context) map[string]portalView {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	views := map[string]portalView{}
	for _, status := range s.statuses() {
		if view, err := s.view(ctx, status.MemberID); err == nil {
			views[status.MemberID] = view
		}
	}
	return views
}

func (s *Service) view(ctx context.Context, memberID string) (v portalView, err error) {
	db := s.Backend.DB
	if v.pass, _, err = db.LastEnded(ctx, memberID); err != nil {
		return v, err
	}
	completed, _, err := db.LastCompleted(ctx, memberID)
	if err != nil {
		return v, err
	}
	v.completed = completed.FinishedAt
	grants, err := db.Grants(ctx, memberID)
	for _, grant := range grants {
		if grant.ExpiresAt.After(v.grant.ExpiresAt) {
			v.grant = grant
		}
	}
	return v, err
}
