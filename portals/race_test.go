package portals_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
	"leadsync/portals"
)

// contested is a store in which something happens just before a write.
type contested struct {
	*database

	learn     func() error // before LearnToken
	authorize func() error // before Authorize
	save      func() error // before SavePortal
}

func (c contested) LearnToken(ctx context.Context, memberID, tokenHash string) (bool, error) {
	if c.learn != nil {
		if err := c.learn(); err != nil {
			return false, err
		}
	}
	return c.database.LearnToken(ctx, memberID, tokenHash)
}

func (c contested) Authorize(ctx context.Context, p leads.Portal, g leads.Grant, onlyFirst bool) (bool, error) {
	if c.authorize != nil {
		if err := c.authorize(); err != nil {
			return false, err
		}
	}
	return c.database.Authorize(ctx, p, g, onlyFirst)
}

func (c contested) SavePortal(ctx context.Context, p leads.Portal) error {
	if c.save != nil {
		if err := c.save(); err != nil {
			return err
		}
	}
	return c.database.SavePortal(ctx, p)
}

// on makes the fixture work with a contested store.
func (f *fixture) on(c contested) {
	c.database = f.store
	f.cfg.Store = c
	f.registry = portals.New(f.cfg)
}

// A callback whose sender cannot be asked about now is kept, and not refused.
func TestCallbacksThatCannotBeCheckedNowAreKept(t *testing.T) {
	for name, spoil := range map[string]func(*fixture){
		"the authorization server does not answer": func(f *fixture) {
			transport := emulatortest.NewTransport(f.portal)
			transport.Intercept(func(*http.Request) *http.Response { return emulatortest.Response(http.StatusBadGateway, "<html>") })
			f.cfg.OAuth.HTTP.Transport = transport
		},
		"a proxy stands before it": func(f *fixture) {
			transport := emulatortest.NewTransport(f.portal)
			transport.Intercept(func(*http.Request) *http.Response {
				return emulatortest.Response(http.StatusForbidden, "<html>blocked")
			})
			f.cfg.OAuth.HTTP.Transport = transport
		},
		"the token cannot be stored": func(f *fixture) { f.on(contested{learn: func() error { return errDown }}) },
		"another replica has learnt one, the database fails": func(f *fixture) {
			f.on(contested{learn: func() error {
				f.learnt("another")
				f.store.before = func(context.Context) error { return errDown }
				return nil
			}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, nil)
			access := f.loggedIn()
			spoil(f)
			if got := f.userCallback(anyToken, access); got.Reason != portals.Accepted || got.Verified {
				t.Errorf("%+v", got)
			}
		})
	}
}

// learnt stores an application_token, as another replica does.
func (f *fixture) learnt(token string) {
	f.t.Helper()
	p := f.stored(f.info.MemberID)
	p.TokenHash = leads.HashToken(leads.Secret(token))
	f.save(p)
}

func TestTheFirstReplicaThatLearnsATokenWins(t *testing.T) {
	for token, want := range map[string]portals.Reason{anyToken: portals.Accepted, "another": portals.WrongToken} {
		f := open(t, nil)
		access := f.loggedIn()
		f.on(contested{learn: func() error { f.learnt(token); return nil }})
		if got := f.userCallback(anyToken, access); got.Reason != want || got.Verified != (want == portals.Accepted) {
			t.Errorf("%q: %+v", token, got)
		}
		if p := f.stored(f.info.MemberID); !p.Recognises(leads.Secret(token)) {
			t.Errorf("%q is overwritten", token)
		}
	}
}

// Two portals may come at the same moment to a service that serves the first.
func TestOfTwoFirstPortalsOneIsRefused(t *testing.T) {
	f := open(t, nil)
	f.on(contested{authorize: func() error {
		f.save(leads.Portal{MemberID: "faster", Domain: "a.example.com", State: leads.PortalActive})
		return nil
	}})
	if got := f.install(nil); got.Reason != portals.NotVerified || f.portals() != 1 || f.kept.count() != 0 || !strings.Contains(f.log.String(), "LEADSYNC_B24_PORTALS") {
		t.Errorf("%+v, %d portals: %s", got, f.portals(), f.log)
	}
}

func TestInstallationThatTheDatabaseDoesNotTakeIsLost(t *testing.T) {
	f := open(t, nil)
	f.on(contested{authorize: func() error { return errDown }})
	if got := f.install(nil); got.Reason != portals.Unavailable || !strings.Contains(f.log.String(), "installation lost") || f.kept.count() != 0 {
		t.Errorf("%+v: %s", got, f.log)
	}
}

// The webhook's portal that cannot be stored now is not known yet: its callbacks are kept.
func TestWebhookThatCannotBeAdoptedNow(t *testing.T) {
	f := openWebhook(t)
	failing := errDown
	f.on(contested{save: func() error { return failing }})
	f.wantKept(f.info.MemberID, f.info.WebhookApplicationToken)
	failing = nil
	if !f.verify(f.info.MemberID, f.info.WebhookApplicationToken) || f.portals() != 1 || f.kept.count() != 1 {
		t.Errorf("%d portals, %d notices", f.portals(), f.kept.count())
	}
}
