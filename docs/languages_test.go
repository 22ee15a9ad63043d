package docs_test

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/docs/docstest"
)

// onlyEnglish are the pages without a Russian one, and why.
var onlyEnglish = map[string]string{
	"bitrix24.md":    "for people who change leadsync: what Bitrix24 does, with its sources",
	"failures.md":    "for people who change leadsync",
	"performance.md": "measurements, mostly figures",
}

// russianOf gives the Russian page for each English one that has it, by paths from the repository's root.
func russianOf(t *testing.T) map[string]string {
	t.Helper()
	pairs := map[string]string{"README.md": "README.ru.md"}
	found, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range found {
		_, err := os.Stat(filepath.Join("ru", page))
		reason, alone := onlyEnglish[page]
		switch {
		case err == nil && alone:
			t.Errorf("docs/%s is Russian, too, and listed as English only (%s)", page, reason)
		case err == nil:
			pairs["docs/"+page] = "docs/ru/" + page
		case !alone:
			t.Errorf("docs/ru/%s is not there, and no reason is listed", page)
		}
	}
	translated, err := filepath.Glob("ru/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range translated {
		if pairs["docs/"+filepath.Base(page)] == "" {
			t.Errorf("docs/%s is there without an English page", page)
		}
	}
	if len(pairs) < 10 {
		t.Fatalf("only %d pages are in both languages", len(pairs))
	}
	return pairs
}

// A page has the same headings, commands, variables, tables and links in both languages. Each Russian
// heading sets the English one's anchor, so that the addresses in errors work on both pages.
func TestLanguagesAgree(t *testing.T) {
	pairs := russianOf(t)
	for _, english := range slices.Sorted(maps.Keys(pairs)) {
		russian := pairs[english]
		t.Run(russian, func(t *testing.T) {
			want, got := common(t, english, pairs), common(t, russian, pairs)
			if diff := cmp.Diff(outline(want), outline(got)); diff != "" {
				t.Fatalf("headings (-%s +%s):\n%s", english, russian, diff)
			}
			for i, section := range want {
				if diff := cmp.Diff(section, got[i]); diff != "" {
					t.Errorf("#%s (-%s +%s):\n%s", section.Anchor, english, russian, diff)
				}
			}
		})
	}
}

// Below the title of a page, before anything else, is the link to the same page in the other language: errors and log
// entries lead to the English one, whoever reads them.
func TestLanguagesLinkToEachOther(t *testing.T) {
	for english, russian := range russianOf(t) {
		for _, page := range []struct{ path, other, begins string }{{english, russian, "[Русский]("}, {russian, english, "[English]("}} {
			text, err := os.ReadFile(filepath.Join(root, page.path))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.SplitN(string(text)+"\n\n\n", "\n", 4)
			link, below := strings.CutPrefix(lines[2], page.begins)
			if !below || target(page.path, strings.TrimSuffix(link, ")")) != page.other {
				t.Errorf("%s does not begin with a link to %s below its title: %q", page.path, page.other, lines[:3])
			}
		}
	}
}

// common are the sections of a page without what may differ between languages: the anchor of the
// title, links to the other language, and the domain of the example's portal.
func common(t *testing.T, page string, pairs map[string]string) []docstest.Section {
	t.Helper()
	sections := docstest.ReadSections(t, filepath.Join(root, page))
	local := strings.NewReplacer("portal.bitrix24.com", "portal.bitrix24.ru", "company.bitrix24.com", "company.bitrix24.ru")
	for i := range sections {
		s := &sections[i]
		if s.Level == 1 {
			s.Anchor = ""
		}
		for j, code := range s.Codes {
			s.Codes[j] = local.Replace(code)
		}
		for _, table := range s.Tables {
			for j, code := range table.First {
				table.First[j] = local.Replace(code)
			}
		}
		for j := range s.Blocks {
			s.Blocks[j].Text = local.Replace(s.Blocks[j].Text)
		}
		var links []string
		for _, link := range s.Links {
			to := target(page, link)
			if pairs[to] == page || pairs[page] == to {
				continue
			}
			path, fragment, _ := strings.Cut(to, "#")
			if russian := pairs[path]; russian != "" && pairs[page] != "" { // a Russian page links to Russian ones
				to = strings.TrimSuffix(russian+"#"+fragment, "#")
			}
			links = append(links, local.Replace(to))
		}
		slices.Sort(links)
		s.Links = links
	}
	return sections
}

// target is where a link of a page leads, by its path from the repository's root.
func target(page, link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "" {
		return link
	}
	if u.Path == "" {
		return page + link
	}
	to := filepath.ToSlash(filepath.Join(filepath.Dir(page), u.Path))
	if u.Fragment != "" {
		to += "#" + u.Fragment
	}
	return to
}

func outline(sections []docstest.Section) (headings []string) {
	for _, s := range sections {
		headings = append(headings, strings.Repeat("#", s.Level)+" "+s.Anchor)
	}
	return headings
}
