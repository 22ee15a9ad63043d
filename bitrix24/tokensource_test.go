package bitrix24_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
	"leadsync/leads"
)

// tokenStore stores tokens as the database does, and fails as it does.
type tokenStore struct {
	grants []leads.Grant
	by     string
	// fail says how it fails: "before" or "after" a write was done, "rotate" if it only
	// refuses new pairs. "" does not fail.
	fail string
}

var errDatabase = errors.New("database is down")

func (s *tokenStore) at(token leads.Secret) *leads.Grant {
	for i := range s.grants {
		if s.grants[i].RefreshToken == token {
			return &s.grants[i]
		}
	}
	return nil
}

func (s *tokenStore) Grants(context.Context, string) ([]leads.Grant, error) {
	if s.fail == "before" || s.fail == "after" {
		return nil, errDatabase
	}
	sorted := slices.Clone(s.grants)
	slices.SortStableFunc(sorted, func(a, b leads.Grant) int {
		switch {
		case a.System == b.System:
			return 0
		case a.System:
			return -1
		default:
			return 1
		}
	})
	return sorted, nil
}

func (s *tokenStore) BeginRefresh(_ context.Context, pair leads.Grant, by string, life time.Duration) (bool, error) {
	if s.fail == "before" {
		return false, errDatabase
	}
	g := s.at(pair.RefreshToken)
	if g == nil || !g.RefreshBegan.IsZero() && s.by != by && time.Since(g.RefreshBegan) < life {
		return false, nil
	}
	g.RefreshBegan, s.by = time.Now(), by
	return true, s.failure()
}

func (s *tokenStore) RotateGrant(_ context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	if s.fail == "before" || s.fail == "rotate" {
		return false, errDatabase
	}
	g := s.at(old)
	if g == nil {
		return false, s.failure()
	}
	system := g.System
	*g = next
	g.System = system
	return true, s.failure()
}

func (s *tokenStore) failure() error {
	if s.fail == "after" {
		return errDatabase
	}
	return nil
}

func (s *tokenStore) save(g leads.Grant) {
	s.grants = slices.DeleteFunc(s.grants, func(old leads.Grant) bool { return old.System == g.System })
	s.grants = append(s.grants, g)
}

// tokenHarness is a portal, its authorization server, what is stored, and the process that
// owns the portal.
type tokenHarness struct {
	*emulatortest.Harness

	store  *tokenStore
	source *bitrix24.TokenSource
	client *bitrix24.Client
	starts int
	lose   string // of the next token request: "request", "answer", "page", "half"
}

func newTokenHarness(tb testing.TB, cfg emulator.Config) *tokenHarness {
	tb.Helper()
	cfg.NoLimits = true
	h := &tokenHarness{Harness: emulatortest.New(tb, cfg), store: &tokenStore{}}
	h.store.save(h.Install(tb))
	h.Transport.Intercept(h.intercept)
	h.restart()
	return h
}

// intercept loses what h.lose says on its way to or from the authorization server.
func (h *tokenHarness) intercept(r *http.Request) *http.Response {
	if !strings.HasSuffix(r.URL.Path, "/oauth/token/") || h.lose == "" {
		return nil
	}
	lose := h.lose
	h.lose = ""
	if lose == "page" {
		return emulatortest.Response(http.StatusBadGateway, "<html>bad gateway</html>")
	}
	if lose == "answer" || lose == "half" {
		if resp, err := emulatortest.NewTransport(h.Portal).RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
	}
	if lose == "half" {
		return emulatortest.Response(http.StatusOK, `{"access_token":"`)
	}
	return emulatortest.Response(http.StatusBadGateway, "")
}

// restart replaces the owner by another process, as after a crash.
func (h *tokenHarness) restart() {
	h.starts++
	h.source = &bitrix24.TokenSource{
		MemberID: h.Portal.Info().MemberID, Server: emulatortest.OAuthURL, OAuth: h.OAuth(), Grants: h.store,
		By: "process " + string(rune('A'+h.starts%26)),
	}
	h.client = bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: emulatortest.PortalURL + "/rest/", Tokens: h.source, HTTP: h.HTTP()})
}

func (h *tokenHarness) call(tb testing.TB) error {
	tb.Helper()
	_, err := h.client.Call(tb.Context(), "server.time", nil)
	return err
}

// Whatever fails in whatever order: when nothing fails any more, the portal can be called,
// or the error says that somebody must authorize it.
func TestTokensRecoverOrAskForAuthorization(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		strict := rapid.Bool().Draw(r, "strict rotation")
		kills := rapid.Bool().Draw(r, "a refresh kills the access token")
		// A few kinds of steps in one run are combined more often than all kinds would be.
		kinds := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"minute", "expire", "lose request", "lose answer", "lose page", "lose half", "crash", "database down before",
			"database down after", "database down rotate", "database up", "install", "system user", "abandoned", "two owners",
			"keep alive", "half a year",
		}), 1, 4, rapid.ID).Draw(r, "kinds")
		steps := rapid.SliceOfN(rapid.SampledFrom(append(kinds, "call", "hour")), 1, 20).Draw(r, "steps")
		synctest.Test(t, func(t *testing.T) {
			h := newTokenHarness(t, emulator.Config{Switches: emulator.Switches{LenientRotation: !strict, RefreshKillsAccess: kills}})
			losses := 0
			for _, step := range steps {
				switch what, how, _ := strings.Cut(step, " "); what {
				case "call":
					_ = h.call(t)
				case "hour":
					time.Sleep(time.Hour)
				case "minute":
					time.Sleep(time.Minute)
				case "half":
					time.Sleep(160 * 24 * time.Hour)
					losses++ // two of these without a call: the refresh token expires
				case "keep":
					_ = h.source.KeepAlive(t.Context())
				case "expire":
					h.Portal.ExpireTokens()
				case "lose":
					h.lose = how
					losses++
				case "crash":
					if h.store.fail != "" {
						losses++ // it may have had a pair that was not stored
					}
					h.restart()
				case "database":
					h.store.fail = strings.TrimPrefix(how, "down ")
					if how == "up" {
						h.store.fail = ""
					}
				case "install":
					h.store.save(h.Install(t))
				case "system":
					g := h.Install(t)
					g.System = true
					h.store.save(g)
					h.source.Reload()
				case "abandoned":
					_, _ = h.source.Abandon(t.Context(), "somebody else's")
				case "two":
					former := h.source
					h.restart()
					_, _ = former.Token(t.Context())
					if former.Close() != nil {
						losses++ // it ends with a pair that was not stored
					}
				}
			}
			h.store.fail, h.lose = "", ""
			time.Sleep(time.Minute)
			h.Portal.ExpireTokens()
			err := h.call(t)
			if err != nil && !errors.Is(err, leads.ErrUnauthorized) {
				t.Fatalf("after %v: neither works nor asks for authorization: %v", steps, err)
			}
			if err != nil && losses == 0 {
				t.Fatalf("after %v: the tokens are lost although nothing failed: %v", steps, err)
			}
			if err == nil {
				return
			}
			h.store.save(h.Install(t))
			h.restart()
			if err := h.call(t); err != nil {
				t.Fatalf("after %v: a new authorization does not help: %v", steps, err)
			}
		})
	})
}

func TestANewPairIsStoredWhenTheDatabaseIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		old := h.store.grants[0]
		rotating := &failingRotation{tokenStore: h.store}
		h.source.Grants = rotating
		if err := h.call(t); err != nil {
			t.Fatal(err)
		}
		if h.store.grants[0].RefreshToken == old.RefreshToken || rotating.failures == 0 {
			t.Errorf("%d failures; stored the old pair still: %v", rotating.failures, h.store.grants[0].RefreshToken == old.RefreshToken)
		}
		if n := h.Portal.Stats().Requests["oauth.token"]; n != 2 { // one was the code's exchange
			t.Errorf("%d token requests", n)
		}
	})
}

func TestANewPairOutlastsALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		h.store.fail = "rotate"
		for range 5 {
			if err := h.call(t); !errors.Is(err, errDatabase) {
				t.Fatalf("got %v", err)
			}
		}
		if err := h.source.Close(); !errors.Is(err, errDatabase) {
			t.Errorf("closed with a pair that was not stored: %v", err)
		}
		h.store.fail = ""
		if err := h.call(t); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// failingRotation is a database that fails to store a pair three times.
type failingRotation struct {
	*tokenStore

	failures int
}

func (f *failingRotation) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	if f.failures < 3 {
		f.failures++
		return false, errDatabase
	}
	return f.tokenStore.RotateGrant(ctx, old, next)
}

func TestARefreshIsNotCutShortByAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		old := h.store.grants[0].RefreshToken
		ctx, cancel := context.WithCancel(t.Context())
		h.Transport.Intercept(func(r *http.Request) *http.Response {
			cancel() // the service stops while the server rotates
			<-ctx.Done()
			if r.Context().Err() != nil {
				t.Error("the request was cut off")
			}
			return nil
		})
		_, _ = h.source.Token(ctx)
		if h.store.grants[0].RefreshToken == old {
			t.Error("the new pair is lost")
		}
	})
}

func TestNoRefreshWhileTheDatabaseIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		if err := h.call(t); err != nil {
			t.Fatal(err)
		}
		before := h.Portal.Stats().Requests["oauth.token"]
		time.Sleep(2 * time.Hour)
		h.store.fail = "before"
		if err := h.call(t); !errors.Is(err, errDatabase) {
			t.Errorf("got %v", err)
		}
		if n := h.Portal.Stats().Requests["oauth.token"]; n != before {
			t.Errorf("%d refreshes", n-before)
		}
	})
}

func TestACrashBetweenAnswerAndWriteIsReported(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newTokenHarness(t, emulator.Config{Switches: emulator.Switches{LenientRotation: lenient}})
			time.Sleep(2 * time.Hour)
			h.lose = "answer"
			if err := h.call(t); err == nil {
				t.Fatal("the answer was not lost")
			}
			h.restart()
			err := h.call(t)
			if lenient && err != nil {
				t.Errorf("the server still accepts the old token: %v", err)
			}
			if !lenient && (!errors.Is(err, leads.ErrUnauthorized) || !strings.Contains(err.Error(), "was never stored")) {
				t.Errorf("reported as %v", err)
			}
		})
	}
}

func TestTheApplicationsOwnUserIsPreferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		if err := h.call(t); err != nil {
			t.Fatal(err)
		}
		installer := h.store.grants[0]
		system := h.Install(t)
		system.System = true
		h.store.save(system)
		h.source.Reload()
		if token, err := h.source.Token(t.Context()); err != nil || token != system.AccessToken {
			t.Errorf("the installer's token is used still, %v", err)
		}
		other, err := h.source.Abandon(t.Context(), system.AccessToken)
		if token, _ := h.source.Token(t.Context()); err != nil || !other || token != installer.AccessToken {
			t.Errorf("no other user's token is used: %v, %v", other, err)
		}
		other, err = h.source.Abandon(t.Context(), installer.AccessToken)
		if err != nil || other {
			t.Errorf("there is still another user: %v, %v", other, err)
		}
		if _, err := h.source.Token(t.Context()); !errors.Is(err, leads.ErrUnauthorized) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdleTokensAreKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		old := h.store.grants[0].RefreshToken
		for range 3 {
			time.Sleep(149 * 24 * time.Hour)
			if err := h.source.KeepAlive(t.Context()); err != nil {
				t.Fatal(err)
			}
			if h.store.grants[0].RefreshToken != old {
				t.Error("refreshed too early")
			}
			time.Sleep(2 * 24 * time.Hour)
			if err := h.source.KeepAlive(t.Context()); err != nil || h.store.grants[0].RefreshToken == old {
				t.Fatalf("not refreshed: %v", err)
			}
			old = h.store.grants[0].RefreshToken
		}
		if err := h.call(t); err != nil {
			t.Errorf("after 450 idle days: %v", err)
		}
	})
}

func TestWithoutTheSecretTheFirstHourWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTokenHarness(t, emulator.Config{})
		h.source.OAuth.ClientID, h.source.OAuth.ClientSecret = "", ""
		if err := h.call(t); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		err := h.call(t)
		if err == nil || errors.Is(err, leads.ErrUnauthorized) || !strings.Contains(err.Error(), "LEADSYNC_B24_CLIENT_SECRET") {
			t.Errorf("got %v", err)
		}
	})
}
