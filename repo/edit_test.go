package repo_test

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

var editRounds = flag.Int("edit-rounds", 300, "how many edits BenchmarkEdit writes on each database")

// BenchmarkEdit writes edits of single leads on SQLite and on SQL Server in turn, so that other
// load on the machine affects both, and reports how many times as long SQL Server takes. An
// edit changes two fields of a lead with a phone number and an address.
func BenchmarkEdit(b *testing.B) {
	dbs := map[string]*repo.DB{}
	for name, server := range map[string]repotest.Server{"sqlite": repotest.SQLite(), "sqlserver": sqlServer(b)} {
		db, err := repo.Open(b.Context(), repo.Config{URL: server.URL(b)})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = db.Close() })
		if _, err := db.Migrate(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := db.Refill(b.Context()); err != nil {
			b.Fatal(err)
		}
		dbs[name] = db
	}
	tickets := leads.NewTickets(0)
	for b.Loop() {
		took := map[string][]time.Duration{}
		for round := range *editRounds + 20 {
			for name, db := range dbs { // in any order
				batch := []leads.Snapshot{benchmarkCard(b, tickets.Draw(), int64(1+round%50), round)}
				began := time.Now()
				mustApply(b, db, batch)
				if round >= 20 { // the first compile statements
					took[name] = append(took[name], time.Since(began))
				}
			}
		}
		for _, percent := range []int{50, 99} {
			at := map[string]float64{}
			for name, times := range took {
				slices.Sort(times)
				at[name] = times[len(times)*percent/100].Seconds() * 1000
				b.ReportMetric(at[name], fmt.Sprintf("ms-p%d-%s", percent, name))
			}
			b.ReportMetric(at["sqlserver"]/at["sqlite"], fmt.Sprintf("x-p%d", percent))
		}
	}
}
