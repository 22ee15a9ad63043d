package reconcile_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/reconcile"
	"leadsync/repo"
)

// parkedInSQL knows given-up leads from the mirror, without dead letters.
type parkedInSQL struct{ db *repo.DB }

func (p parkedInSQL) Parked(ctx context.Context, memberID string) ([]leads.Failing, error) {
	failing, err := p.db.Failing(ctx, memberID)
	return slices.DeleteFunc(failing, func(f leads.Failing) bool { return !f.Parked() }), err
}

func (p parkedInSQL) Forget(ctx context.Context, memberID string, parked []leads.Failing) error {
	var ids []int64
	for _, f := range parked {
		ids = append(ids, f.LeadID)
	}
	return p.db.ForgetFailures(ctx, memberID, ids)
}

// park notes that a lead was given up, or will be tried again.
func (h *harness) park(again bool, ids ...int64) {
	h.t.Helper()
	for _, id := range ids {
		_, err := h.db.CountFailure(h.t.Context(), leads.Ref{MemberID: h.member(), LeadID: id}, "ONCRMLEADUPDATE", "refused", func(int) time.Time {
			if again {
				return h.clock.Now().Add(time.Hour)
			}
			return time.Time{}
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// A lead that was given up is forgotten by the first pass that finds it right or gone, and
// by none that proves neither.
func TestPassesForgetGivenUpLeads(t *testing.T) {
	for _, test := range []struct {
		mode leads.RunMode
		dry  bool
		keep []string // which leads stay given up
	}{
		{leads.RunFull, false, []string{"unusable", "refused", "absent once", "to be tried again"}},
		{leads.RunFull, true, []string{"right", "stale", "missed", "tombstone", "never seen", "unusable", "refused", "absent once", "to be tried again"}},
		{leads.RunChanged, false, []string{"right", "missed", "tombstone", "never seen", "unusable", "refused", "absent once", "to be tried again"}},
		{leads.RunIDs, false, []string{"right", "stale", "unusable", "refused", "absent once", "to be tried again"}},
	} {
		name := string(test.mode)
		if test.dry {
			name += " dry"
		}
		t.Run(name, func(t *testing.T) {
			h := imported(t, 120)
			ids := h.ids()
			lead := map[string]int64{
				"right": ids[3], "stale": ids[5], "missed": ids[60], "tombstone": ids[70], "never seen": ids[119] + 1, "unusable": ids[80], "refused": ids[81],
				"absent once": ids[90], "to be tried again": ids[91],
			}
			for name, id := range lead {
				h.park(name == "to be tried again", id)
			}
			h.removeRow(lead["missed"])
			h.exec("UPDATE bitrix_leads SET deleted_at = '2026-11-01T00:00:00Z' WHERE sql_ID = ?", lead["tombstone"])
			h.deleteInPortal(lead["tombstone"], lead["absent once"])
			h.editInPortal(lead["stale"], "edited")
			h.editInPortal(lead["refused"], "poison")
			h.exec("CREATE TRIGGER poison BEFORE UPDATE ON bitrix_leads WHEN NEW.sql_ID = " + strconv.FormatInt(lead["refused"], 10) + " BEGIN SELECT RAISE(ABORT, 'poison'); END")
			h.unusable = map[int64]error{lead["unusable"]: errors.New("the answer is empty")}
			h.advanceHours(1)
			cfg := h.config()
			cfg.Parked = parkedInSQL{h.db}
			run, err := reconcile.Run(t.Context(), cfg, h.request(leads.Run{Mode: test.mode, DryRun: test.dry}))
			if err != nil || run.State != leads.RunCompleted {
				t.Fatalf("%s: %s, %v", run.State, run.Error, err)
			}
			failing, err := h.db.Failing(t.Context(), h.member())
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, f := range failing {
				for name, id := range lead {
					if id == f.LeadID {
						kept = append(kept, name)
					}
				}
			}
			slices.Sort(kept)
			slices.Sort(test.keep)
			if !slices.Equal(kept, test.keep) {
				t.Errorf("still given up: %v, want %v", kept, test.keep)
			}
		})
	}
}
