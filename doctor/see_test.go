package doctor_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/docs/docstest"
	"leadsync/doctor"
	"leadsync/events"
)

// explained tells whether a finding that is not well, and no other, leads to the heading that is about it: one of the third
// level, since a whole section would have to be searched.
func explained(t *testing.T, f doctor.Finding) bool {
	t.Helper()
	if f.Level != doctor.Fault && f.Level != doctor.Warning {
		return f.See == ""
	}
	_, anchor, _ := strings.Cut(f.See, "docs/trouble.md#") // the page is where this machine has it
	sections := []string{"settings-and-the-start", "bitrix24-and-callbacks", "portals", "the-database", "nats", "disks", "leads", "alarms-and-the-operators-address"}
	return slices.Contains(docstest.ReadPage(t, "../docs/trouble.md").Anchors, anchor) && !slices.Contains(sections, anchor)
}

// What is not well leads to a heading that exists, and what is well to none.
func TestFindingsLeadToThePage(t *testing.T) {
	t.Parallel()
	checks := []doctor.Check{
		doctor.CheckSettings(doctor.Settings{PublicURL: "https://leads.example.com"}), doctor.CheckDirectory(t.TempDir() + "/missing"),
		doctor.CheckRoom(t.TempDir(), func(string) (int64, bool) { return 1, true }), doctor.CheckZone(time.Time{}, ""),
		doctor.CheckAddress(doctor.Address{Now: clock, URL: "https://leads.example.com", HTTP: http.DefaultClient, Resolve: func(context.Context, string) ([]net.IP, error) { return nil, nil }}),
		doctor.CheckClock(clock, func(context.Context) (time.Time, string, error) {
			return now.Add(time.Hour), "company.bitrix24.com", nil
		}),
		doctor.CheckNATS(doctor.NATS{Idle: func(error) bool { return false }, State: func(context.Context) (events.State, error) { return events.State{}, errors.New("no answer") }}),
		doctor.CheckPortals(doctor.Portals{Store: slow{}, Now: clock}), doctor.CheckDatabase(database{pending: []string{"1"}}),
	}
	led := map[string]bool{}
	for _, f := range doctor.Run(t.Context(), append(checks, checksOf("")...)) {
		bad := f.Level == doctor.Fault || f.Level == doctor.Warning
		if !explained(t, f) {
			t.Errorf("%s, %s: leads to %q", f.Check, f.Level, f.See)
		}
		if bad {
			led[f.Check] = true
		}
		var out bytes.Buffer
		if err := doctor.Write(&out, []doctor.Finding{f}, doctor.Style{}); err != nil || bad != strings.Contains(out.String(), "  see "+f.See+"\n") {
			t.Errorf("%v: %s", err, &out)
		}
	}
	if len(led) != 9 {
		t.Errorf("only these checks found something bad: %v", led)
	}
}
