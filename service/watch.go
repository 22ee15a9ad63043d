package service

import (
	"context"
	"strings"
	"time"

	"leadsync/alert"
	"leadsync/leads"
	"leadsync/owner"
	"leadsync/retry"
)

// watchEvery is how often the service looks at itself for metrics and alarms.
const watchEvery = 10 * time.Second

// watched is what the service saw when it looked at itself last, so that no scrape waits for
// the database.
type watched struct {
	problems map[string]string     // as /readyz reports them
	unknown  map[string]string     // those of earlier looks of which nobody knows whether they are over
	portals  map[string]portalView // those of this process, by member_id
}

// viewEvery is how often the database is asked about a portal whose owner has ended no pass since.
const viewEvery = 2 * time.Minute

// portalView is what the database says of a portal that this process serves.
type portalView struct {
	pass      leads.Run   // the last full pass that ended; zero where none has
	completed time.Time   // when the last pass of any kind completed; zero where none has
	grant     leads.Grant // the tokens that were refreshed last; zero where a webhook is used

	epoch, passes int64     // of the owner when that was read
	readAt        time.Time // when that was
}

// watch looks at the service again and again, until the context ends.
func (s *Service) watch(ctx context.Context) error {
	pause := s.Backend.Config.scaled(watchEvery)
	loop := retry.Loop{Policy: retry.Policy{First: pause, Max: pause}, Interval: pause}
	settled := settlement{}
	return loop.Run(ctx, func(ctx context.Context) error {
		found, views := s.ready.look(ctx), s.views(ctx)
		if ctx.Err() == nil {
			unknown := settled.unknown(found, s.Backend.Config.Now())
			s.watched.Store(s.watched.Load().next(found, unknown, views))
			s.alarms.Observe(found.problems, unknown)
		}
		return nil
	})
}

// next is what was seen after w, which is nil before the first look.
func (w *watched) next(found *outlook, unknown func(component string) bool, portals map[string]portalView) *watched {
	seen := &watched{problems: found.problems, unknown: map[string]string{}, portals: portals}
	if w == nil {
		return seen
	}
	for _, earlier := range []map[string]string{w.unknown, w.problems} {
		for component, reason := range earlier {
			if found.problems[component] == "" && unknown(component) {
				seen.unknown[component] = reason
			}
		}
	}
	return seen
}

// settling is how long a process serves a portal, or sees that another one does, before the lack
// of a problem means that there is none: a part is reported after owner.PressingAfter, and the
// three test events after which callbacks count as missing take a minute each.
const settling = owner.PressingAfter + 2*time.Minute

// settlement knows since when portals, by domain, can be judged.
type settlement map[string]served

type served struct {
	ours  bool // by this process
	since time.Time
}

// unknown takes a look, and tells of components without a problem whether nobody knows that they
// have none.
func (m settlement) unknown(found *outlook, now time.Time) func(component string) bool {
	settles := m.follow(found, now)
	return func(component string) bool {
		switch component {
		case componentNATS, componentSpool, componentDatabase:
			return false
		}
		domain, callbacks := strings.CutPrefix(component, ofCallbacks)
		domain, portal := strings.CutPrefix(domain, ofPortal)
		switch _, here := found.portals[domain]; {
		case found.blind:
			return true
		case here && (portal || callbacks):
			return now.Sub(m[domain].since) < settling || found.problems[componentNATS] != "" || callbacks && found.problems[ofPortal+domain] != ""
		case portal || callbacks: // it was removed
			return false
		}
		return component == alert.TheRest && settles
	}
}

// follow notes since when portals can be judged. It tells whether some cannot yet.
func (m settlement) follow(found *outlook, now time.Time) (settles bool) {
	for domain, ours := range found.portals {
		if is, known := m[domain]; !known || is.ours != ours || is.since.After(now) {
			m[domain] = served{ours, now}
		}
		settles = settles || now.Sub(m[domain].since) < settling
	}
	for domain := range m { // all, where the database does not answer: owners may end meanwhile
		if _, here := found.portals[domain]; !here {
			delete(m, domain)
		}
	}
	return settles
}

// views are the portals of this process. One that the database does not answer for is left out.
func (s *Service) views(ctx context.Context) map[string]portalView {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	var known map[string]portalView
	if seen := s.watched.Load(); seen != nil {
		known = seen.portals
	}
	views := map[string]portalView{}
	for _, status := range s.ready.statuses() {
		view, ok := known[status.MemberID]
		if ok && view.epoch == status.Epoch && view.passes == status.Passes && time.Since(view.readAt) < s.Backend.Config.scaled(viewEvery) {
			views[status.MemberID] = view
			continue
		}
		if view, err := s.view(ctx, status.MemberID); err == nil {
			view.epoch, view.passes, view.readAt = status.Epoch, status.Passes, time.Now()
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
