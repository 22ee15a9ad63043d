package portals_test

import (
	"maps"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads/leadstest"
	"leadsync/portals"
	"leadsync/repo/repotest"
)

// The names are labels of a metric that others have on their dashboards.
func TestReasonsHaveTheirLabels(t *testing.T) {
	for reason, want := range map[portals.Reason]string{
		portals.Unparsable: "unparsable", portals.TooLong: "too_long", portals.UnknownPortal: "unknown_portal",
		portals.WrongToken: "wrong_token", portals.NotVerified: "not_verified", portals.Unavailable: "unavailable",
		portals.NotStored: "unavailable", portals.Forged: "forged", portals.UnknownEvent: "unknown_event",
		-1: "", portals.LoginFailed + 1: "",
	} {
		if got := reason.String(); got != want {
			t.Errorf("%d is %q, want %q", reason, got, want)
		}
	}
	for reason := portals.Accepted; reason <= portals.LoginFailed; reason++ {
		if reason.String() == "" {
			t.Errorf("reason %d has no label", reason)
		}
	}
}

func TestCallbacksAreCountedByReason(t *testing.T) {
	var stats portals.Stats
	for _, reason := range []portals.Reason{portals.Accepted, portals.NotStored, portals.Unavailable, portals.WrongToken, portals.Accepted} {
		stats.Count(reason)
	}
	if got := stats.Refused(); !maps.Equal(got, map[string]int64{"unavailable": 2, "wrong_token": 1}) || stats.Received.Load() != 2 {
		t.Errorf("%v, %d received", got, stats.Received.Load())
	}
}

// Only what is verified counts for a portal: the rest may name any.
func TestVerifiedCallbacksAreCountedByPortal(t *testing.T) {
	r := portals.New(portals.Config{OAuth: &bitrix24.OAuth{}, Store: repotest.Migrated(t), Now: time.Now, Log: leadstest.Silent()})
	for _, d := range []portals.Decision{
		{MemberID: "a", Verified: true}, {MemberID: "a", Verified: true}, {MemberID: "b", Verified: true}, {MemberID: "invented"}, {MemberID: "a", Reason: portals.WrongToken},
	} {
		r.Count(t.Context(), d)
	}
	if got := r.Stats.ReceivedOf(); !maps.Equal(got, map[string]int64{"a": 2, "b": 1}) || r.Stats.Received.Load() != 4 {
		t.Errorf("%v of %d", got, r.Stats.Received.Load())
	}
}
