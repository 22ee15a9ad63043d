package repotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// CutConnections tests connections that break in the middle of a message. It needs a server
// that is reached over TCP.
func CutConnections(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	t.Run("one cut connection loses nothing", func(t *testing.T) { m.with(t, cutOnce) })
	t.Run("many cut connections lose nothing", func(t *testing.T) { m.with(t, cutOften) })
}

// cutOnce cuts the first connection, each time after more bytes; Apply must succeed.
func cutOnce(m *mirror) {
	cut := false
	for share := int64(4_000); ; share += 5_000 {
		first := true
		through, cuts := m.cutting(func() int64 {
			if first {
				first = false
				return share
			}
			return math.MaxInt64
		})
		db, err := repo.Open(m.ctx, repo.Config{URL: through, Now: m.clock.Now})
		if err != nil {
			m.t.Fatal(err)
		}
		title := strconv.FormatInt(share, 10)
		outcomes, err := db.Apply(m.ctx, []leads.Snapshot{present(m.t, leads.Ticket(share), 1000, title)})
		if err := errors.Join(err, db.Close()); err != nil {
			m.t.Fatalf("cut after %d bytes: %v", share, err)
		}
		if outcomes[0].Err != nil || column(m.row(member, 1000), "TITLE") != title {
			m.t.Fatalf("cut after %d bytes: %+v", share, outcomes[0])
		}
		if cuts.load() == 0 {
			break
		}
		cut = true
	}
	if !cut {
		m.t.Error("no connection was cut: the test has proved nothing")
	}
	m.wantHistories(m.changes())
}

// cutOften runs appliers on the same leads while connections are cut at random. No write may
// be lost, and no change announced twice.
func cutOften(m *mirror) {
	t := m.t
	const writers, batches, population = 8, 5, 12
	random := rand.New(rand.NewPCG(3, 3)) //nolint:gosec // the same numbers in every run
	through, cuts := m.cutting(func() int64 { return 10_000 + random.Int64N(200_000) })
	shaky, err := repo.Open(m.ctx, repo.Config{URL: through, Now: m.clock.Now})
	for try := 0; err != nil && try < 20; try++ { // the first connection may be cut, too
		shaky, err = repo.Open(m.ctx, repo.Config{URL: through, Now: m.clock.Now})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shaky.Close() })
	tickets := leads.NewTickets(0)
	last := make([]map[int64]leads.Ticket, writers)
	var wg sync.WaitGroup
	for w := range writers {
		random := rand.New(rand.NewPCG(2, uint64(w))) //nolint:gosec // the same numbers in every run
		last[w] = map[int64]leads.Ticket{}
		wg.Go(func() {
			for range batches {
				var batch []leads.Snapshot
				for _, i := range random.Perm(population)[:8] {
					ticket := tickets.Draw()
					batch = append(batch, present(t, ticket, int64(i+1), fmt.Sprint(ticket)))
					last[w][int64(i+1)] = ticket
				}
				if err := persist(m.ctx, shaky, batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if cuts.load() == 0 {
		t.Error("no connection was cut: the test has proved nothing")
	}
	t.Logf("%d connections were cut", cuts.load())
	for id := int64(1); id <= population; id++ {
		var highest leads.Ticket
		for w := range last {
			highest = max(highest, last[w][id])
		}
		if row := m.row(member, id); column(row, "TITLE") != fmt.Sprint(highest) || row.Ticket != highest {
			t.Errorf("row %d: title %s, ticket %d, want %d", id, column(row, "TITLE"), row.Ticket, highest)
		}
	}
	m.wantHistories(m.changes())
}

// persist applies until the database answers; any other error ends it.
func persist(ctx context.Context, db *repo.DB, batch []leads.Snapshot) error {
	for range 50 {
		outcomes, err := db.Apply(ctx, batch)
		if errors.Is(err, repo.ErrUnavailable) {
			continue
		}
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if o.Verdict == leads.Failed {
				return fmt.Errorf("a cut connection was blamed on %s: %w", o.Ref, o.Err)
			}
		}
		return nil
	}
	return errors.New("unavailable fifty times over")
}

// counter counts, safe for concurrent use.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *counter) load() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// cutting starts a proxy in front of the server and returns its URL. It cuts each connection
// after share() bytes towards the server.
func (m *mirror) cutting(share func() int64) (through string, cuts *counter) {
	m.t.Helper()
	u, err := url.Parse(m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = listener.Close() })
	cuts = &counter{}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go carry(client, server, share(), cuts)
		}
	}()
	u.Host = listener.Addr().String()
	return u.String(), cuts
}

func carry(client net.Conn, server string, share int64, cuts *counter) {
	defer client.Close()
	upstream, err := net.Dial("tcp", server) //nolint:noctx // ends with the test
	if err != nil {
		return
	}
	defer upstream.Close()
	go func() {
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	}()
	if n, err := io.CopyN(upstream, client, share); err == nil && n == share {
		cuts.add()
	}
}
