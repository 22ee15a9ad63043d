package service

import (
	"math"
	"time"

	"leadsync/handlers/console"
)

// recentOf is the last minutes of a portal as one point. A minute without callbacks has no sample of
// the portal, so how long the minutes were is known from the others.
func (s *samples) recentOf(memberID string, span time.Duration) console.Point {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, whole := s.now(), sample{}
	for _, one := range s.Fine {
		if time.Unix(one.At, 0).After(now.Add(-span)) {
			whole.Took += one.Took
		}
	}
	for _, one := range s.Portals[memberID] {
		if time.Unix(one.At, 0).After(now.Add(-span)) {
			whole.add(sample{At: one.At, Received: one.Received, Lags: one.Lags})
		}
	}
	p := s.point(now, whole)
	p.Waiting = math.NaN() // that is counted elsewhere
	return p
}

// newsOf are the samples of portals for the time of one: what has been counted since before. A portal
// of which nothing was counted has none.
func newsOf(before, now map[string]sample, one sample) map[string]sample {
	news := map[string]sample{}
	for memberID, is := range now {
		was := before[memberID]
		of := sample{At: one.At, Took: one.Took, Received: is.Received - was.Received, Lags: since(was.Lags, is.Lags)}
		if of.Received > 0 || of.Lags != nil {
			news[memberID] = of
		}
	}
	return news
}

// countedOf is what the process has counted of each portal.
func countedOf(s *Service) map[string]sample {
	counted := map[string]sample{}
	for memberID, n := range s.Portals.Stats.ReceivedOf() {
		counted[memberID] = sample{Received: n}
	}
	_, lags := s.Stats.PortalLags()
	for memberID, of := range lags {
		counted[memberID] = sample{Received: counted[memberID].Received, Lags: of.Counts}
	}
	return counted
}

// since is what was counted after before, by bucket; nil is nothing.
func since(before, now []int64) (more []int64) {
	for i, n := range now {
		if i < len(before) {
			n -= before[i]
		}
		if n > 0 {
			if more == nil {
				more = make([]int64, len(now))
			}
			more[i] = n
		}
	}
	return more
}
