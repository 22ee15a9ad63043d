package reconcile_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// After any edits in the portal, damage to the mirror, faults and crashes, one completed
// full pass makes mirror and portal equal.
func TestCompletedPassLeavesNoDifference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := imported(t, 40)
		h.windowSize = rapid.IntRange(3, 50).Draw(rt, "window size")
		run := leads.Run{State: leads.RunIncomplete}
		rt.Repeat(map[string]func(*rapid.T){
			"edit":   func(rt *rapid.T) { h.editInPortal(h.drawLead(rt), rapid.StringN(1, 5, -1).Draw(rt, "title")) },
			"add":    func(*rapid.T) { h.portal.Add(1) },
			"delete": func(rt *rapid.T) { h.deleteInPortal(h.drawLead(rt)) },
			"hours":  func(*rapid.T) { h.advanceHours(1) },
			"remove": func(rt *rapid.T) { h.removeRow(h.drawLead(rt)) },
			"alter":  func(rt *rapid.T) { h.alterRow(h.drawLead(rt), "TITLE", "altered") },
			"contacts": func(rt *rapid.T) {
				h.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = ?", h.drawLead(rt))
			},
			"sides": func(rt *rapid.T) {
				h.emptySideTable(h.drawLead(rt), rapid.SampledFrom([]string{"leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution"}).Draw(rt, "table"))
			},
			"hash": func(rt *rapid.T) { h.exec("UPDATE bitrix_leads SET row_hash = 'x' WHERE sql_ID = ?", h.drawLead(rt)) },
			"phantom": func(rt *rapid.T) {
				rows := h.rows()
				if len(rows) == 0 {
					return
				}
				for id := range rows {
					h.replaceByPhantom(id, 100_000+int64(rapid.IntRange(1, 20).Draw(rt, "phantom")))
					return
				}
			},
			"hide": func(rt *rapid.T) {
				h.portal.SetFaults(emulator.Faults{Hidden: rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(rt, "hidden")})
			},
			"busy":  func(*rapid.T) { h.portal.SetFaults(emulator.Faults{CommandLimit: 0.1}) },
			"crash": func(rt *rapid.T) { run = h.runOrResume(run, rapid.IntRange(1, 25).Draw(rt, "step")) },
		})
		h.portal.SetFaults(emulator.Faults{})
		run = h.runOrResume(run, 0) // a run that was begun ends first
		if run.State != leads.RunCompleted {
			rt.Fatalf("the pass ended as %s: %s", run.State, run.Error)
		}
		if run = h.pass(leads.Run{Mode: leads.RunFull}); run.Error != "" {
			rt.Fatal(run.Error)
		}
		if difference := h.firstDifference(); difference != "" {
			rt.Fatal(difference)
		}
	})
}

// drawLead draws one of the portal's leads, and adds one where it has none.
func (h *harness) drawLead(rt *rapid.T) int64 {
	ids := h.ids()
	if len(ids) == 0 {
		ids = h.portal.Add(1)
	}
	return rapid.SampledFrom(ids).Draw(rt, "lead")
}

// replaceByPhantom copies a row to an id, unless a live row has it.
func (h *harness) replaceByPhantom(from, id int64) {
	if rows := h.rows(); !slices.Contains(keys(rows), id) {
		h.exec("DELETE FROM bitrix_leads WHERE sql_ID = ?", id)
		h.addPhantom(from, id)
	}
}

func keys(rows map[int64]leads.Row) []int64 {
	var ids []int64
	for id := range rows {
		ids = append(ids, id)
	}
	return ids
}

// runOrResume works on the run, or if that has ended on a new one, until it is killed at a
// step.
func (h *harness) runOrResume(run leads.Run, at int) leads.Run {
	if run.Finished() {
		run = h.request(leads.Run{Mode: leads.RunFull})
	} else {
		h.takeOwnership()
		run = h.claim()
	}
	run, _ = h.runUntil(run, at)
	return run
}
