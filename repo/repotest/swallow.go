package repotest

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/retry"
)

// Swallowed loses connections as a firewall does: nothing arrives any more, in either
// direction, and nobody is told; new connections work. It needs a server over TCP.
func Swallowed(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{})
	p := m.swallowing()
	db, err := repo.Open(m.ctx, repo.Config{URL: p.url, Now: m.clock.Now, AnswerLimit: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	through := *m
	through.DB = db
	through.verdict(leads.Inserted, present(t, 1, 1, "before"))
	lost := p.swallow()
	if lost == 0 {
		t.Fatal("no connection was open: the test proves nothing")
	}
	ctx, cancel := context.WithTimeout(m.ctx, 90*time.Second)
	defer cancel()
	began := time.Now()
	done := make(chan error, 1)
	go func() {
		_, err := db.Apply(ctx, []leads.Snapshot{present(t, 2, 1, "after")})
		done <- err
	}()
	said, ended := "", false
	for !ended {
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
			ended = true
		case <-time.After(50 * time.Millisecond):
			if problem := db.Problem(); problem != "" {
				said = problem
			}
		}
	}
	t.Logf("%d connections were swallowed; the write took %s; meanwhile: %s", lost, time.Since(began).Round(time.Second/10), said)
	if !strings.HasPrefix(said, "no answer since 20") {
		t.Errorf("meanwhile the database's problem was %q", said)
	}
	for db.Problem() != "" && retry.Wait(ctx, 50*time.Millisecond) == nil { // the driver has not hung up yet
	}
	if problem := db.Problem(); problem != "" {
		t.Errorf("afterwards there is a problem still: %s", problem)
	}
	if got := column(m.row(member, 1), "TITLE"); got != "after" {
		t.Errorf("the row has %q", got)
	}
}

// swallower is a proxy that can lose the connections that are open.
type swallower struct {
	url   string
	mu    sync.Mutex
	links []*link
}

type link struct {
	client, server net.Conn
	mu             sync.Mutex
	lost           bool
}

// swallow loses the connections that are open, and returns how many they are.
func (s *swallower) swallow() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links {
		l.mu.Lock()
		l.lost = true
		l.mu.Unlock()
	}
	return len(s.links)
}

func (m *mirror) swallowing() *swallower {
	m.t.Helper()
	u, err := url.Parse(m.url)
	if err != nil {
		m.t.Fatal(err)
	}
	address := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // ends with the test
	if err != nil {
		m.t.Fatal(err)
	}
	u.Host = listener.Addr().String()
	s := &swallower{url: u.String()}
	m.t.Cleanup(func() {
		_ = listener.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, l := range s.links {
			_, _ = l.client.Close(), l.server.Close()
		}
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address) //nolint:noctx // ends with the test
			if err != nil {
				_ = client.Close()
				return
			}
			l := &link{client: client, server: server}
			s.mu.Lock()
			s.links = append(s.links, l)
			s.mu.Unlock()
			go l.carry(server, client)
			go l.carry(client, server)
		}
	}()
	return s
}

// carry copies until one side ends. A lost connection takes everything and passes nothing on,
// not even its end.
func (l *link) carry(to io.WriteCloser, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		lost := l.lost
		l.mu.Unlock()
		if !lost && n > 0 {
			_, _ = to.Write(buffer[:n])
		}
		if err != nil {
			if !lost {
				_ = to.Close()
			}
			return
		}
	}
}
