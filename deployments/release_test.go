package deployments_test

import (
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/goreleaser/fileglob"
	"go.yaml.in/yaml/v3"

	"leadsync/docs/docstest"
)

// docDir is where the packages have the repository's tree, as far as people read it.
const docDir = "/usr/share/doc/leadsync/"

// entry is a line of .goreleaser.yaml that puts files somewhere.
type entry struct {
	Src, Dst, Packager string
	Type               string // of what is no copy of a file
	StripParent        bool   `yaml:"strip_parent"`
}

// released is as much of .goreleaser.yaml as says which files land where.
type released struct {
	Archives []struct{ Files []entry }
	NFPMs    []struct{ Contents []entry } `yaml:"nfpms"`
}

// shipped gives for each place in an archive, or in a package, the file of the repository that lands there. What
// the build makes (bin/shell) is left out: it is no page. The test goes on in the repository's root.
func shipped(t *testing.T) map[string]map[string]string {
	t.Helper()
	t.Chdir("..")
	data, err := os.ReadFile(".goreleaser.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var r released
	if err := yaml.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Archives) != 1 || len(r.NFPMs) != 1 {
		t.Fatalf("%d lists of archives and %d of packages, want one of each", len(r.Archives), len(r.NFPMs))
	}
	return map[string]map[string]string{
		"archive": placed(t, r.Archives[0].Files, ""), "deb": placed(t, r.NFPMs[0].Contents, "deb"), "rpm": placed(t, r.NFPMs[0].Contents, "rpm"),
	}
}

func placed(t *testing.T, entries []entry, packager string) map[string]string {
	t.Helper()
	places := map[string]string{}
	for _, e := range entries {
		if e.Type != "" || strings.HasPrefix(e.Src, "bin/") || e.Packager != "" && e.Packager != packager {
			continue
		}
		found, err := fileglob.Glob(e.Src)
		if err != nil || len(found) == 0 {
			t.Errorf("%s: no such files (%v)", e.Src, err)
			continue
		}
		for _, file := range found {
			places[e.place(t, found, file)] = file
		}
	}
	return places
}

// place is where goreleaser and nfpm put one of the files that were found: below dst, by its path from the directory that all of them share.
func (e entry) place(t *testing.T, found []string, file string) string {
	t.Helper()
	if e.StripParent {
		return path.Join(e.Dst, path.Base(file))
	}
	if e.Dst == "" {
		return file
	}
	base := e.Src
	if _, err := os.Stat(base); errors.Is(err, fs.ErrNotExist) || fileglob.ContainsMatchers(base) {
		base = filepath.Dir(commonPrefix(found))
	}
	relative, err := filepath.Rel(base, file)
	if err != nil {
		t.Fatal(err)
	}
	return path.Join(e.Dst, relative)
}

func commonPrefix(texts []string) string {
	prefix := texts[0]
	for _, text := range texts {
		for !strings.HasPrefix(text, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	return prefix
}

// Every relative link of every page that is shipped leads, there, too, to the file to which it leads in the repository.
func TestLinksOfShippedPagesLeadToShippedFiles(t *testing.T) {
	for name, places := range shipped(t) {
		checked := 0
		for _, place := range slices.Sorted(maps.Keys(places)) {
			source := places[place]
			if !strings.HasSuffix(source, ".md") {
				continue
			}
			for _, link := range docstest.ReadPage(t, source).Links {
				u, err := url.Parse(link)
				if err != nil {
					t.Errorf("%s: %v", source, err)
				} else if u.Scheme == "" && u.Path != "" {
					checked++
					if !leadsTo(places, path.Join(path.Dir(place), u.Path), path.Join(path.Dir(source), u.Path)) {
						t.Errorf("%s: %s links to %s, which is not shipped there", name, place, link)
					}
				}
			}
		}
		if checked < 200 {
			t.Errorf("%s: only %d links were found", name, checked)
		}
	}
}

// leadsTo tells whether a file of the repository, or files below a directory of it, are at a place.
func leadsTo(places map[string]string, place, want string) bool {
	if source, ok := places[place]; ok {
		return source == want
	}
	for other, source := range places {
		if strings.HasPrefix(other, place+"/") && strings.HasPrefix(source, want+"/") {
			return true
		}
	}
	return false
}

// Archives and packages have the same files for readers, at the repository's paths, and no code.
func TestArchivesAndPackagesHaveTheSamePages(t *testing.T) {
	all := shipped(t)
	archive := slices.Sorted(maps.Values(all["archive"]))
	for place, source := range all["archive"] {
		if place != source || strings.HasSuffix(source, ".go") {
			t.Errorf("the archive has %s as %s", source, place)
		}
	}
	for _, packager := range []string{"deb", "rpm"} {
		var tree []string
		for place, source := range all[packager] {
			if place == docDir+source {
				tree = append(tree, source)
			} else if strings.HasPrefix(place, docDir) && place != docDir+"copyright" {
				t.Errorf("the %s has %s at %s", packager, source, place)
			}
		}
		slices.Sort(tree)
		if diff := cmp.Diff(archive, tree); diff != "" {
			t.Errorf("(-archive +%s):\n%s", packager, diff)
		}
	}
}
