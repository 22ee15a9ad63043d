package service

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/leads"
)

var (
	oddRowsDesc   = prometheus.NewDesc("leadsync_portal_odd_rows_total", "Rows in the portal's answers that leadsync ignored: ids that do not fit, leads that nobody asked for.", portalLabel, nil)
	failingDesc   = prometheus.NewDesc("leadsync_portal_failing_seconds", "How long a part of the work on a portal has been failing. Only parts are shown that fail or did within the last minute; /readyz has the reason.", []string{"member_id", "part"}, nil)
	waitingDesc   = prometheus.NewDesc("leadsync_portal_oldest_notice_seconds", "Age of the oldest callback of a portal whose lead was not read yet. 0 where none waits.", portalLabel, nil)
	ownedDesc     = prometheus.NewDesc("leadsync_portal_owned", "1 for each portal that this process serves. Of several leadsync processes exactly one serves a portal.", portalLabel, nil)
	requestsDesc  = prometheus.NewDesc("leadsync_portal_requests_total", "HTTP requests sent to a portal since this process began to serve it. A batch is one request.", portalLabel, nil)
	levelDesc     = prometheus.NewDesc("leadsync_portal_budget_used_requests", "Requests that fill the portal's rate limit (a leaky bucket) at the moment, as leadsync counts them.", portalLabel, nil)
	depthDesc     = prometheus.NewDesc("leadsync_portal_budget_limit_requests", "Up to how many requests leadsync fills the portal's rate limit; above that its requests wait.", portalLabel, nil)
	shareDesc     = prometheus.NewDesc("leadsync_portal_budget_share_ratio", "Part of the portal's rate limit that leadsync uses. Less than 1 where the portal refused requests within the limit: others call it from the same address.", portalLabel, nil)
	limitedDesc   = prometheus.NewDesc("leadsync_portal_budget_refusals_total", "Requests that the portal refused with QUERY_LIMIT_EXCEEDED although leadsync was within the limit.", portalLabel, nil)
	queuedDesc    = prometheus.NewDesc("leadsync_portal_requests_waiting", "Requests that wait for the rate limit, by lane: live (callbacks) goes before operator (commands), then background (passes).", []string{"member_id", "lane"}, nil)
	operatingDesc = prometheus.NewDesc("leadsync_portal_method_operating_seconds", "Operating time of a REST method within the last ten minutes, as the portal counts it. At a limit of the portal (480 seconds in the documentation) the method is blocked.", methodLabels, nil)
	blockedDesc   = prometheus.NewDesc("leadsync_portal_method_refusals_total", "Times that the portal blocked a REST method because of its operating time (OPERATION_TIME_LIMIT).", methodLabels, nil)
	restedDesc    = prometheus.NewDesc("leadsync_portal_method_pauses_total", "Times that leadsync paused a REST method so that the portal does not block it.", methodLabels, nil)
	offlineDesc   = prometheus.NewDesc("leadsync_portal_offline_events_total", "Events taken from the portal's own queue (event.offline) since this process began to serve the portal.", portalLabel, nil)
	missedDesc    = prometheus.NewDesc("leadsync_portal_callbacks_missed_total", "Changes that only the portal's own queue reported: no callback came for them.", portalLabel, nil)
	ofPortalDesc  = prometheus.NewDesc("leadsync_portal_callbacks_received_total", "Callbacks of a portal that this process accepted, stored and answered with 200. Those that nobody could verify at once are only in leadsync_callbacks_received_total.", portalLabel, nil)
	portalLagDesc = prometheus.NewDesc("leadsync_portal_lag_row_seconds", "Histogram of the time from the arrival of a callback until the lead's row in SQL shows the change, of the rows of a portal that this process has written.", portalLabel, nil)
	silentDesc    = prometheus.NewDesc("leadsync_portal_callbacks_silent", "1 where callbacks or test events do not arrive, so that Bitrix24 may not reach LEADSYNC_PUBLIC_URL; else 0.", portalLabel, nil)
	statesDesc    = prometheus.NewDesc("leadsync_portals", "Portals in the database, by state. Those in needs_authorization are not read until an administrator logs in again.", []string{"state"}, nil)

	portalLabel  = []string{"member_id"}
	methodLabels = []string{"member_id", "method"}
)

// collectPortals shows how the portals of this process stand towards their limits.
func (c collector) collectPortals(out sink) {
	for _, owned := range c.s.ready.statuses() {
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
		out.gauge(silentDesc, truth(owned.Unreachable != ""), id)
		out.gauge(heldDesc, float64(owned.Held), id)
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

// collectPortalWork shows what callbacks of each portal led to in this process.
func (c collector) collectPortalWork(out sink) {
	for memberID, n := range c.s.Portals.Stats.ReceivedOf() {
		out.counter(ofPortalDesc, n, memberID)
	}
	bounds, lags := c.s.Stats.PortalLags()
	for memberID, of := range lags {
		out.histogram(portalLagDesc, bounds, of, memberID)
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
