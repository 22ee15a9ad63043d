package repo_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"leadsync/repo"
)

// unfinished ends the context while the answer to a transaction's begin, commit or rollback is
// under way: nobody knows then whether the connection is in a transaction. What the next one
// commits must hold.
func unfinished(t *testing.T, address string) {
	t.Helper()
	for name, request := range map[string]uint16{"begin": 5, "commit": 7, "rollback": 8} {
		t.Run(name, func(t *testing.T) {
			held := hold(t, address, request)
			pool := repo.SessionPool(t, held.url, false, time.Hour)
			direct := repo.SessionPool(t, address, false, time.Hour)
			for _, statement := range []string{"DROP TABLE IF EXISTS leadsync_unfinished", "CREATE TABLE leadsync_unfinished (a int)"} {
				if _, err := direct.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			held.arm(cancel)
			tx, err := pool.BeginTx(ctx, nil)
			if err == nil {
				_, _ = tx.ExecContext(ctx, "INSERT INTO leadsync_unfinished (a) VALUES (1)")
				if request == 7 {
					err = tx.Commit()
				} else {
					err = errors.Join(tx.Rollback(), ctx.Err())
				}
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("the transaction ended with %v: the test proves nothing", err)
			}
			if tx, err = pool.BeginTx(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), "INSERT INTO leadsync_unfinished (a) VALUES (2)"); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			if err := pool.Close(); err != nil { // a transaction that is still open ends here, and what it did is gone
				t.Fatal(err)
			}
			var rows int
			if err := direct.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM leadsync_unfinished WHERE a = 2").Scan(&rows); err != nil || rows != 1 {
				t.Errorf("%d rows of the committed transaction, %v; want 1", rows, err)
			}
			if _, err := direct.ExecContext(t.Context(), "DROP TABLE leadsync_unfinished"); err != nil {
				t.Error(err)
			}
		})
	}
}

// holder is a proxy that keeps back the answer to one request of the transaction manager until
// the client says that it waits no longer.
type holder struct {
	url     string
	request uint16

	mu       sync.Mutex
	waits    func() // called when the answer is there; nil where nothing is to be held
	held     bool   // the request is sent
	release  func() // called when the client waits no longer
	released <-chan struct{}
}

// Kinds of messages. Source: [MS-TDS], "Packet Header".
const (
	transactionManager = 0x0E
	attention          = 0x06
)

func hold(t *testing.T, address string, request uint16) *holder {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	u.Host = listener.Addr().String()
	released := make(chan struct{})
	h := &holder{
		url: u.String(), request: request,
		release: sync.OnceFunc(func() { close(released) }), released: released,
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				return
			}
			go h.requests(upstream, client)
			go h.answers(client, upstream)
		}
	}()
	return h
}

// arm has the next request held, and ended called when its answer is there.
func (h *holder) arm(ended func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waits = ended
}

func (h *holder) requests(server, client net.Conn) {
	defer server.Close()
	head := make([]byte, 8)
	for {
		if _, err := io.ReadFull(client, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint16(head[2:])-8)
		if _, err := io.ReadFull(client, body); err != nil {
			return
		}
		h.mu.Lock()
		switch {
		case head[0] == transactionManager && h.waits != nil && binary.LittleEndian.Uint16(body[binary.LittleEndian.Uint32(body):]) == h.request:
			h.held = true
			if h.request == 8 { // the driver waits for the answer to a rollback, whatever the context says
				h.release()
			}
		case head[0] == attention && h.held:
			h.release()
			h.held = false
		}
		h.mu.Unlock()
		if _, err := server.Write(append(head, body...)); err != nil {
			return
		}
	}
}

func (h *holder) answers(client, server net.Conn) {
	defer client.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		h.mu.Lock()
		var ended func()
		if h.held {
			ended, h.waits = h.waits, nil
		}
		h.mu.Unlock()
		if ended != nil {
			ended()
			<-h.released
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}
