package owner_test

import (
	"errors"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
)

func TestLookReadsALeadAndWritesNothing(t *testing.T) {
	h := open(t, 3)
	ids := h.ids()
	owners := owner.NewOwners(h.config())
	if _, err := owners.Look(t.Context(), leads.Ref{MemberID: h.member(), LeadID: ids[0]}); !errors.Is(err, owner.ErrElsewhere) {
		t.Errorf("before the portal is ours: %v", err)
	}
	h.background(owners.Run)
	if _, err := h.db.RequestRun(t.Context(), leads.Run{MemberID: h.member(), Mode: leads.RunImport}); err != nil {
		t.Fatal(err)
	}
	h.until("the import is done", func() bool { return h.written(ids[0]) && h.written(ids[1]) && h.written(ids[2]) })
	if err := h.portal.Edit(ids[0], map[string]any{"TITLE": "Looked at"}); err != nil {
		t.Fatal(err)
	}
	ref := leads.Ref{MemberID: h.member(), LeadID: ids[0]}
	snap, err := owners.Look(t.Context(), ref)
	if err != nil || snap.Ref != ref || snap.Sight != leads.Present || snap.Lead.Value("TITLE") != "Looked at" || snap.ReadAt.IsZero() {
		t.Fatalf("seen %+v, %v", snap, err)
	}
	title := func() string {
		row, _, err := h.db.Row(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := leads.Parse(row.Raw)
		if err != nil {
			t.Fatal(err)
		}
		return stored.Value("TITLE")
	}
	if title() == "Looked at" {
		t.Error("the look has written")
	}
	n := events.Notice{Ref: ref, Event: "ONCRMLEADUPDATE", Cause: leads.CauseReconcile, Force: true}
	if err := events.PublishNotice(t.Context(), h.bus, n); err != nil {
		t.Fatal(err)
	}
	h.until("the notice is worked on", func() bool { return title() == "Looked at" })
	if err := h.portal.Delete(ids[1]); err != nil {
		t.Fatal(err)
	}
	if snap, err := owners.Look(t.Context(), leads.Ref{MemberID: h.member(), LeadID: ids[1]}); err != nil || snap.Sight != leads.Absent {
		t.Errorf("of a lead that is gone: %+v, %v", snap, err)
	}
	if callback, err := h.db.LastCallbacks(t.Context(), h.member(), ids); err != nil || len(callback) > 0 {
		t.Errorf("a repair counts as a callback: %v at %s, %v", callback, time.Now(), err)
	}
}
