package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Figures come from the log of a test; one that is measured again replaces the old one.
func TestFiguresAreCollected(t *testing.T) {
	log := "=== RUN   TestX\n    million_test.go:99: figure: {\"what\":\"import: leads\",\"size\":2000,\"value\":950.5,\"unit\":\"a second\"}\n--- PASS: TestX\n"
	measured, err := collect(log)
	if err != nil {
		t.Fatal(err)
	}
	again := Figure{What: "import: leads", Size: 2000, Value: 950.5, Unit: "a second"}
	other := Figure{What: "import: leads", Size: 5000, Value: 900, Unit: "a second", Date: "2026-11-26", Command: "x"}
	old := Figure{What: "import: leads", Size: 2000, Value: 1, Unit: "a second", Date: "2026-11-25", Command: "x"}
	if diff := cmp.Diff([]Figure{again, other}, merge([]Figure{other, old}, measured)); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
	if _, err := collect("figure: {\n"); err == nil {
		t.Error("a broken figure is no error")
	}
}

// A command that fails changes nothing, and so does one that measures nothing.
func TestFailedMeasurementsAreNotKept(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"growth", "images"} {
		if err := os.MkdirAll(filepath.Join(root, "docs", dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, command := range [][]string{{"go", "no-such-command"}, {"go", "version"}} {
		if err := run(t.Context(), root, command, io.Discard); err == nil {
			t.Errorf("%v: no error", command)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "docs", "growth", "figures.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("figures were written: %v", err)
	}
}

// The picture in the repository shows the figures in the repository, all of them.
func TestPictureShowsTheFigures(t *testing.T) {
	figures, err := read("figures.json")
	if err != nil {
		t.Fatal(err)
	}
	drawn := draw(figures)
	kept, err := os.ReadFile("../images/growth.svg")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(drawn, kept) {
		t.Error("docs/images/growth.svg is not what docs/growth/figures.json says: run go run ./docs/growth")
	}
	decoder := xml.NewDecoder(bytes.NewReader(drawn))
	var texts []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v", err)
		}
		if data, ok := token.(xml.CharData); ok {
			texts = append(texts, string(data))
		}
	}
	for _, f := range figures {
		if f.Date == "" || f.Command == "" || f.Size < 1 {
			t.Errorf("%+v: says not when or how it was measured", f)
		}
		shown := slices.ContainsFunc(panels, func(p panel) bool {
			return slices.ContainsFunc(p.lines, func(l line) bool { return l.what == f.What })
		})
		if shown && !slices.Contains(texts, short(f.Value)) {
			t.Errorf("%+v is not in the picture", f)
		}
	}
	if !strings.Contains(string(drawn), "prefers-color-scheme: dark") {
		t.Error("no colours for a dark page")
	}
}
