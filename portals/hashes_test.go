package portals_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/portals"
)

func openHashes(tb testing.TB, path string) *portals.TokenHashes {
	tb.Helper()
	hashes, err := portals.OpenTokenHashes(path)
	if err != nil {
		tb.Fatal(err)
	}
	return hashes
}

// afterwards is a registry with the hashes of another one's file, and without a database.
func afterwards(t *testing.T, path string) *fixture {
	t.Helper()
	f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) }) // the same seed: the same portal
	f.store.down.Store(true)
	return f
}

func TestHashOnDiskRecognisesCallbacks(t *testing.T) {
	for _, test := range []struct {
		name string
		// learn brings the hash to the file.
		learn func(*fixture)
	}{
		{"learnt at the start", func(f *fixture) {
			f.installed()
			if err := f.registry.Learn(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"seen with a callback", func(f *fixture) {
			f.installed()
			f.recognise(f.info.MemberID, f.info.ApplicationToken)
		}},
		{"installed", func(f *fixture) { f.install(nil) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			before := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
			if test.learn(before); strings.Contains(before.log.String(), "not saved") {
				t.Errorf("the log: %s", before.log)
			}
			f := afterwards(t, path)
			if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); !got.Verified || got.Reason != portals.Accepted {
				t.Errorf("%+v", got)
			}
			if got := f.recognise(f.info.MemberID, "another"); got.Reason != portals.Accepted || got.Verified {
				t.Errorf("another token: %+v", got)
			}
			left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
			if err != nil || len(left) != 1 {
				t.Errorf("files %v, %v", left, err)
			}
			if content, err := os.ReadFile(path); err != nil || strings.Contains(string(content), f.info.ApplicationToken) {
				t.Errorf("the file holds the token itself, or nothing: %v", err)
			}
		})
	}
}

func TestHashOfAPortalWithoutATokenIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	before := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
	before.installed()
	p := before.stored(before.info.MemberID)
	for _, hash := range []string{p.TokenHash, ""} {
		p.TokenHash = hash
		before.save(p)
		if err := before.registry.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	f := afterwards(t, path)
	if got := f.recognise(f.info.MemberID, "any"); got.Reason != portals.Accepted || got.Verified {
		t.Errorf("%+v", got)
	}
}

func TestDamagedFileOfHashesCountsAsEmpty(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	for _, content := range []string{"", "{", "[]", `{"a":1}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
		f.installed()
		if err := f.registry.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), leads.HashToken(leads.Secret(f.info.ApplicationToken))) {
			t.Errorf("the file is not filled again: %s, %v", content, err)
		}
	}
	if _, err := portals.OpenTokenHashes(t.TempDir()); err == nil {
		t.Error("a file that cannot be read is no error")
	}
}

func TestFileOfHashesThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	path := filepath.Join(dir, "tokens.json")
	f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
	f.installed()
	for name, do := range map[string]func() error{
		"Learn":     func() error { return f.registry.Learn(t.Context()) },
		"Install":   func() error { return f.install(nil).Err },
		"Recognise": func() error { return f.recognise(f.info.MemberID, f.info.ApplicationToken).Err },
	} {
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := strings.Count(f.log.String(), "hashes of tokens not saved"); n != 1 {
		t.Errorf("%d lines in the log: %s", n, f.log)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	if _, err := os.Stat(path); err == nil {
		t.Error("it was tried again at once")
	}
	f.clock.Advance(10 * time.Second)
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), f.info.MemberID) {
		t.Errorf("it is not written later: %s, %v", content, err)
	}
}

// Something that stands where the file should be leaves no other files behind.
func TestFileOfHashesThatCannotBeReplaced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "tokens.json")
	f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
	f.installed()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	f.recognise(f.info.MemberID, f.info.ApplicationToken)
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 1 || !strings.Contains(f.log.String(), "hashes of tokens not saved") {
		t.Errorf("files %v, %v: %s", left, err, f.log)
	}
}

func TestHashesOfErasedPortalsGo(t *testing.T) {
	for name, notice := range map[string]func(*fixture, string){
		"by a callback": func(f *fixture, member string) { f.recognise(member, "t") },
		"by and by": func(f *fixture, _ string) {
			if err := f.registry.Learn(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(`{"erased":"`+leads.HashToken("t")+`"}`), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
		f.installed()
		f.recognise(f.info.MemberID, f.info.ApplicationToken)
		notice(f, "erased")
		content, err := os.ReadFile(path)
		if err != nil || strings.Contains(string(content), "erased") || !strings.Contains(string(content), f.info.MemberID) {
			t.Errorf("%s: %s, %v", name, content, err)
		}
	}
}

// What a callback brings while all portals are read is newer than what was read.
func TestLearningForgetsNothingNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) })
	f.registry = portals.New(func() portals.Config {
		cfg := f.cfg
		cfg.Store = meanwhile{f.store, func() {
			f.installed()
			f.recognise(f.info.MemberID, f.info.ApplicationToken)
		}}
		return cfg
	}())
	if err := f.registry.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(path); err != nil || !strings.Contains(string(content), f.info.MemberID) {
		t.Errorf("%s, %v", content, err)
	}
}

// meanwhile is a store that answers late.
type meanwhile struct {
	*database

	do func()
}

func (m meanwhile) Portals(ctx context.Context) ([]leads.Portal, error) {
	all, err := m.database.Portals(ctx)
	m.do()
	return all, err
}

func TestLearnNeedsTheDatabase(t *testing.T) {
	f := open(t, nil)
	f.store.down.Store(true)
	if err := f.registry.Learn(t.Context()); err == nil {
		t.Error("no error")
	}
}
