package repotest

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

// agenda says what there is to do for each active portal, and notes that several are served.
func agenda(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{Grace: time.Minute})
	for _, id := range []string{member, other} {
		m.must(m.SavePortal(m.ctx, leads.Portal{MemberID: id, Domain: id + ".bitrix24.ru", State: leads.PortalActive, UpdatedAt: start}))
	}
	m.raise(other)
	m.wantDue("nothing to do", map[string]leads.Due{member: {}, other: {}})

	id, err := m.RequestRun(m.ctx, leads.Run{MemberID: other, Mode: leads.RunFull})
	m.must(err)
	m.must(m.AddIncident(m.ctx, leads.Incident{Kind: leads.IncidentDown, From: start, To: start}))
	m.apply(present(t, 1, 1, "announced"), present(t, 1, 2, "absent"))
	written := m.clock.Now().UTC().Truncate(time.Millisecond)
	m.wantDue("a pass, an incident, changes", map[string]leads.Due{
		member: {Unannounced: written, Incident: 1}, other: {Pass: true, Incident: 1},
	})

	if run, ok, err := m.ClaimRun(m.ctx, other); err != nil || !ok || run.ID != id {
		t.Errorf("claimed %+v, %v, %v", run, ok, err)
	}
	m.drain()
	m.apply(unseen(2, 2, leads.Absent))
	m.wantDue("the pass runs, the grace period is not over", map[string]leads.Due{member: {Incident: 1}, other: {Incident: 1}})
	m.clock.Advance(2 * time.Minute)
	m.wantDue("a lead is to be asked for again", map[string]leads.Due{member: {Absent: true, Incident: 1}, other: {Incident: 1}})
	m.raise(other)
	m.wantDue("a former owner left the pass", map[string]leads.Due{member: {Absent: true, Incident: 1}, other: {Pass: true, Incident: 1}})

	m.raise(member)
	noted, err := m.BeatAll(m.ctx, []string{other, member})
	m.must(err)
	if slices.Sort(noted); !slices.Equal(noted, slices.Sorted(slices.Values([]string{member, other}))) {
		t.Errorf("noted for %v", noted)
	}
	at := m.clock.Now().UTC().Truncate(time.Millisecond)
	for _, id := range []string{member, other} {
		if last, err := m.Beat(m.ctx, id); err != nil || !last.Equal(at) {
			t.Errorf("the last beat of %s was at %v, %v; want %v", id, last, err, at)
		}
	}
}

func (m *mirror) wantDue(what string, want map[string]leads.Due) {
	m.t.Helper()
	got, err := m.Agenda(m.ctx)
	m.must(err)
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
