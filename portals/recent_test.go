package portals_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/portals"
)

// Whoever connects a portal finds why it was refused, until it comes in.
func TestRefusedPortalsAreRemembered(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.Allowed = portals.AllowList{"other.bitrix24.ru"} })
	host := hostOf(t, f.info.Portal)
	newest := func(want string) {
		t.Helper()
		got := f.registry.Refusals()
		if len(got) != 1 || got[0].Host != host || !strings.Contains(got[0].Why, want) || !got[0].At.Equal(f.clock.Now()) {
			t.Errorf("got %+v, want %q of %s", got, want, host)
		}
	}
	if d := f.install(func(cb *bitrix24.Callback) { cb.Domain = host }); d.Reason != portals.NotVerified {
		t.Fatalf("%+v", d)
	}
	newest("is not in LEADSYNC_B24_PORTALS")
	f.clock.Advance(time.Minute)
	callback := bitrix24.Callback{Event: bitrix24.LeadUpdate, MemberID: f.info.MemberID, ApplicationToken: "secret-token", Domain: strings.ToUpper(host), LeadID: 1}
	f.registry.Recognise(t.Context(), callback)
	newest("unknown portal; this portal never installed the application here")
	f.clock.Advance(time.Minute)
	if _, d := f.registry.Destination(t.Context(), "stranger.bitrix24.ru"); d.Reason != portals.NotServed {
		t.Fatalf("%+v", d)
	}
	if got := f.registry.Refusals(); len(got) != 2 || got[0].Host != "stranger.bitrix24.ru" || !strings.Contains(got[0].Why, "not served") {
		t.Errorf("a log-in: %+v", got)
	}
	if err := f.db.SavePortal(t.Context(), leads.Portal{MemberID: f.info.MemberID, State: leads.PortalNeedsAuthorization}); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Minute)
	if d := f.install(func(cb *bitrix24.Callback) { cb.Domain = host }); d.Reason != portals.Accepted {
		t.Fatalf("%+v", d)
	}
	if got := f.registry.Refusals(); len(got) != 1 || got[0].Host == host {
		t.Errorf("it came in: %+v", got)
	}
	f.registry.Recognise(t.Context(), callback)
	if got := f.registry.Refusals(); len(got) != 2 || got[0].Host != host || !strings.Contains(got[0].Why, "wrong token") {
		t.Errorf("a wrong token: %+v", got)
	}
	for _, r := range f.registry.Refusals() {
		if strings.Contains(r.Why, "secret-token") {
			t.Errorf("a token is shown: %+v", r)
		}
	}
}

// Strangers can push out what is older, and nothing else.
func TestRefusalsAreBounded(t *testing.T) {
	f := open(t, nil)
	for i := range 1000 {
		f.registry.Recognise(t.Context(), bitrix24.Callback{
			Event: bitrix24.LeadUpdate, MemberID: "m", ApplicationToken: "x", Domain: fmt.Sprintf("%d\x00\n\u202e\xff%s", i%500, strings.Repeat("ж", 10_000)),
		})
	}
	got := f.registry.Refusals()
	hosts := map[string]bool{}
	for _, r := range got {
		hosts[r.Host] = true
		if len([]rune(r.Host)) > 100 || len([]rune(r.Why)) > 400 || strings.ContainsFunc(r.Host+r.Why, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%+v", r)
		}
	}
	if len(got) != 20 || len(hosts) != 20 || !strings.HasPrefix(got[0].Host, "499") {
		t.Errorf("%d refusals of %d hosts, the newest of %.10q", len(got), len(hosts), got[0].Host)
	}
}
