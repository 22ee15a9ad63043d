package portals_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/portals"
)

// Bitrix24 writes member ids in lower case. Whoever writes one in capitals means the same
// portal.
func TestCallbacksInCapitalsReachTheirPortal(t *testing.T) {
	f := open(t, nil)
	f.installed()
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	before := f.store.queries.Load()
	for _, down := range []bool{false, true} {
		f.store.down.Store(down)
		for _, member := range []string{strings.ToUpper(f.info.MemberID), strings.ToUpper(f.info.MemberID[:9]) + f.info.MemberID[9:]} {
			if got := f.recognise(member, f.info.ApplicationToken); !got.Verified || got.MemberID != f.info.MemberID {
				t.Errorf("%s: %+v", member, got)
			}
		}
	}
	if n := f.store.queries.Load() - before; n != 0 {
		t.Errorf("%d queries: they are cached apart", n)
	}
}

func TestWithoutADatabaseCapitalsAreTheSamePortal(t *testing.T) {
	f := open(t, nil)
	f.installed()
	if err := f.registry.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.store.down.Store(true)
	if got := f.recognise(strings.ToUpper(f.info.MemberID), f.info.ApplicationToken); !got.Verified || got.MemberID != f.info.MemberID {
		t.Errorf("%+v", got)
	}
}

// shouting is an authorization server that answers member ids in capitals.
type shouting struct {
	http.RoundTripper

	member string
}

func (s shouting) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(bytes.ReplaceAll(body, []byte(s.member), []byte(strings.ToUpper(s.member)))))
	response.ContentLength = -1
	return response, err
}

func TestPortalsInCapitalsAreStoredOnce(t *testing.T) {
	f := open(t, func(f *fixture) { f.cfg.Allowed = portals.AllowList{strings.ToUpper(f.info.MemberID)} })
	quiet := http.DefaultTransport
	wantOne := func(when string, got portals.Decision) {
		t.Helper()
		if got.Reason != portals.Accepted || f.portals() != 1 || f.stored(f.info.MemberID).State != leads.PortalActive {
			t.Errorf("%s: %+v, %d portals", when, got, f.portals())
		}
		if grants, err := f.db.Grants(t.Context(), f.info.MemberID); err != nil || len(grants) != 1 {
			t.Errorf("%s: grants %+v, %v", when, grants, err)
		}
		if !strings.Contains(f.kept.last(), f.info.MemberID) {
			t.Errorf("%s: notice %s", when, f.kept.last())
		}
	}
	capitals := func(cb *bitrix24.Callback) { cb.MemberID = strings.ToUpper(cb.MemberID) }
	wantOne("installed", f.install(capitals))
	wantOne("installed without tokens", f.install(func(cb *bitrix24.Callback) { capitals(cb); cb.AccessToken = "" }))
	back := f.logIn()
	back.MemberID = strings.ToUpper(back.MemberID)
	wantOne("logged in", f.registry.Authorize(t.Context(), back))
	f.cfg.OAuth.HTTP.Transport = shouting{quiet, f.info.MemberID}
	wantOne("confirmed in capitals", f.install(nil))
	back = f.logIn()
	wantOne("tokens in capitals", f.registry.Authorize(t.Context(), back))
}

func TestConfiguredMemberIDMayBeInCapitals(t *testing.T) {
	for name, start := range map[string]func(*fixture){"adopted": (*fixture).adopt, "by the first callback": func(*fixture) {}} {
		f := open(t, func(f *fixture) { f.cfg.Webhook = f.webhook(strings.ToUpper(f.info.MemberID)) })
		start(f)
		if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); !got.Verified {
			t.Errorf("%s: %+v", name, got)
		}
		f.clock.Advance(time.Minute)
		if got := f.stored(f.info.MemberID); got.WebhookURL == "" || f.portals() != 1 {
			t.Errorf("%s: stored %+v", name, got)
		}
	}
}
