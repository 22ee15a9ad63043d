package repo_test

import (
	"testing"

	"leadsync/repo/repotest"
)

func TestSQLite(t *testing.T) {
	repotest.Run(t, repotest.SQLite())
}
