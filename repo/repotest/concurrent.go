package repotest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadsync/leads"
	"leadsync/repo"
)

// concurrent runs eight appliers on the same leads, from two replicas, in overlapping batches
// and in any order of tickets.
func concurrent(t *testing.T, server Server) {
	t.Helper()
	const writers, batches, population = 8, 12, 15
	m := open(t, server, repo.Config{})
	replicas := []*repo.DB{m.DB, m.again(repo.Config{})}
	tickets := leads.NewTickets(0)
	var wg sync.WaitGroup
	var mu sync.Mutex
	last := map[int64]leads.Ticket{}
	wrote := map[int64]int64{}
	for w := range writers {
		random := rand.New(rand.NewPCG(1, uint64(w))) //nolint:gosec // the same numbers in every run
		wg.Go(func() {
			for range batches {
				var batch []leads.Snapshot
				for _, i := range random.Perm(population)[:10] {
					ticket := tickets.Draw()
					batch = append(batch, present(t, ticket, int64(i+1), fmt.Sprint(ticket)))
				}
				outcomes, err := replicas[w%2].Apply(m.ctx, batch)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for i, o := range outcomes {
					last[o.LeadID] = max(last[o.LeadID], batch[i].Ticket)
					if o.Wrote() {
						wrote[o.LeadID]++
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for id, ticket := range last {
		row := m.row(member, id)
		if column(row, "TITLE") != fmt.Sprint(ticket) || row.Ticket != ticket || row.Revision != wrote[id] {
			t.Errorf("row %d: title %s, ticket %d, revision %d; want ticket %d after %d writes",
				id, column(row, "TITLE"), row.Ticket, row.Revision, ticket, wrote[id])
		}
	}
	m.wantHistories(m.changes())
}

// killed runs eight appliers on the same leads. Every other Apply is cancelled at a random
// moment, which closes its connection, and repeated until it succeeds. No write may be
// lost, and no change announced twice.
func killed(t *testing.T, server Server) {
	t.Helper()
	const writers, batches, population = 8, 8, 12
	m := open(t, server, repo.Config{})
	tickets := leads.NewTickets(0)
	kills := counter{}
	var wg sync.WaitGroup
	var mu sync.Mutex
	last := map[int64]leads.Ticket{}
	for w := range writers {
		random := rand.New(rand.NewPCG(4, uint64(w))) //nolint:gosec // the same numbers in every run
		wg.Go(func() {
			for range batches {
				var batch []leads.Snapshot
				for _, i := range random.Perm(population)[:6] {
					ticket := tickets.Draw()
					batch = append(batch, present(t, ticket, int64(i+1), fmt.Sprint(ticket)))
				}
				if !m.applyKilled(random, &kills, batch) {
					return
				}
				mu.Lock()
				for _, s := range batch {
					last[s.LeadID] = max(last[s.LeadID], s.Ticket)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if kills.load() == 0 {
		t.Error("nothing was cancelled: the test has proved nothing")
	}
	t.Logf("%d killed", kills.load())
	for id, ticket := range last {
		if row := m.row(member, id); column(row, "TITLE") != fmt.Sprint(ticket) || row.Ticket != ticket {
			t.Errorf("row %d: title %s, ticket %d, want %d", id, column(row, "TITLE"), row.Ticket, ticket)
		}
	}
	m.wantHistories(m.changes())
}

// applyKilled applies and is cancelled meanwhile, until it succeeds once; false where another
// error happened.
func (m *mirror) applyKilled(random *rand.Rand, kills *counter, batch []leads.Snapshot) bool {
	for try := 0; ; try++ {
		ctx, cancel := context.WithCancel(m.ctx)
		if try < 3 && random.IntN(2) == 0 {
			time.AfterFunc(time.Duration(random.IntN(20_000))*time.Microsecond, cancel)
		}
		outcomes, err := m.Apply(ctx, batch)
		cancel()
		switch {
		case err == nil:
			for _, o := range outcomes {
				if o.Verdict == leads.Failed {
					m.t.Errorf("a cancelled call was blamed on %s: %v", o.Ref, o.Err)
					return false
				}
			}
			return true
		case errors.Is(err, context.Canceled), errors.Is(err, repo.ErrUnavailable) && try < 50:
			kills.add()
		default:
			m.t.Error(err)
			return false
		}
	}
}

// wantHistories wants each lead's announcements to have the revisions 1, 2, 3 … up to the
// row's, and the last one to have the row's card.
func (m *mirror) wantHistories(changes []leads.Change) {
	m.t.Helper()
	byRef := map[leads.Ref][]leads.Change{}
	for _, c := range changes {
		byRef[c.Ref()] = append(byRef[c.Ref()], c)
	}
	for ref, history := range byRef {
		for i, c := range history {
			if c.Revision != int64(i+1) {
				m.t.Fatalf("%s: announcement %d is of revision %d", ref, i+1, c.Revision)
			}
		}
		row, end := m.row(ref.MemberID, ref.LeadID), history[len(history)-1]
		if row.Revision != end.Revision || row.Deleted != (end.Kind == leads.RemovedKind) {
			m.t.Fatalf("%s: the row is at revision %d, deleted %v; announced last: %d, %s",
				ref, row.Revision, row.Deleted, end.Revision, end.Kind)
		}
		if !row.Deleted && string(row.Raw) != string(end.Lead) {
			m.t.Fatalf("%s: the row has %s, announced was %s", ref, row.Raw, end.Lead)
		}
	}
}

// property draws reads in the order of their tickets and applies them in any order, in any
// batches, some more than once. Afterwards each row equals the read with the highest
// ticket, and each announcement was of a change.
func property(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	round := 0
	rapid.Check(t, func(r *rapid.T) {
		round++
		memberID := fmt.Sprint("round", round)
		reads := drawReads(r, memberID)
		want := map[int64]leads.Snapshot{}
		for i, n := 0, rapid.IntRange(1, 8).Draw(r, "batches"); i < n; i++ {
			which := rapid.SliceOfN(rapid.IntRange(0, len(reads)-1), 1, 12).Draw(r, "arrives")
			m.applyDrawn(r, reads, which)
			noteHighest(want, reads, which)
		}
		m.wantRows(r, memberID, want)
		m.wantAnnounced(r, memberID)
	})
}

// drawReads draws reads of three leads: ticket i+1 belongs to the i-th.
func drawReads(r *rapid.T, memberID string) []leads.Snapshot {
	n := rapid.IntRange(1, 20).Draw(r, "reads")
	reads := make([]leads.Snapshot, n)
	for i := range reads {
		id := rapid.Int64Range(1, 3).Draw(r, "lead")
		switch rapid.IntRange(0, 3).Draw(r, "sight") {
		case 0:
			reads[i] = proven(leads.Ticket(i+1), id)
		default:
			title := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(r, "title")
			lead, err := leads.Parse(fmt.Appendf(nil, `{"ID":"%d","TITLE":%q}`, id, title))
			if err != nil {
				r.Fatal(err)
			}
			reads[i] = seen(leads.Ticket(i+1), lead)
			reads[i].Force = rapid.Bool().Draw(r, "force")
		}
		reads[i].MemberID = memberID
	}
	return reads
}

func (m *mirror) applyDrawn(r *rapid.T, reads []leads.Snapshot, which []int) {
	batch := make([]leads.Snapshot, len(which))
	for i, read := range which {
		batch[i] = reads[read]
	}
	outcomes, err := m.Apply(m.ctx, batch)
	if err != nil {
		r.Fatal(err)
	}
	for _, o := range outcomes {
		if o.Verdict == leads.Failed {
			r.Fatalf("%s: %v", o.Ref, o.Err)
		}
	}
}

// noteHighest keeps the read with the highest ticket of each lead. Of a batch only the highest
// counts; an absent lead without a row leaves no trace.
func noteHighest(want map[int64]leads.Snapshot, reads []leads.Snapshot, which []int) {
	batch := map[int64]leads.Snapshot{}
	for _, read := range which {
		s := reads[read]
		if s.Ticket > batch[s.LeadID].Ticket {
			batch[s.LeadID] = s
		}
	}
	for id, s := range batch {
		if _, known := want[id]; (known || s.Sight == leads.Present) && s.Ticket > want[id].Ticket {
			want[id] = s
		}
	}
}

func (m *mirror) wantRows(r *rapid.T, memberID string, want map[int64]leads.Snapshot) {
	rows, err := m.Range(m.ctx, memberID, 0, leads.MaxID, 100)
	if err != nil {
		r.Fatal(err)
	}
	if len(rows) != len(want) {
		r.Fatalf("%d rows, want %d", len(rows), len(want))
	}
	for i := range rows {
		s := want[rows[i].LeadID]
		if rows[i].Deleted != (s.Sight == leads.Absent) {
			r.Fatalf("lead %d: deleted %v, and ticket %d saw otherwise", rows[i].LeadID, rows[i].Deleted, s.Ticket)
		}
		if s.Sight == leads.Absent {
			continue
		}
		if names := rows[i].Differences(&s.Lead); names != nil {
			r.Fatalf("lead %d differs from what ticket %d saw in %v", rows[i].LeadID, s.Ticket, names)
		}
	}
}

// wantAnnounced wants revisions without gaps, and no announcement without a change.
func (m *mirror) wantAnnounced(r *rapid.T, memberID string) {
	changes := slices.DeleteFunc(m.changes(), func(c leads.Change) bool { return c.MemberID != memberID })
	before := map[int64]leads.Change{}
	for _, c := range changes {
		was := before[c.LeadID]
		if c.Revision != was.Revision+1 {
			r.Fatalf("lead %d: revision %d after %d", c.LeadID, c.Revision, was.Revision)
		}
		if c.Kind == leads.Changed && string(c.Lead) == string(was.Lead) || c.Kind == leads.RemovedKind && was.Kind == c.Kind {
			r.Fatalf("lead %d: revision %d says what %d said", c.LeadID, c.Revision, was.Revision)
		}
		before[c.LeadID] = c
	}
	m.wantHistories(changes)
	m.drain()
}
