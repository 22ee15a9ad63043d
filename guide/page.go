package guide

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// packaged is where the packages for Linux have the repository's tree of pages.
const packaged = "/usr/share/doc/leadsync"

// Page is where this machine has a page of the repository, such as "docs/trouble.md#portals". Where the
// machine has none, it stays as it is.
func Page(page string) string { return Below(root(), page) }

// root is looked for once: a program and its pages are installed together.
var root = sync.OnceValue(func() string {
	places := []string{".", packaged} // in a clone; from a package
	if program, err := os.Executable(); err == nil {
		places = append([]string{filepath.Dir(program)}, places...) // from an archive
	}
	return Root(places...)
})

// Root is the first of some directories that has the pages; "" where none has.
func Root(places ...string) string {
	for _, place := range places {
		if info, err := os.Stat(filepath.Join(place, troublePage)); err == nil && info.Mode().IsRegular() {
			return place
		}
	}
	return ""
}

// Below is a page of a directory that Root found.
func Below(root, page string) string {
	if root == "" {
		return page
	}
	file, heading, found := strings.Cut(page, "#")
	if file = filepath.Join(root, file); found {
		file += "#" + heading
	}
	return file
}
