package repo_test

import (
	"flag"
	"strconv"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

var loadRounds = flag.Int("load-rounds", 30, "how often BenchmarkLoad applies each size each way")

// BenchmarkLoad compares the ways to write a batch of changed leads: through temporary tables,
// by parameters and lists, and as repo chooses. They take turns, so that other load on the
// machine affects all of them. dialect.small is the size at which both are equally fast.
func BenchmarkLoad(b *testing.B) {
	b.Run("SQLite", func(b *testing.B) { benchmarkLoad(b, repotest.SQLite()) })
	b.Run("SQLServer", func(b *testing.B) { benchmarkLoad(b, sqlServer(b)) })
}

func benchmarkLoad(b *testing.B, server repotest.Server) {
	b.Helper()
	url := server.URL(b)
	ways := map[string]*repo.DB{}
	for _, way := range []string{"staged", "listed", "chosen"} {
		db, err := repo.Open(b.Context(), repo.Config{URL: url})
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
		db.LoadBy(way)
		ways[way] = db
	}
	tickets := leads.NewTickets(0)
	for _, size := range []int{1, 5, 10, 20, 50, 200} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			for b.Loop() {
				took := map[string]time.Duration{}
				for round := range *loadRounds + 2 {
					for way, db := range ways { // in any order
						batch := make([]leads.Snapshot, size)
						for i := range batch {
							batch[i] = benchmarkCard(b, tickets.Draw(), int64(1+i), int(tickets.Draw()))
						}
						began := time.Now()
						mustApply(b, db, batch)
						if round > 1 { // the first round compiles statements
							took[way] += time.Since(began)
						}
					}
				}
				for way, total := range took {
					b.ReportMetric(total.Seconds()*1000/float64(*loadRounds), "ms-"+way)
				}
				b.ReportMetric(took["staged"].Seconds()/took["chosen"].Seconds(), "x-staged")
				b.ReportMetric(took["listed"].Seconds()/took["chosen"].Seconds(), "x-listed")
			}
		})
	}
}
