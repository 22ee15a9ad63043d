package portals_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
			test.learn(open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, path) }))
			f := afterwards(t, path)
			if got := f.recognise(f.info.MemberID, f.info.ApplicationToken); !got.Verified || got.Reason != portals.Accepted {
				t.Errorf("%+v", got)
			}
			if got := f.recognise(f.info.MemberID, "wrong"); got.Reason != portals.WrongToken || got.Verified {
				t.Errorf("a forger: %+v", got)
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
	f := open(t, func(f *fixture) { f.cfg.Hashes = openHashes(t, filepath.Join(t.TempDir(), "gone", "tokens.json")) })
	f.installed()
	if err := f.registry.Learn(t.Context()); err == nil || !strings.Contains(err.Error(), "write the hashes of tokens") {
		t.Errorf("Learn: %v", err)
	}
	if got := f.install(nil); got.Reason != portals.Accepted {
		t.Errorf("an installation: %+v", got)
	}
	p := f.stored(f.info.MemberID)
	p.TokenHash = leads.HashToken("another")
	f.save(p)
	if got := f.recognise(f.info.MemberID, "another"); !got.Verified {
		t.Errorf("a callback: %+v", got)
	}
	if !strings.Contains(f.log.String(), "hash of the token not saved") {
		t.Errorf("the log does not say so: %s", f.log)
	}
}

func TestLearnNeedsTheDatabase(t *testing.T) {
	f := open(t, nil)
	f.store.down.Store(true)
	if err := f.registry.Learn(t.Context()); err == nil {
		t.Error("no error")
	}
}
