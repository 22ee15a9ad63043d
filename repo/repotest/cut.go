package repotest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// CutConnections lets appliers loose on the same leads over connections that are cut at
// random, in the middle of whatever they carry. It is for servers that are reached over
// TCP. Nothing may be lost, and nothing be told twice.
func CutConnections(t *testing.T, server Server) {
	t.Helper()
	const writers, batches, population = 4, 8, 12
	m := open(t, server, repo.Config{})
	through, cuts := cutting(t, m.url)
	shaky, err := repo.Open(t.Context(), repo.Config{URL: through, Now: m.clock.Now})
	for try := 0; err != nil && try < 20; try++ { // the very first may be cut, too
		shaky, err = repo.Open(t.Context(), repo.Config{URL: through, Now: m.clock.Now})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = shaky.Close() })
	tickets := leads.NewTickets(0)
	last := make([]map[int64]leads.Ticket, writers)
	var wg sync.WaitGroup
	for w := range writers {
		random := rand.New(rand.NewPCG(2, uint64(w))) //nolint:gosec // the same each time, on purpose
		last[w] = map[int64]leads.Ticket{}
		wg.Go(func() {
			for range batches {
				var batch []leads.Snapshot
				for _, i := range random.Perm(population)[:8] {
					ticket := tickets.Draw()
					batch = append(batch, present(t, ticket, int64(i+1), fmt.Sprint(ticket)))
					last[w][int64(i+1)] = ticket
				}
				if err := persist(t.Context(), shaky, batch); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if cuts.load() == 0 {
		t.Error("no connection was cut: the test has shown nothing")
	}
	t.Logf("%d connections were cut", cuts.load())
	for id := int64(1); id <= population; id++ {
		var highest leads.Ticket
		for w := range last {
			highest = max(highest, last[w][id])
		}
		if held := m.row(member, id); column(held, "TITLE") != fmt.Sprint(highest) || held.Ticket != highest {
			t.Errorf("row %d: title %s, ticket %d, want %d", id, column(held, "TITLE"), held.Ticket, highest)
		}
	}
	m.wantHistories(m.changes())
}

// persist applies until the database answers; every other error ends it.
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

// cutting listens in front of the server and returns the URL that leads through it. Each
// connection is cut when it has carried its share of bytes towards the server.
func cutting(t *testing.T, to string) (through string, cuts *counter) {
	t.Helper()
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	cuts = &counter{}
	random := rand.New(rand.NewPCG(3, 3)) //nolint:gosec // the same each time, on purpose
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			share := 10_000 + random.Int64N(200_000)
			go carry(client, server, share, cuts)
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
