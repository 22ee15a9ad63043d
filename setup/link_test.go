package setup

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestTheFormerFileIsKeptWhereThereAreNoLinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "leadsync.env")
	noLinks := func(string, string) error { return errors.ErrUnsupported }
	for _, want := range []string{path + ".old", path + ".old.2"} {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		old, err := saveFormer(path, noLinks)
		if err != nil || old != want {
			t.Errorf("%s, %v, want %s", old, err, want)
		}
	}
	for _, name := range []string{path + ".old", path + ".old.2"} {
		if text, err := os.ReadFile(name); err != nil || string(text) != name {
			t.Errorf("%s has %q, %v", name, text, err)
		}
	}
}
