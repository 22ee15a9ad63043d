package service

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadsync/leads"
)

var (
	buildDesc     = prometheus.NewDesc("leadsync_build_info", "Always 1; its labels say which version of leadsync runs, which Go built it and which kind of database it uses.", []string{"version", "go_version", "database"}, nil)
	readyDesc     = prometheus.NewDesc("leadsync_ready", "1 where /readyz reports no problem, else 0; looked up every ten seconds.", nil, nil)
	problemDesc   = prometheus.NewDesc("leadsync_problem", "1 for each component that /readyz reports a problem of; /readyz and the alarms say what it is and what to do. One stays while leadsync cannot look whether it is over. Components without a problem are not shown.", []string{"component"}, nil)
	heldDesc      = prometheus.NewDesc("leadsync_portal_deletions_held_back", "Leads that are gone from the portal but not marked as deleted, because unusually many disappeared at once. A person must look: leadsync reconcile --max-deletes allows them.", portalLabel, nil)
	completedDesc = prometheus.NewDesc("leadsync_portal_last_pass_timestamp_seconds", "Unix time at which the last pass of any kind completed; its age is time() minus this. Missing before the first.", portalLabel, nil)
	passDesc      = prometheus.NewDesc("leadsync_portal_last_full_pass_timestamp_seconds", "Unix time at which the last full pass (nightly comparison or import) ended. Missing before the first.", portalLabel, nil)
	passOKDesc    = prometheus.NewDesc("leadsync_portal_last_full_pass_success", "1 where the last full pass completed, 0 where it was given up: leadsync reconcile history has the reason.", portalLabel, nil)
	passTookDesc  = prometheus.NewDesc("leadsync_portal_last_full_pass_duration_seconds", "How long the last full pass took.", portalLabel, nil)
	passReadDesc  = prometheus.NewDesc("leadsync_portal_last_full_pass_leads", "Leads that the last full pass compared.", portalLabel, nil)
	foundDesc     = prometheus.NewDesc("leadsync_portal_last_full_pass_differences", "Differences between portal and SQL that the last full pass found, by kind: what events had missed. leadsync reconcile findings lists them. Missing after an import, for which every lead is new.", []string{"member_id", "kind"}, nil)
	tokenDesc     = prometheus.NewDesc("leadsync_portal_access_token_expiry_timestamp_seconds", "Unix time at which the portal's access token expires. It lives an hour and is refreshed when it is used. Missing where a webhook is used.", portalLabel, nil)
	loginDesc     = prometheus.NewDesc("leadsync_portal_login_expiry_timestamp_seconds", "Unix time from which an administrator of the portal would have to log in again, if the tokens were not refreshed until then. Each refresh moves it 180 days ahead. Missing where a webhook is used.", portalLabel, nil)
)

// collectWatched shows what the service saw when it looked at itself last.
func (c collector) collectWatched(out sink) {
	out.gauge(buildDesc, 1, leads.Version(), runtime.Version(), c.s.Backend.DB.Dialect())
	seen := c.s.watched.Load()
	if seen == nil {
		return
	}
	out.gauge(readyDesc, truth(len(seen.problems) == 0))
	for _, problems := range []map[string]string{seen.problems, seen.unknown} {
		for component := range problems {
			out.gauge(problemDesc, 1, component)
		}
	}
	for id, view := range seen.portals {
		view.collect(out, id)
	}
}

func (v portalView) collect(out sink, id string) {
	out.moment(completedDesc, v.completed, id)
	if !v.grant.ExpiresAt.IsZero() {
		out.moment(tokenDesc, v.grant.ExpiresAt, id)
		out.moment(loginDesc, v.grant.DiesAt(), id)
	}
	if v.pass.ID == "" {
		return
	}
	out.moment(passDesc, v.pass.FinishedAt, id)
	out.gauge(passOKDesc, truth(v.pass.State == leads.RunCompleted), id)
	out.gauge(passTookDesc, v.pass.Summary().Seconds, id)
	out.gauge(passReadDesc, float64(v.pass.Scanned), id)
	if v.pass.Mode == leads.RunImport { // every lead is new then
		return
	}
	for kind, n := range map[leads.FindingKind]int64{
		leads.FindingMissed: v.pass.Missed, leads.FindingStale: v.pass.Stale, leads.FindingPhantom: v.pass.Phantom,
		leads.FindingUnreadable: v.pass.Unreadable, leads.FindingUnprocessable: v.pass.Unprocessable,
	} {
		out.gauge(foundDesc, float64(n), id, string(kind))
	}
}

// moment is a gauge of a point in time; a zero one is not shown.
func (c sink) moment(desc *prometheus.Desc, t time.Time, labels ...string) {
	if !t.IsZero() {
		c.gauge(desc, float64(t.UnixMilli())/1000, labels...)
	}
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
