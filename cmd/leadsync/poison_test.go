package main

import (
	"fmt"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// Three leads that no answer can contain: the import writes the other 997 and ends, within
// few requests, and a callback for one of those does not wait.
func TestPoisonousLeadsStopNobodyElse(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 1000, Seed: 41})
	poison := []int64{}
	for id := range p.Leads() {
		if id%331 == 7 && len(poison) < 3 {
			poison = append(poison, id)
		}
	}
	p.SetFaults(emulator.Faults{Unencodable: fmt.Sprintf("%d,%d,%d", poison[0], poison[1], poison[2])})
	s := startServe(t, p, map[string]string{"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_RECONCILE_AT": "off"})
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	var run leads.Run
	eventually(t, "the import ends", func() bool {
		var err error
		var ok bool
		if run, ok, err = db.LastCompleted(t.Context(), s.member()); err != nil {
			t.Fatal(err)
		}
		return ok
	})
	written, err := db.CountLeads(t.Context(), s.member())
	if err != nil || written != 997 || run.Unprocessable != 3 {
		t.Errorf("%d leads written, %d unprocessable, %v", written, run.Unprocessable, err)
	}
	if n := requestCount(p); n > 120 {
		t.Errorf("%d requests", n)
	} else {
		t.Logf("%d requests", n)
	}
	var innocent int64
	for id := range p.Leads() {
		if id != poison[0] && id != poison[1] && id != poison[2] {
			innocent = id
		}
	}
	begun := time.Now()
	for _, id := range []int64{poison[0], innocent} {
		if err := p.Edit(id, map[string]any{"TITLE": "edited beside poison"}); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the innocent lead is written", func() bool {
		row, ok, err := db.Row(t.Context(), leads.Ref{MemberID: s.member(), LeadID: innocent})
		if err != nil {
			t.Fatal(err)
		}
		return ok && row.Revision > 1
	})
	t.Logf("the innocent lead was written after %s", time.Since(begun).Round(time.Millisecond))
	eventually(t, "the culprit alone counts as failing", func() bool {
		failing, err := db.Failing(t.Context(), s.member())
		if err != nil {
			t.Fatal(err)
		}
		statuses, err := db.MirrorStatuses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(failing) == 1 && failing[0].LeadID == poison[0] && statuses[0].Failing == 1 && statuses[0].State == leads.MirrorCurrent
	})
}
