package main

import (
	"database/sql"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"

	_ "github.com/microsoft/go-mssqldb" // to wipe a test's database
)

// proxy forwards connections to a server and can be cut.
type proxy struct {
	server string

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool
}

// newProxy returns the URL that leads through it.
func newProxy(tb testing.TB, to string) (*proxy, string) {
	tb.Helper()
	u, err := url.Parse(to)
	if err != nil {
		tb.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = listener.Close() })
	p := &proxy{server: u.Host, conns: map[net.Conn]bool{}}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.forward(client)
		}
	}()
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) forward(client net.Conn) {
	defer client.Close()
	upstream, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer upstream.Close()
	if !p.add(client, upstream) {
		return
	}
	defer p.remove(client, upstream)
	go func() {
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
	}()
	_, _ = io.Copy(upstream, client)
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.down
}

func (p *proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
	}
}

// cut ends all connections; new ones end at once until restore is called.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		_ = c.Close()
	}
}

func (p *proxy) restore() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
}

// wipe drops every table of ours in a test's database, and first what is bound to them.
func wipe(tb testing.TB, to string) {
	tb.Helper()
	u, err := url.Parse(to)
	if err != nil {
		tb.Fatal("the database's URL cannot be read")
	}
	if name := u.Query().Get("database"); !strings.HasPrefix(name, "leadsync_test") {
		tb.Fatalf("database %q is not named leadsync_test…: this test drops tables", name)
	}
	raw, err := sql.Open("sqlserver", to)
	if err != nil {
		tb.Fatal(err)
	}
	defer raw.Close()
	for kind, names := range map[string][]string{"VIEW": {"bitrix_lead_changes", "bitrix_mirror_status", "bitrix_open_leads", "bitrix_phone_leads"}, "FUNCTION": {"bitrix_lead_by_phone"}} {
		for _, name := range names {
			if _, err := raw.ExecContext(tb.Context(), "IF OBJECT_ID(N'dbo."+name+"') IS NOT NULL DROP "+kind+" dbo."+name); err != nil {
				tb.Fatal(err)
			}
		}
	}
	for _, name := range tables(tb, raw) {
		if _, err := raw.ExecContext(tb.Context(), "DROP TABLE dbo."+name); err != nil {
			tb.Fatal(err)
		}
	}
}

// tables are the names of our tables.
func tables(tb testing.TB, raw *sql.DB) (names []string) {
	tb.Helper()
	rows, err := raw.QueryContext(tb.Context(), "SELECT t.name FROM sys.tables AS t WHERE t.name LIKE 'bitrix[_]%' OR t.name LIKE 'leadsync[_]%'")
	if err != nil {
		tb.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			tb.Fatal(err)
		}
		names = append(names, name)
	}
	if err := rows.Err(); err != nil {
		tb.Fatal(err)
	}
	return names
}
