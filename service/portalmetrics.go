package service

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/leads"
)

var (
	oddRowsDesc   = prometheus.NewDesc("leadsync_portal_odd_rows_total", "Rows that the portal sent and leadsync left out: ids that do not fit, leads that nobody asked for.", portalLabel, nil)
	failingDesc   = prometheus.NewDesc("leadsync_portal_failing_seconds", "How long a part of the work on a portal has been failing; only parts that fail are shown.", []string{"member_id", "part"}, nil)
	waitingDesc   = prometheus.NewDesc("leadsync_portal_oldest_notice_seconds", "How long the oldest notice of a portal's leads has been waiting to be read; 0 where none waits.", portalLabel, nil)
	ownedDesc     = prometheus.NewDesc("leadsync_portal_owned", "1 for each portal that this process owns.", portalLabel, nil)
	requestsDesc  = prometheus.NewDesc("leadsync_portal_requests_total", "HTTP requests sent to a portal, since this process owns it.", portalLabel, nil)
	levelDesc     = prometheus.NewDesc("leadsync_budget_level", "Our requests in the portal's leaky bucket.", portalLabel, nil)
	depthDesc     = prometheus.NewDesc("leadsync_budget_depth", "Requests up to which leadsync fills the bucket.", portalLabel, nil)
	shareDesc     = prometheus.NewDesc("leadsync_budget_share", "Part of our budget that is used: less than 1 while others call from the same address.", portalLabel, nil)
	limitedDesc   = prometheus.NewDesc("leadsync_budget_refusals_total", "QUERY_LIMIT_EXCEEDED although we were within our budget.", portalLabel, nil)
	queuedDesc    = prometheus.NewDesc("leadsync_budget_waiting", "Requests that wait for the budget, by lane.", []string{"member_id", "lane"}, nil)
	operatingDesc = prometheus.NewDesc("leadsync_operating_seconds", "Operating time of a method within ten minutes, as the portal counts it.", methodLabels, nil)
	blockedDesc   = prometheus.NewDesc("leadsync_operating_refusals_total", "OPERATION_TIME_LIMIT: times that the portal blocked a method.", methodLabels, nil)
	restedDesc    = prometheus.NewDesc("leadsync_operating_pauses_total", "Times that a call waited so that a method is not blocked.", methodLabels, nil)
	offlineDesc   = prometheus.NewDesc("leadsync_offline_events_total", "Events of the portal's own queue that were stored, since this process owns it.", portalLabel, nil)
	missedDesc    = prometheus.NewDesc("leadsync_callbacks_missed_total", "Changes reported by the offline queue without a callback.", portalLabel, nil)
	silentDesc    = prometheus.NewDesc("leadsync_callbacks_silent", "1 where test events or callbacks do not come: Bitrix24 may not reach us.", portalLabel, nil)
	statesDesc    = prometheus.NewDesc("leadsync_portals", "Known portals, by state; an administrator must act on needs_authorization.", []string{"state"}, nil)

	portalLabel  = []string{"member_id"}
	methodLabels = []string{"member_id", "method"}
)

// collectPortals shows how the portals of this process stand towards their limits.
func (c collector) collectPortals(out sink) {
	for _, owned := range c.s.statuses() {
		id, client := owned.MemberID, owned.Client
		out.gauge(ownedDesc, 1, id)
		out.counter(requestsDesc, client.Requests, id)
		out.gauge(levelDesc, client.Budget.Level, id)
		out.gauge(depthDesc, client.Budget.Depth, id)
		out.gauge(shareDesc, client.Budget.Share, id)
		out.counter(limitedDesc, client.Budget.Refusals, id)
		out.counter(oddRowsDesc, client.OddRows, id)
		out.counter(offlineDesc, owned.Queued, id)
		out.counter(missedDesc, owned.Missed, id)
		out.gauge(waitingDesc, c.age(owned.Waiting), id)
		for _, problem := range owned.Problems {
			out.gauge(failingDesc, c.age(problem.Since), id, string(problem.Part))
		}
		silent := 0.0
		if owned.Unreachable != "" {
			silent = 1
		}
		out.gauge(silentDesc, silent, id)
		for lane, n := range client.Budget.Waiting {
			out.gauge(queuedDesc, float64(n), id, lane.String())
		}
		for method, m := range client.Methods {
			out.gauge(operatingDesc, m.Used, id, method)
			out.counter(blockedDesc, m.Refused, id, method)
			out.counter(restedDesc, m.Pauses, id, method)
		}
	}
}

// collectStates counts the portals by state, where the database answers.
func (c collector) collectStates(ctx context.Context, out sink) {
	portals, err := c.s.Backend.DB.Portals(ctx)
	if err != nil {
		return
	}
	states := map[leads.PortalState]int{leads.PortalActive: 0, leads.PortalNeedsAuthorization: 0, leads.PortalUninstalled: 0}
	for _, p := range portals {
		states[p.State]++
	}
	for state, n := range states {
		out.gauge(statesDesc, float64(n), string(state))
	}
}
