package handlers_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/handlers"
	"leadsync/leads"
)

type portals = handlers.Portals

// sulky is a database that may be down.
type sulky struct {
	portals

	down atomic.Bool
}

var errDown = errors.New("the database is down")

func (s *sulky) Portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	if s.down.Load() {
		return leads.Portal{}, false, errDown
	}
	return s.portals.Portal(ctx, memberID)
}

func (s *sulky) SavePortal(ctx context.Context, p leads.Portal) error {
	if s.down.Load() {
		return errDown
	}
	return s.portals.SavePortal(ctx, p)
}

// shelf keeps entries.
type shelf struct {
	mu   sync.Mutex
	kept []events.Entry
}

func (s *shelf) store(_ context.Context, e events.Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, e)
	return nil
}

func (s *shelf) last(tb testing.TB) events.Entry {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) == 0 {
		tb.Fatal("nothing was stored")
	}
	return s.kept[len(s.kept)-1]
}

// degraded is a face whose database is down from the start.
func degraded(tb testing.TB, tokens *handlers.TokenHashes, change func(*face, *handlers.Config)) (*face, *sulky, *shelf) {
	tb.Helper()
	db, kept := &sulky{}, &shelf{}
	f := open(tb, func(f *face, cfg *handlers.Config) {
		db.portals = f.db
		cfg.Portals, cfg.Store, cfg.Tokens = db, kept.store, tokens
		if change != nil {
			change(f, cfg)
		}
	})
	db.down.Store(true)
	return f, db, kept
}

func openTokens(tb testing.TB, path string) *handlers.TokenHashes {
	tb.Helper()
	tokens, err := handlers.OpenTokenHashes(path)
	if err != nil {
		tb.Fatal(err)
	}
	return tokens
}

func TestWithoutDatabaseAnUnknownPortalsCallbackIsVerifiedLater(t *testing.T) {
	f, db, kept := degraded(t, nil, nil)
	f.installed()
	info := f.portal.Info()
	for _, test := range []struct {
		name, member, token string
		genuine             bool
	}{
		{"genuine", info.MemberID, info.ApplicationToken, true},
		{"a wrong token", info.MemberID, "wrong", false},
		{"an invented portal", "bbbb", info.ApplicationToken, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			db.down.Store(true)
			if status, _ := f.post(callback("ONCRMLEADADD", test.member, test.token, "7")); status != http.StatusOK {
				t.Fatalf("answered %d", status)
			}
			e := kept.last(t)
			if e.TokenHash != leads.HashToken(leads.Secret(test.token)) || e.MemberID != test.member {
				t.Errorf("stored %+v", e)
			}
			if _, err := f.Verify(t.Context(), e); !errors.Is(err, errDown) {
				t.Errorf("verified without a database: %v", err)
			}
			db.down.Store(false)
			if genuine, err := f.Verify(t.Context(), e); err != nil || genuine != test.genuine {
				t.Errorf("genuine %v, %v", genuine, err)
			}
		})
	}
	if n := f.Stats.Refused()[handlers.RefusedLater]; n != 2 {
		t.Errorf("%d counted as forged", n)
	}
}

func TestHashOnDiskTellsCallbacksFromForgeriesWithoutADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	before := open(t, func(_ *face, cfg *handlers.Config) { cfg.Tokens = openTokens(t, path) })
	before.installed()
	if err := before.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	info := before.portal.Info()
	f, _, kept := degraded(t, openTokens(t, path), nil) // the same seed: the same portal
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "7")); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	if e := kept.last(t); e.TokenHash != "" {
		t.Error("it waits for verification although it is verified")
	}
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "wrong", "7")); status != http.StatusForbidden || len(kept.kept) != 1 {
		t.Errorf("a forger is answered %d", status)
	}
}

func TestDatabaseThatGoesAwayLeavesKnownPortalsKnown(t *testing.T) {
	f, db, kept := degraded(t, nil, nil)
	f.installed()
	db.down.Store(false)
	info := f.portal.Info()
	genuine := callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "7")
	f.post(genuine)
	db.down.Store(true)
	f.clock.advance(time.Hour)
	for range 3 {
		if status, _ := f.post(genuine); status != http.StatusOK || kept.last(t).TokenHash != "" {
			t.Fatalf("answered %d, stored %+v", status, kept.last(t))
		}
	}
}

func TestWebhooksFirstCallbackMayComeWithoutADatabase(t *testing.T) {
	f, db, kept := degraded(t, nil, func(f *face, cfg *handlers.Config) { cfg.Webhook = webhook(f, "") })
	info := f.portal.Info()
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, info.WebhookApplicationToken, "1")); status != http.StatusOK {
		t.Fatalf("answered %d", status)
	}
	e := kept.last(t)
	db.down.Store(false)
	if genuine, err := f.Verify(t.Context(), e); err != nil || !genuine {
		t.Fatalf("genuine %v, %v", genuine, err)
	}
	if len(f.portals()) != 1 {
		t.Error("the portal was not adopted")
	}
}

func TestTokenOfAnInstallationOnAnotherReplicaIsKnownSoon(t *testing.T) {
	f := open(t, nil)
	f.installed()
	info := f.portal.Info()
	f.post(callback("ONCRMLEADADD", info.MemberID, info.ApplicationToken, "1"))
	p := f.portals()[0]
	p.TokenHash = leads.HashToken("renewed")
	if err := f.db.SavePortal(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	f.clock.advance(2 * time.Second) // less than portals are remembered
	if status, _ := f.post(callback("ONCRMLEADADD", info.MemberID, "renewed", "1")); status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
}

func TestDamagedFileOfHashesIsAnEmptyOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	f := open(t, func(_ *face, cfg *handlers.Config) { cfg.Tokens = openTokens(t, path) })
	f.installed()
	if err := f.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", "[]", `{"a":1}`} {
		if err := writeFile(path, content); err != nil {
			t.Fatal(err)
		}
		openTokens(t, path)
	}
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }
