package emulator_test

import (
	"encoding/json"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
)

func TestNewLeadsHaveNoFutureDates(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p, err := emulator.New(emulator.Config{Leads: 10, Seed: 1, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.Add(200)
	for id, card := range p.Leads() {
		var dates struct {
			Created  time.Time `json:"DATE_CREATE"`
			Modified time.Time `json:"DATE_MODIFY"`
			Moved    time.Time `json:"MOVED_TIME"`
			Activity time.Time `json:"LAST_ACTIVITY_TIME"`
		}
		if err := json.Unmarshal(card, &dates); err != nil {
			t.Fatal(err)
		}
		for _, at := range []time.Time{dates.Created, dates.Modified, dates.Moved, dates.Activity} {
			if at.After(now) {
				t.Errorf("lead %d: something happened at %s, and it is %s", id, at, now)
			}
		}
	}
}
