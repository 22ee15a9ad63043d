package reconcile_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// Any portal edits, damage of the mirror, faults and crashes, then one full pass that is
// completed: mirror and portal are equal.
func TestAfterACompletedPassAllIsEqual(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		g := filled(t, 40)
		g.stretch = rapid.IntRange(3, 50).Draw(rt, "stretch")
		run := leads.Run{State: leads.RunIncomplete}
		rt.Repeat(map[string]func(*rapid.T){
			"edit":   func(rt *rapid.T) { g.edit(g.pick(rt), rapid.StringN(1, 5, -1).Draw(rt, "title")) },
			"add":    func(*rapid.T) { g.portal.Add(1) },
			"delete": func(rt *rapid.T) { g.gone(g.pick(rt)) },
			"hours":  func(*rapid.T) { g.hours(1) },
			"remove": func(rt *rapid.T) { g.remove(g.pick(rt)) },
			"alter":  func(rt *rapid.T) { g.alter(g.pick(rt), "TITLE", "altered") },
			"contacts": func(rt *rapid.T) {
				g.exec("DELETE FROM bitrix_lead_contacts WHERE sql_LEAD_ID = ?", g.pick(rt))
			},
			"sides": func(rt *rapid.T) {
				g.thin(g.pick(rt), rapid.SampledFrom([]string{"leadsync_phones", "leadsync_lead_fields", "bitrix_lead_solution"}).Draw(rt, "table"))
			},
			"hash": func(rt *rapid.T) { g.exec("UPDATE bitrix_leads SET row_hash = 'x' WHERE sql_ID = ?", g.pick(rt)) },
			"phantom": func(rt *rapid.T) {
				rows := g.mirror()
				if len(rows) == 0 {
					return
				}
				for id := range rows {
					g.phantomOnce(id, 100_000+int64(rapid.IntRange(1, 20).Draw(rt, "phantom")))
					return
				}
			},
			"hide": func(rt *rapid.T) {
				g.portal.SetFaults(emulator.Faults{Hidden: rapid.SampledFrom([]float64{0, 0.1, 0.5}).Draw(rt, "hidden")})
			},
			"ill":   func(*rapid.T) { g.portal.SetFaults(emulator.Faults{CommandLimit: 0.1}) },
			"crash": func(rt *rapid.T) { run = g.crashed(run, rapid.IntRange(1, 25).Draw(rt, "moment")) },
		})
		g.portal.SetFaults(emulator.Faults{})
		run = g.crashed(run, 0) // what was begun comes to its end first
		if run.State != leads.RunCompleted {
			rt.Fatalf("the pass is %s: %s", run.State, run.Error)
		}
		if run = g.pass(leads.Run{Mode: leads.RunFull}); run.Error != "" {
			rt.Fatal(run.Error)
		}
		if words := g.differs(); words != "" {
			rt.Fatal(words)
		}
	})
}

// pick is a lead of the portal; there always is one.
func (g *ground) pick(rt *rapid.T) int64 {
	ids := g.ids()
	if len(ids) == 0 {
		ids = g.portal.Add(1)
	}
	return rapid.SampledFrom(ids).Draw(rt, "lead")
}

// phantomOnce copies a row unless there is one of that id.
func (g *ground) phantomOnce(from, id int64) {
	if rows := g.mirror(); !slices.Contains(keys(rows), id) {
		g.exec("DELETE FROM bitrix_leads WHERE sql_ID = ?", id)
		g.phantom(from, id)
	}
}

func keys(rows map[int64]leads.Row) []int64 {
	var ids []int64
	for id := range rows {
		ids = append(ids, id)
	}
	return ids
}

// crashed works on the run, or a new one, until a moment, when its process dies.
func (g *ground) crashed(run leads.Run, at int) leads.Run {
	if run.Finished() {
		run = g.request(leads.Run{Mode: leads.RunFull})
	} else {
		g.own()
		run = g.claim()
	}
	run, _ = g.part(run, at)
	return run
}
