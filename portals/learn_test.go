package portals_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/portals"
)

const anyToken = "5185c3b1d0b0b5e0b1b0c3b1d0b0b5e0"

// userCallback decides on a callback that a user caused, two seconds later each time.
func (f *fixture) userCallback(token string, access leads.Secret) portals.Decision {
	f.t.Helper()
	cb := callback(f.info.MemberID, token)
	cb.AccessToken, cb.ServerEndpoint = access, "https://evil.example.com/rest/"
	got := f.registry.Recognise(f.t.Context(), cb)
	f.clock.Advance(2 * time.Second)
	return got
}

func TestPortalThatLoggedInTeachesItsToken(t *testing.T) {
	f := open(t, nil)
	access := f.loggedIn()
	for _, test := range []struct {
		name     string
		token    string
		access   leads.Secret
		want     portals.Reason
		verified bool
	}{
		{"without an access token it is kept", anyToken, "", portals.Accepted, false},
		{"with an invented one it is refused", anyToken, "forged", portals.WrongToken, false},
		{"without an application_token too", "", access, portals.WrongToken, false},
		{"a genuine one teaches", anyToken, access, portals.Accepted, true},
		{"then no access token is needed", anyToken, "", portals.Accepted, true},
		{"and no other is learnt", "another", access, portals.WrongToken, false},
	} {
		if got := f.userCallback(test.token, test.access); got.Reason != test.want || got.Verified != test.verified {
			t.Errorf("%s: %+v\n%s", test.name, got, f.log)
		}
	}
	if strings.Contains(f.log.String(), anyToken) || strings.Contains(f.log.String(), access.Reveal()) {
		t.Errorf("the log shows a token: %s", f.log)
	}
}

func TestPortalOfAWebhookTeachesNothing(t *testing.T) {
	f := open(t, nil)
	access := f.loggedIn()
	p := f.stored(f.info.MemberID)
	p.WebhookURL = "https://a.example.com/rest/1/x/"
	f.save(p)
	if got := f.userCallback(anyToken, access); got.Reason != portals.WrongToken {
		t.Errorf("%+v", got)
	}
}

func TestTokenLearntByAnotherReplicaCounts(t *testing.T) {
	for token, want := range map[string]portals.Reason{anyToken: portals.Accepted, "another": portals.WrongToken} {
		f := open(t, nil)
		access := f.loggedIn()
		f.recognise(f.info.MemberID, anyToken) // caches the portal without a token
		p := f.stored(f.info.MemberID)
		p.TokenHash = leads.HashToken(leads.Secret(token))
		f.save(p)
		if got := f.userCallback(anyToken, access); got.Reason != want {
			t.Errorf("%q: %+v", token, got)
		}
	}
}

// Anybody can post callbacks; each that is checked costs a request.
func TestUnverifiedCallbacksCostFewRequests(t *testing.T) {
	f := open(t, nil)
	f.loggedIn()
	before := f.portal.Stats().Requests["app.info"]
	forge := func(times int) {
		cb := callback(f.info.MemberID, anyToken)
		cb.AccessToken = "forged"
		var all sync.WaitGroup
		for range times {
			all.Go(func() {
				if got := f.registry.Recognise(t.Context(), cb); got.Verified {
					t.Errorf("%+v", got)
				}
			})
		}
		all.Wait()
	}
	forge(50)
	f.clock.Advance(time.Second - time.Nanosecond)
	forge(1)
	if n := f.portal.Stats().Requests["app.info"] - before; n != 1 {
		t.Errorf("51 forgeries within a second cost %d requests", n)
	}
	f.clock.Advance(time.Nanosecond)
	forge(1)
	if n := f.portal.Stats().Requests["app.info"] - before; n != 2 {
		t.Errorf("%d requests a second later", n)
	}
}

func TestOneCallbackIsCheckedAtATime(t *testing.T) {
	f := open(t, nil)
	access := f.loggedIn()
	f.save(leads.Portal{MemberID: "another", Domain: "a.example.com", State: leads.PortalActive, ServerEndpoint: f.info.OAuth + "/rest/"})
	check := func(member string) portals.Decision {
		cb := callback(member, anyToken)
		cb.AccessToken = access
		return f.registry.Recognise(t.Context(), cb)
	}
	for _, member := range []string{f.info.MemberID, "another"} {
		for range 4 { // caches the portal, and uses up what may be read because of unknown tokens
			f.recognise(member, anyToken)
		}
	}
	asked, release := make(chan struct{}), make(chan struct{})
	f.store.before = func(context.Context) error {
		close(asked)
		<-release
		return nil
	}
	first := make(chan portals.Decision, 1)
	go func() { first <- check(f.info.MemberID) }()
	<-asked
	before := f.portal.Stats().Requests["app.info"]
	if got := check("another"); got.Reason != portals.Accepted || got.Verified {
		t.Errorf("meanwhile: %+v", got)
	}
	if n := f.portal.Stats().Requests["app.info"] - before; n != 0 {
		t.Errorf("%d requests while another callback is checked", n)
	}
	close(release)
	if got := <-first; !got.Verified {
		t.Errorf("%+v", got)
	}
}
