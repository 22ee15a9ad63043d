package portals_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/portals"
)

// Who is refused is named, so that an operator can let him in.
func TestRefusalsNameWhoWasRefused(t *testing.T) {
	f := open(t, nil)
	f.save(leads.Portal{MemberID: "another", Domain: "a.example.com", State: leads.PortalActive})
	for range 2 {
		f.install(nil)
	}
	got := f.registry.Refusals()
	if len(got) != 1 || got[0].Count != 2 || got[0].MemberID != f.info.MemberID || got[0].Host != hostOf(t, f.info.Portal) || got[0].Reason != portals.NotVerified || !strings.Contains(got[0].Err, "second portal") {
		t.Errorf("%+v", got)
	}
}

// Strangers cannot have more kept than there is room for.
func TestRefusalsAreBounded(t *testing.T) {
	f := open(t, nil)
	long := strings.Repeat("x", 10_000)
	for i := range 1000 {
		f.registry.Count(t.Context(), portals.Decision{Reason: portals.NotVerified, MemberID: strconv.Itoa(i) + long, Domain: long, Err: errors.New(long)})
	}
	f.registry.Count(t.Context(), portals.Decision{Reason: portals.Accepted, MemberID: "accepted"})
	for i := range 1000 { // callbacks that anybody can send
		f.registry.Count(t.Context(), portals.Decision{Reason: portals.UnknownPortal, MemberID: strconv.Itoa(i)})
	}
	got := slices.DeleteFunc(f.registry.Refusals(), func(r portals.Refusal) bool { return r.Reason != portals.NotVerified })
	if len(got) != 10 || !strings.HasPrefix(got[0].MemberID, "999x") {
		t.Fatalf("%d refusals, the newest of %.10s", len(got), got[0].MemberID)
	}
	for _, one := range got {
		if len(one.MemberID)+len(one.Host)+len(one.Err) > 1000 {
			t.Fatalf("one has %d bytes", len(one.MemberID)+len(one.Host)+len(one.Err))
		}
	}
}
