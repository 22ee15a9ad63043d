package repotest

import (
	"slices"
	"strings"
	"testing"

	"leadsync/repo"
)

// health wants each question about a database in use to be answered, and nothing to be wrong with
// one that was just made.
func health(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	found, err := m.Health(m.ctx)
	m.must(err)
	if m.Dialect() == "sqlite" {
		if len(found) > 0 {
			t.Errorf("found in a file: %+v", found)
		}
		return
	}
	peer := m.babelfish() // which lacks some functions; it calls itself level 120, and reads JSON
	for _, check := range []string{"server", "database", "rights", "room", "statistics"} {
		if !slices.ContainsFunc(found, func(c repo.Condition) bool { return c.Check == check }) {
			t.Errorf("nothing was said of %s", check)
		}
	}
	for _, c := range found {
		switch {
		case c.Check == "room" && strings.Contains(c.Found, "the server's disk"): // no server says
		case peer && (c.Check == "room" || c.Check == "statistics") && c.Unchecked():
		case c.Unchecked() || c.Severity == repo.Stops:
			t.Errorf("%s: %s", c.Check, c.Found)
		}
	}
}

// lacks wants Health to say exactly which rights of tables a login lacks, one as an example; ""
// is none.
func (m *mirror) lacks(db *repo.DB, example string) {
	m.t.Helper()
	found, err := db.Health(m.ctx)
	m.must(err)
	var lacking []string
	for _, c := range found {
		if c.Check == "rights" && (c.Severity == repo.Stops || c.Unchecked()) {
			lacking = append(lacking, c.Found)
		}
	}
	if example == "" && len(lacking) > 0 || example != "" && !slices.Contains(lacking, "the login lacks "+example) {
		m.t.Errorf("rights that are said to be lacking: %q, want %q", lacking, example)
	}
}
