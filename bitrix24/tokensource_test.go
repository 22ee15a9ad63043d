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
	"leadsync/leads"
)

// vault keeps tokens as the database does, and fails as one.
type vault struct {
	grants []leads.Grant
	by     string
	// fail is "", or how it fails: "before" and "after" say whether a write has been done,
	// "rotate" that it takes no new pair.
	fail string
}

var errVault = errors.New("database is down")

func (v *vault) at(token leads.Secret) *leads.Grant {
	for i := range v.grants {
		if v.grants[i].RefreshToken == token {
			return &v.grants[i]
		}
	}
	return nil
}

func (v *vault) Grants(context.Context, string) ([]leads.Grant, error) {
	if v.fail == "before" || v.fail == "after" {
		return nil, errVault
	}
	sorted := slices.Clone(v.grants)
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

func (v *vault) BeginRefresh(_ context.Context, pair leads.Grant, by string, life time.Duration) (bool, error) {
	if v.fail == "before" {
		return false, errVault
	}
	g := v.at(pair.RefreshToken)
	if g == nil || !g.RefreshBegan.IsZero() && v.by != by && time.Since(g.RefreshBegan) < life {
		return false, nil
	}
	g.RefreshBegan, v.by = time.Now(), by
	return true, v.failure()
}

func (v *vault) RotateGrant(_ context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	if v.fail == "before" || v.fail == "rotate" {
		return false, errVault
	}
	g := v.at(old)
	if g == nil {
		return false, v.failure()
	}
	system := g.System
	*g = next
	g.System = system
	return true, v.failure()
}

func (v *vault) failure() error {
	if v.fail == "after" {
		return errVault
	}
	return nil
}

func (v *vault) save(g leads.Grant) {
	v.grants = slices.DeleteFunc(v.grants, func(old leads.Grant) bool { return old.System == g.System })
	v.grants = append(v.grants, g)
}

// chainWorld is a portal, its authorization server, what is stored, and the process that
// owns the portal.
type chainWorld struct {
	in     *inside
	vault  *vault
	chain  *bitrix24.TokenSource
	client *bitrix24.Client
	births int
	lose   string // of the next token request: "request", "answer", "page", "half"
}

func newChainWorld(tb testing.TB, cfg emulator.Config) *chainWorld {
	tb.Helper()
	cfg.NoLimits = true
	w := &chainWorld{in: startInside(tb, cfg), vault: &vault{}}
	w.vault.save(w.in.install(tb))
	w.in.answer(w.spoil)
	w.crash()
	return w
}

// spoil is what goes wrong on the way to the authorization server.
func (w *chainWorld) spoil(r *http.Request) *http.Response {
	if !strings.HasSuffix(r.URL.Path, "/oauth/token/") || w.lose == "" {
		return nil
	}
	lose := w.lose
	w.lose = ""
	if lose == "page" {
		return canned(http.StatusBadGateway, "<html>bad gateway</html>")
	}
	if lose == "answer" || lose == "half" {
		handler := &inside{portal: w.in.portal, address: w.in.address}
		if resp, err := handler.RoundTrip(r); err == nil {
			_ = resp.Body.Close()
		}
	}
	if lose == "half" {
		return canned(http.StatusOK, `{"access_token":"`)
	}
	return canned(http.StatusBadGateway, "")
}

// crash ends the owner, and another process takes over.
func (w *chainWorld) crash() {
	w.births++
	w.chain = &bitrix24.TokenSource{
		MemberID: w.in.portal.Info().MemberID, Server: insideServer, OAuth: w.in.oauth(), Grants: w.vault,
		By: "process " + string(rune('A'+w.births%26)),
	}
	w.client = bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: insidePortal + "/rest/", Tokens: w.chain, HTTP: w.in.client()})
}

func (w *chainWorld) call(tb testing.TB) error {
	tb.Helper()
	_, err := w.client.Call(tb.Context(), "server.time", nil)
	return err
}

// Whatever happens in whatever order: when all is well again, the portal can be called,
// or somebody is told to authorize it.
func TestTokensEndInAWorkingPairOrInAWordToAPerson(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		strict := rapid.Bool().Draw(r, "strict rotation")
		kills := rapid.Bool().Draw(r, "a refresh kills the access token")
		// A few kinds of steps at a time meet each other more often than all of them do.
		kinds := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
			"minute", "expire", "lose request", "lose answer", "lose page", "lose half", "crash", "database down before",
			"database down after", "database down rotate", "database up", "install", "system user", "abandoned", "two owners",
			"keep alive", "half a year",
		}), 1, 4, rapid.ID).Draw(r, "kinds")
		steps := rapid.SliceOfN(rapid.SampledFrom(append(kinds, "call", "hour")), 1, 20).Draw(r, "steps")
		synctest.Test(t, func(t *testing.T) {
			w := newChainWorld(t, emulator.Config{Switches: emulator.Switches{LenientRotation: !strict, RefreshKillsAccess: kills}})
			losses := 0
			for _, step := range steps {
				switch what, how, _ := strings.Cut(step, " "); what {
				case "call":
					_ = w.call(t)
				case "hour":
					time.Sleep(time.Hour)
				case "minute":
					time.Sleep(time.Minute)
				case "half":
					time.Sleep(160 * 24 * time.Hour)
					losses++ // twice without a call is more than a refresh token lives
				case "keep":
					_ = w.chain.KeepAlive(t.Context())
				case "expire":
					w.in.portal.ExpireTokens()
				case "lose":
					w.lose = how
					losses++
				case "crash":
					if w.vault.fail != "" {
						losses++ // a pair may have been in its hands
					}
					w.crash()
				case "database":
					w.vault.fail = strings.TrimPrefix(how, "down ")
					if how == "up" {
						w.vault.fail = ""
					}
				case "install":
					w.vault.save(w.in.install(t))
				case "system":
					g := w.in.install(t)
					g.System = true
					w.vault.save(g)
					w.chain.Reload()
				case "abandoned":
					_, _ = w.chain.Abandon(t.Context(), "somebody else's")
				case "two":
					former := w.chain
					w.crash()
					_, _ = former.Token(t.Context())
					if former.Close() != nil {
						losses++ // it ends with a pair in its hands
					}
				}
			}
			w.vault.fail, w.lose = "", ""
			time.Sleep(time.Minute)
			w.in.portal.ExpireTokens()
			err := w.call(t)
			if err != nil && !errors.Is(err, leads.ErrUnauthorized) {
				t.Fatalf("after %v: a dead end: %v", steps, err)
			}
			if err != nil && losses == 0 {
				t.Fatalf("after %v: the tokens are lost although nothing was: %v", steps, err)
			}
			if err == nil {
				return
			}
			w.vault.save(w.in.install(t))
			w.crash()
			if err := w.call(t); err != nil {
				t.Fatalf("after %v: a new authorization does not help: %v", steps, err)
			}
		})
	})
}

func TestANewPairIsKeptUntilTheDatabaseTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		old := w.vault.grants[0]
		rotating := &failingRotation{vault: w.vault}
		w.chain.Grants = rotating
		if err := w.call(t); err != nil {
			t.Fatal(err)
		}
		if w.vault.grants[0].RefreshToken == old.RefreshToken || rotating.failures == 0 {
			t.Errorf("%d failures; stored the old pair still: %v", rotating.failures, w.vault.grants[0].RefreshToken == old.RefreshToken)
		}
		if n := w.in.portal.Stats().Requests["oauth.token"]; n != 2 { // one was the code's exchange
			t.Errorf("%d token requests", n)
		}
	})
}

func TestANewPairOutlastsALongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		w.vault.fail = "rotate"
		for range 5 {
			if err := w.call(t); !errors.Is(err, errVault) {
				t.Fatalf("got %v", err)
			}
		}
		if err := w.chain.Close(); !errors.Is(err, errVault) {
			t.Errorf("closed with a pair in its hands: %v", err)
		}
		w.vault.fail = ""
		if err := w.call(t); err != nil {
			t.Errorf("after the outage: %v", err)
		}
	})
}

// failingRotation is a database that takes no pair for three tries.
type failingRotation struct {
	*vault

	failures int
}

func (f *failingRotation) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	if f.failures < 3 {
		f.failures++
		return false, errVault
	}
	return f.vault.RotateGrant(ctx, old, next)
}

func TestARefreshIsNotCutShortByAStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		time.Sleep(2 * time.Hour)
		old := w.vault.grants[0].RefreshToken
		ctx, cancel := context.WithCancel(t.Context())
		w.in.answer(func(r *http.Request) *http.Response {
			cancel() // we are told to stop while the server rotates
			<-ctx.Done()
			if r.Context().Err() != nil {
				t.Error("the request was cut off")
			}
			return nil
		})
		_, _ = w.chain.Token(ctx)
		if w.vault.grants[0].RefreshToken == old {
			t.Error("the new pair is lost")
		}
	})
}

func TestNothingIsSpentWhileTheDatabaseIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		if err := w.call(t); err != nil {
			t.Fatal(err)
		}
		before := w.in.portal.Stats().Requests["oauth.token"]
		time.Sleep(2 * time.Hour)
		w.vault.fail = "before"
		if err := w.call(t); !errors.Is(err, errVault) {
			t.Errorf("got %v", err)
		}
		if n := w.in.portal.Stats().Requests["oauth.token"]; n != before {
			t.Errorf("%d refreshes", n-before)
		}
	})
}

func TestACrashBetweenAnswerAndWriteIsReported(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newChainWorld(t, emulator.Config{Switches: emulator.Switches{LenientRotation: lenient}})
			time.Sleep(2 * time.Hour)
			w.lose = "answer"
			if err := w.call(t); err == nil {
				t.Fatal("the answer was not lost")
			}
			w.crash()
			err := w.call(t)
			if lenient && err != nil {
				t.Errorf("the server still takes the old token, and yet: %v", err)
			}
			if !lenient && (!errors.Is(err, leads.ErrUnauthorized) || !strings.Contains(err.Error(), "was never stored")) {
				t.Errorf("reported as %v", err)
			}
		})
	}
}

func TestTheApplicationsOwnUserIsPreferred(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		if err := w.call(t); err != nil {
			t.Fatal(err)
		}
		installer := w.vault.grants[0]
		system := w.in.install(t)
		system.System = true
		w.vault.save(system)
		w.chain.Reload()
		if token, err := w.chain.Token(t.Context()); err != nil || token != system.AccessToken {
			t.Errorf("the installer's token is used still, %v", err)
		}
		other, err := w.chain.Abandon(t.Context(), system.AccessToken)
		if token, _ := w.chain.Token(t.Context()); err != nil || !other || token != installer.AccessToken {
			t.Errorf("nobody stands in for a dead user: %v, %v", other, err)
		}
		other, err = w.chain.Abandon(t.Context(), installer.AccessToken)
		if err != nil || other {
			t.Errorf("there is still somebody: %v, %v", other, err)
		}
		if _, err := w.chain.Token(t.Context()); !errors.Is(err, leads.ErrUnauthorized) {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdleTokensAreKeptAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		old := w.vault.grants[0].RefreshToken
		for range 3 {
			time.Sleep(149 * 24 * time.Hour)
			if err := w.chain.KeepAlive(t.Context()); err != nil {
				t.Fatal(err)
			}
			if w.vault.grants[0].RefreshToken != old {
				t.Error("refreshed too early")
			}
			time.Sleep(2 * 24 * time.Hour)
			if err := w.chain.KeepAlive(t.Context()); err != nil || w.vault.grants[0].RefreshToken == old {
				t.Fatalf("not refreshed: %v", err)
			}
			old = w.vault.grants[0].RefreshToken
		}
		if err := w.call(t); err != nil {
			t.Errorf("after 450 idle days: %v", err)
		}
	})
}

func TestWithoutTheSecretTheFirstHourWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChainWorld(t, emulator.Config{})
		w.chain.OAuth.ClientID, w.chain.OAuth.ClientSecret = "", ""
		if err := w.call(t); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		err := w.call(t)
		if err == nil || errors.Is(err, leads.ErrUnauthorized) || !strings.Contains(err.Error(), "LEADSYNC_B24_CLIENT_SECRET") {
			t.Errorf("got %v", err)
		}
	})
}
