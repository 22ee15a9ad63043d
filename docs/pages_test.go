package docs_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/docs/docstest"
)

// pages are all Markdown pages.
func pages(t *testing.T) map[string]docstest.Page {
	t.Helper()
	all := map[string]docstest.Page{}
	for _, path := range files(t, ".md") {
		all[path] = docstest.ReadPage(t, path)
	}
	if len(all) < 20 {
		t.Fatalf("only %d pages were found", len(all))
	}
	return all
}

// Links lead to files that exist, and to headings that exist.
func TestLinksLeadSomewhere(t *testing.T) {
	all, checked := pages(t), 0
	for path, page := range all {
		for _, link := range page.Links {
			u, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if u.Scheme != "" {
				continue
			}
			checked++
			target := path
			if u.Path != "" {
				target = filepath.Join(filepath.Dir(path), u.Path)
			}
			if relative, err := filepath.Rel(root, target); err != nil || strings.HasPrefix(relative, "..") {
				t.Errorf("%s links to %s, which is outside of the repository", path, link)
			} else if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", path, link)
			} else if u.Fragment != "" && !slices.Contains(all[target].Anchors, u.Fragment) {
				t.Errorf("%s links to %s, a heading that is not there", path, link)
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d links were found", checked)
	}
}

// Anchors are those of GitHub.
func TestAnchors(t *testing.T) {
	for heading, want := range map[string]string{
		"When \"not found\" may be false": "when-not-found-may-be-false", "1.10 The rules of application_token": "110-the-rules-of-application_token",
		"--json": "--json", "1,000,000 leads, by the portal's clock (2026-11-24)": "1000000-leads-by-the-portals-clock-2026-11-24", "Если что-то не так": "если-что-то-не-так",
	} {
		if got := docstest.Anchor(heading); got != want {
			t.Errorf("%s: %s, want %s", heading, got, want)
		}
	}
}

// A block of code says its language, so that a test can look at it. text is for what has none.
func TestBlocksCanBeRead(t *testing.T) {
	seen := map[string]int{}
	for path, page := range pages(t) {
		for _, block := range page.Blocks {
			seen[block.Language]++
			var err error
			switch block.Language {
			case "json":
				err = readJSON(block.Text)
			case "sh", "console", "sql", "sqlite", "yaml", "nginx", "caddyfile", "powershell", "bat", "xml", "ini", "text": // looked at elsewhere, or by nobody
			default:
				t.Errorf("%s:%d: a block in %q", path, block.Line, block.Language)
			}
			if err != nil {
				t.Errorf("%s:%d: %v", path, block.Line, err)
			}
		}
	}
	if seen["json"] < 4 || seen["sh"] < 10 || seen["sql"] < 20 {
		t.Errorf("blocks by language: %v", seen)
	}
}

// readJSON reads one value or several.
func readJSON(text string) error {
	decoder := json.NewDecoder(bytes.NewBufferString(text))
	for {
		if err := decoder.Decode(new(any)); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}
