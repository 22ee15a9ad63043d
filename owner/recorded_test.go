package owner_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"leadsync/journal"
	"leadsync/leads"
	"leadsync/owner"
)

// moody is a database that may be down.
type moody struct {
	owner.Evidence
	owner.MirrorStatus
	err error
}

func (m *moody) AddIncident(context.Context, leads.Incident) error { return m.err }

func (m *moody) SaveMirrorStatus(context.Context, int64, leads.MirrorStatus, time.Time) error {
	return m.err
}

// What the database did not take is tried again: the journal has it once, when the database took it.
func TestOnlyWhatIsStoredIsRecorded(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(journal.Config{Dir: dir, Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	db := &moody{err: errors.New("down")}
	at := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	m := owner.Recorded(owner.Mirror{Evidence: db, Status: db}, j, func() time.Time { return at })
	kinds := func() (kinds []journal.Kind) {
		_ = m.Evidence.AddIncident(t.Context(), leads.Incident{MemberID: "m", Kind: leads.IncidentDown, From: at, To: at})
		_ = m.Status.SaveMirrorStatus(t.Context(), 1, leads.MirrorStatus{MemberID: "m", State: leads.MirrorBehind}, time.Time{})
		j.Flush()
		r, err := journal.Look(t.Context(), dir, journal.Query{MemberID: "m", LeadID: 17, To: at.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Entries {
			kinds = append(kinds, e.Kind)
		}
		return kinds
	}
	if got := kinds(); len(got) > 0 {
		t.Errorf("while the database is down: %v, want nothing", got)
	}
	db.err = nil
	if got, want := kinds(), []journal.Kind{journal.Outage, journal.Status}; !slices.Equal(got, want) {
		t.Errorf("once it answers: %v, want %v", got, want)
	}
}
