package portals_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
	"leadsync/portals"
)

// wantKept wants a callback to be accepted, but not as verified.
func (f *fixture) wantKept(member, token string) {
	f.t.Helper()
	if got := f.recognise(member, token); got.Reason != portals.Accepted || got.Verified {
		f.t.Fatalf("not kept: %+v", got)
	}
}

// undecided tells whether it cannot be said yet that an entry is genuine.
func (f *fixture) undecided(member, token string, at time.Time) bool {
	f.t.Helper()
	e := unverified(member, token)
	e.At = at
	genuine, err := f.registry.Verify(f.t.Context(), e)
	if genuine {
		f.t.Error("it counts as genuine")
	}
	return err != nil
}

// While the database is down nobody is refused by what is older than the outage.
func TestWithoutDatabaseOldTokensRefuseNobody(t *testing.T) {
	for name, before := range map[string]func(*fixture){
		"in the cache": func(f *fixture) { f.recognise(f.info.MemberID, "former") },
		"on disk": func(f *fixture) {
			if err := f.registry.Learn(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, nil)
			f.installed()
			p := f.stored(f.info.MemberID)
			p.TokenHash = leads.HashToken("former")
			f.save(p)
			before(f)
			p.TokenHash = leads.HashToken("renewed") // by another replica
			f.save(p)
			f.store.down.Store(true)
			f.wantKept(f.info.MemberID, "renewed")
			if got := f.recognise(f.info.MemberID, ""); got.Reason != portals.WrongToken {
				t.Errorf("without a token: %+v", got)
			}
			f.store.down.Store(false)
			if !f.verify(f.info.MemberID, "renewed") || f.verify(f.info.MemberID, "wrong") {
				t.Error("verified wrongly")
			}
		})
	}
}

// The settings name the webhook's portal, which is not stored yet: NATS is down at the
// start, or the database was.
func TestConfiguredWebhookIsNeverRefused(t *testing.T) {
	for _, former := range []bool{false, true} {
		f := open(t, func(f *fixture) { f.cfg.Webhook = f.webhook(f.info.MemberID) })
		if former {
			p := *f.webhook(f.info.MemberID)
			p.TokenHash = leads.HashToken("former")
			f.save(p)
			if err := f.registry.Learn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		f.store.down.Store(true)
		f.wantKept(f.info.MemberID, f.info.WebhookApplicationToken)
		f.store.down.Store(false)
		if got := f.recognise(f.info.MemberID, f.info.WebhookApplicationToken); !got.Verified {
			t.Errorf("known by a former token %v: %+v", former, got)
		}
		if !f.verify(f.info.MemberID, f.info.WebhookApplicationToken) {
			t.Errorf("known by a former token %v: what was kept counts as forged", former)
		}
	}
}

func TestSeveralOutgoingWebhooksOfOnePortal(t *testing.T) {
	f := open(t, func(f *fixture) {
		f.cfg.Webhook = f.webhook(f.info.MemberID)
		f.cfg.Webhook.TokenHash = leads.HashTokens(" t1, t2,,t3")
	})
	f.adopt()
	for token, want := range map[string]portals.Reason{
		"t1": portals.Accepted, "t2": portals.Accepted, "t3": portals.Accepted,
		"t4": portals.WrongToken, "t1,t2": portals.WrongToken, "": portals.WrongToken, " ": portals.WrongToken,
	} {
		if got := f.recognise(f.info.MemberID, token); got.Reason != want {
			t.Errorf("%q: %+v", token, got)
		}
	}
	f.cfg.Webhook.MemberID = ""
	f.cfg.Webhook.Domain, f.cfg.Webhook.TokenHash = "renamed.example.com", leads.HashTokens("t5,t3")
	f.adopt()
	if got := f.stored(f.info.MemberID); got.Domain != "renamed.example.com" || !got.Recognises("t5") {
		t.Errorf("not found by one of its tokens: %+v", got)
	}
}

// What a portal sends before its token is learnt waits for the callback that teaches it.
func TestCallbacksWaitForTheirToken(t *testing.T) {
	f := open(t, nil)
	access := f.loggedIn()
	f.store.down.Store(true)
	f.wantKept(f.info.MemberID, anyToken)
	f.store.down.Store(false)
	f.wantKept(f.info.MemberID, anyToken)
	came := f.clock.Now().Add(-time.Hour)
	if !f.undecided(f.info.MemberID, anyToken, came) {
		t.Fatal("it counts as forged before the token is learnt")
	}
	if got := f.userCallback(anyToken, access); !got.Verified {
		t.Fatalf("%+v", got)
	}
	if !f.verify(f.info.MemberID, anyToken) {
		t.Error("it counts as forged after that")
	}
	if f.undecided(f.info.MemberID, "forged", came) {
		t.Error("a forgery waits on")
	}
}

func TestCallbacksDoNotWaitForever(t *testing.T) {
	const wait = 25 * time.Second
	f := open(t, nil)
	f.loggedIn()
	came := f.clock.Now()
	for i, test := range []struct {
		advance time.Duration
		came    time.Time
		want    bool
	}{
		{0, came.Add(-time.Hour), true},
		{wait - 1, came.Add(-time.Hour), true},
		{1, came.Add(-time.Hour), false},
		{0, came.Add(-time.Minute), false},
		{0, came.Add(time.Second), true}, // it came later
		{time.Second, came.Add(time.Second), false},
		{0, came.Add(time.Hour), false}, // nothing comes from the future
		{time.Hour, came, true},         // another outage
		{wait, came, false},             // asked about once in that time
	} {
		f.clock.Advance(test.advance)
		if got := f.undecided(f.info.MemberID, anyToken, test.came); got != test.want {
			t.Errorf("step %d: waits %v", i, got)
		}
	}
}

// Callbacks that come while their portal's installation is being verified are not lost.
func TestCallbacksDuringAnInstallationAreKept(t *testing.T) {
	f := open(t, nil)
	asked, release := make(chan struct{}), make(chan struct{})
	var calls atomic.Int64
	f.store.before = func(context.Context) error {
		if calls.Add(1) == 1 { // the installation's look-up
			close(asked)
			<-release
		}
		return nil
	}
	done := make(chan portals.Decision, 1)
	go func() { done <- f.install(nil) }()
	<-asked
	f.wantKept(f.info.MemberID, f.info.ApplicationToken)
	if !f.undecided(f.info.MemberID, f.info.ApplicationToken, f.clock.Now()) {
		t.Error("it counts as forged meanwhile")
	}
	if got := f.recognise("another", "t"); got.Reason != portals.UnknownPortal {
		t.Errorf("another portal: %+v", got)
	}
	close(release)
	if got := <-done; got.Reason != portals.Accepted {
		t.Fatalf("%+v", got)
	}
	if !f.verify(f.info.MemberID, f.info.ApplicationToken) || f.verify(f.info.MemberID, "forged") {
		t.Error("verified wrongly after that")
	}
}

// Bitrix24 posts an installation and the application's own user at about the same time.
func TestCallbacksAreKeptUntilTheLastInstallationIsVerified(t *testing.T) {
	f := open(t, nil)
	asked := make(chan chan struct{}, 2)
	f.store.before = func(ctx context.Context) error {
		if ctx.Value(held{}) != nil {
			release := make(chan struct{})
			asked <- release
			<-release
		}
		return nil
	}
	cb := callback(f.info.MemberID, anyToken) // without tokens: it will be refused
	cb.Event = bitrix24.AppInstall
	done := make(chan portals.Decision)
	for range 2 {
		go func() { done <- f.registry.Install(context.WithValue(t.Context(), held{}, true), cb) }()
	}
	first, second := <-asked, <-asked
	close(first)
	<-done
	f.wantKept(f.info.MemberID, anyToken)
	close(second)
	<-done
	if got := f.recognise(f.info.MemberID, anyToken); got.Reason != portals.UnknownPortal {
		t.Errorf("after the last: %+v", got)
	}
}

// held marks the look-ups that a test holds up.
type held struct{}

// Strangers cannot fill the disk while the database answers.
func TestFewUnverifiableCallbacksAreKept(t *testing.T) {
	f := open(t, nil)
	f.loggedIn()
	kept := 0
	for range 1100 {
		got := f.registry.Recognise(t.Context(), bitrix24.Callback{Event: bitrix24.LeadAdd, LeadID: 7, MemberID: f.info.MemberID, ApplicationToken: "forged"})
		switch got.Reason {
		case portals.Accepted:
			kept++
		case portals.TokenNotLearnt:
		default:
			t.Fatalf("%+v", got)
		}
	}
	if kept != 1000 {
		t.Errorf("%d kept", kept)
	}
}
