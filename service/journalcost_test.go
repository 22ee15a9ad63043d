//go:build unix

package service

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/events/spool"
	"leadsync/journal"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/owner"
	"leadsync/repo"
)

// spent is what the process has used of the processors: on a busy machine it says more than the
// time that passed.
func spent(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cost is what something took, by processor and by clock.
type cost struct{ cpu, wall time.Duration }

func (c *cost) measure(tb testing.TB, do func()) {
	tb.Helper()
	cpu, began := spent(tb), time.Now()
	do()
	c.wall += time.Since(began)
	c.cpu += spent(tb) - cpu
}

// compare runs two ways in turn, each first every other time, and reports the ratio.
func compare(b *testing.B, rounds int, without, with func(round int)) {
	b.Helper()
	var one, two, warm cost
	for round := range rounds {
		if round == 2 { // the first ones warm up
			one, two = warm, warm
		}
		first := func() { one.measure(b, func() { without(round) }) }
		second := func() { two.measure(b, func() { with(round) }) }
		if round%2 == 1 {
			first, second = second, first
		}
		first()
		second()
	}
	b.ReportMetric(two.cpu.Seconds()/one.cpu.Seconds(), "x-cpu")
	b.ReportMetric(two.wall.Seconds()/one.wall.Seconds(), "x-wall")
}

// BenchmarkJournalImport writes leads in batches of 1,000, as an import does, with the journal and
// without; the announcements' entries are added, too.
func BenchmarkJournalImport(b *testing.B) {
	for b.Loop() {
		plain, recorded := owner.Mirror{Rows: newMirror(b)}, owner.Mirror{Rows: newMirror(b)}
		j := openBenchJournal(b)
		recorded = owner.Recorded(recorded, j, time.Now)
		tickets := leads.NewTickets(1)
		apply := func(m owner.Mirror, round int) []leads.Outcome {
			outcomes, err := m.Rows.Apply(b.Context(), cards(b, tickets, round*1000, 1000))
			if err != nil {
				b.Fatal(err)
			}
			return outcomes
		}
		compare(b, 16, func(round int) { apply(plain, round) }, func(round int) {
			outcomes := apply(recorded, round)
			entries := make([]journal.Entry, len(outcomes))
			for i, o := range outcomes {
				entries[i] = journal.Entry{At: time.Now(), Kind: journal.Published, MemberID: o.MemberID, LeadID: o.LeadID, Revision: 1, Sequence: uint64(i)}
			}
			j.Add(entries...)
			j.Flush()
		})
		b.ReportMetric(float64(j.Stats().Bytes)/float64(j.Stats().Taken), "B/entry")
	}
}

// BenchmarkJournalIngest stores callbacks on an embedded server that syncs each of them.
func BenchmarkJournalIngest(b *testing.B) {
	for b.Loop() {
		bus := eventstest.Bus(b)
		intake := func(j *journal.Journal) *events.Intake {
			return &events.Intake{
				Publish: (&publisher{bus}).publish, Verified: openBenchSpool(b), Unverified: openBenchSpool(b),
				Now: time.Now, Journal: j, Log: leadstest.Silent(),
			}
		}
		j := openBenchJournal(b)
		plain, recorded := intake(nil), intake(j)
		take := func(in *events.Intake, round int) {
			for n := range 250 {
				e, err := events.NoticeEntry(events.Notice{
					Ref: leads.Ref{MemberID: "a223c6b3710f85df22e9377d6c4f7553", LeadID: int64(1 + round*250 + n)}, Event: "ONCRMLEADUPDATE",
					Cause: leads.CauseEvent, ReceivedAt: time.Now().UTC(),
				})
				if err == nil {
					err = in.Take(b.Context(), e)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		}
		compare(b, 60, func(round int) { take(plain, 2*round) }, func(round int) { take(recorded, 2*round+1); j.Flush() })
	}
}

// BenchmarkHistory compares an import with what its rows of leadsync_changes cost alone.
func BenchmarkHistory(b *testing.B) {
	for b.Loop() {
		db, tickets := newMirror(b), leads.NewTickets(1)
		var whole, alone cost
		for round := range 16 {
			batch := cards(b, tickets, round*1000, 1000)
			whole.measure(b, func() {
				if _, err := db.Apply(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			})
		}
		raw := rawMirror(b)
		for round := range 16 {
			alone.measure(b, func() { insertChanges(b, raw, round*1000, 1000) })
		}
		b.ReportMetric(whole.cpu.Seconds()/(whole.cpu-alone.cpu).Seconds(), "x-cpu")
		b.ReportMetric(whole.wall.Seconds()/(whole.wall-alone.wall).Seconds(), "x-wall")
	}
}

type publisher struct{ bus *events.Bus }

func (p *publisher) publish(ctx context.Context, e events.Entry) (uint64, error) {
	return events.StoreEntry(ctx, p.bus, e)
}

func openBenchJournal(b *testing.B) *journal.Journal {
	b.Helper()
	j, err := journal.Open(journal.Config{Dir: b.TempDir(), Owner: true})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	return j
}

func openBenchSpool(b *testing.B) *spool.Spool {
	b.Helper()
	s, err := spool.Open(spool.Config{Dir: b.TempDir(), TakenAt: events.EntryTime, Log: leadstest.Silent()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func newMirror(b *testing.B) *repo.DB {
	b.Helper()
	db, err := repo.Open(b.Context(), repo.Config{URL: "sqlite:" + filepath.Join(b.TempDir(), "mirror.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	return db
}

// rawMirror is a migrated database without leadsync.
func rawMirror(b *testing.B) *sql.DB {
	b.Helper()
	path := filepath.Join(b.TempDir(), "mirror.db")
	db, err := repo.Open(b.Context(), repo.Config{URL: "sqlite:" + path})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	_ = db.Close()
	raw, err := sql.Open("sqlite", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	raw.SetMaxOpenConns(1)
	return raw
}

// insertChanges writes what a transaction adds to leadsync_changes.
func insertChanges(b *testing.B, raw *sql.DB, after, count int) {
	b.Helper()
	tx, err := raw.BeginTx(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	_, err = tx.ExecContext(b.Context(), `WITH RECURSIVE n (id) AS (SELECT ?1 UNION ALL SELECT id + 1 FROM n WHERE id < ?2)
		INSERT INTO leadsync_changes (member_id, lead_id, revision, changed_at, change_kind, cause, fields)
		SELECT 'a223c6b3710f85df22e9377d6c4f7553', id, 1, '2026-11-26T10:00:00.000Z', 'added', 'import', NULL FROM n`, after+1, after+count)
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		b.Fatal(err)
	}
}

// cards are leads as a portal sends them, 2 kB each.
func cards(b *testing.B, tickets *leads.Tickets, after, count int) []leads.Snapshot {
	b.Helper()
	list := make([]leads.Snapshot, count)
	for i := range list {
		id := after + i + 1
		card := map[string]any{"ID": strconv.Itoa(id), "COMMENTS": strings.Repeat("text ", 100), "PHONE": []any{
			map[string]any{"ID": strconv.Itoa(2 * id), "VALUE": fmt.Sprintf("+7912%07d", id), "TYPE_ID": "PHONE", "VALUE_TYPE": "WORK"},
		}}
		for _, f := range leads.Fields[:24] {
			if f.Kind == leads.Text && card[f.Name] == nil {
				card[f.Name] = fmt.Sprintf("%s of %d", f.Name, id)
			}
		}
		raw, err := json.Marshal(card)
		if err != nil {
			b.Fatal(err)
		}
		lead, err := leads.Parse(raw)
		if err != nil {
			b.Fatal(err)
		}
		list[i] = leads.Snapshot{
			Ref: leads.Ref{MemberID: "a223c6b3710f85df22e9377d6c4f7553", LeadID: int64(id)}, Ticket: tickets.Draw(), ReadAt: time.Now(), Cause: leads.CauseImport, Lead: lead,
		}
	}
	return list
}
