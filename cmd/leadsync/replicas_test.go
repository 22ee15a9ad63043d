package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// TestReplicasShareOneTokenChain runs three services on one NATS server and one database,
// with tokens that live 20 s, while the one that owns the portal is killed again and
// again: LEADSYNC_TEST_REPLICAS says for how long, such as 5m. A database other than
// SQLite is LEADSYNC_TEST_REPLICAS_DATABASE.
func TestReplicasShareOneTokenChain(t *testing.T) {
	long, err := time.ParseDuration(os.Getenv("LEADSYNC_TEST_REPLICAS"))
	if err != nil {
		t.Skip("LEADSYNC_TEST_REPLICAS is not set, such as 5m")
	}
	const life = 20 * time.Second
	p := startEmulator(t, emulator.Config{Leads: 200, Seed: 3, AccessLife: life})
	dir, natsAddress, balancer := t.TempDir(), freeAddress(t), newBalancer(t)
	database := os.Getenv("LEADSYNC_TEST_REPLICAS_DATABASE")
	if database == "" {
		database = "sqlite:" + filepath.Join(dir, "mirror.db")
	}
	_, port, _ := strings.Cut(natsAddress, ":")
	broker := newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+filepath.Join(dir, "nats"))
	broker.start()
	info := p.Info()
	var replicas []*child
	for i := range 3 {
		address := freeAddress(t)
		balancer.add("http://" + address)
		r := newChild(t, "serve",
			"LEADSYNC_DATA_DIR="+filepath.Join(dir, "replica"+strconv.Itoa(i)), "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+balancer.URL,
			"LEADSYNC_NATS_URL=nats://"+natsAddress, "LEADSYNC_DATABASE_URL="+database, "LEADSYNC_LOG_LEVEL=debug", "LEADSYNC_LOG_FORMAT=json",
			"LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth),
			"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret, "LEADSYNC_RECONCILE_AT=off",
			"LEADSYNC_SECRET_KEY=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		r.start()
		balancer.replicas = append(balancer.replicas, r)
		replicas = append(replicas, r)
	}
	eventually(t, "all are ready", func() bool { return balancer.ready() == len(replicas) })
	db, err := repo.Open(t.Context(), repo.Config{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	p.Install(balancer.URL+"/bitrix24/events", balancer.URL+"/bitrix24/oauth/callback")
	eventually(t, "the leads are imported", func() bool {
		n, err := db.CountLeads(t.Context(), info.MemberID)
		return err == nil && n == 200
	})

	begin, kills, unauthorized, edits := time.Now(), 0, 0, 0
	for next := begin.Add(15 * time.Second); time.Since(begin) < long; time.Sleep(500 * time.Millisecond) {
		p.MassEdit(3)
		edits += 3
		if time.Now().After(next) {
			next = time.Now().Add(15*time.Second + time.Duration(rand.Int64N(int64(15*time.Second))))
			if owner := ownerOf(t, db, info.MemberID, replicas); owner != nil {
				owner.kill()
				owner.start()
				kills++
			}
		}
		if stored, _, err := db.Portal(t.Context(), info.MemberID); err == nil && stored.State == leads.PortalNeedsAuthorization {
			unauthorized++ // a kill between the server's answer and the write: the service reports it, and a person acts
			p.Install(balancer.URL+"/bitrix24/events", balancer.URL+"/bitrix24/oauth/callback")
			eventually(t, "a new authorization helps", func() bool {
				stored, _, err := db.Portal(t.Context(), info.MemberID)
				return err == nil && stored.State == leads.PortalActive
			})
		}
	}
	if err := p.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the mirror is equal", func() bool { return equalMirror(t, p, db) })
	stats := p.Stats()
	refreshes, expiries := stats.Requests["oauth.token"], int(time.Since(begin)/(life-5*time.Second))
	logs := logsOf(t, replicas)
	t.Logf("%s: %d edits, %d kills -9 of the owner, %d refreshes in %d token lives, %d times a person was needed, refusals %v, callbacks failed %d, requests %v",
		time.Since(begin).Round(time.Second), edits, kills, refreshes, expiries, unauthorized, stats.Refusals, stats.CallbacksFailed, stats.Requests)
	if refreshes > expiries+kills+2 {
		t.Errorf("%d refreshes for %d expiries and %d kills", refreshes, expiries, kills)
	}
	if len(stats.Refusals) > 0 {
		t.Errorf("the portal refused %v", stats.Refusals)
	}
	if unauthorized > kills {
		t.Errorf("the chain was lost %d times in %d kills", unauthorized, kills)
	}
	if strings.Contains(logs, "EXPIRED_TOKEN") {
		t.Error("an expired token reached a caller")
	}
	grant, _, err := db.Grant(t.Context(), info.MemberID)
	if err == nil {
		t.Error("tokens are stored as plain text")
	}
	for _, secret := range []string{info.ClientSecret, info.ApplicationToken, grant.AccessToken.Reveal()} {
		if secret != "" && strings.Contains(logs, secret) {
			t.Error("a log shows a secret")
		}
	}
}

func logsOf(t *testing.T, replicas []*child) string {
	t.Helper()
	var all strings.Builder
	for _, r := range replicas {
		data, err := os.ReadFile(r.log)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(data)
	}
	return all.String()
}

// ownerOf is the replica that took the portal last.
func ownerOf(t *testing.T, db *repo.DB, memberID string, replicas []*child) *child {
	t.Helper()
	standing, _, err := db.Standing(t.Context(), memberID)
	if err != nil {
		return nil
	}
	for _, r := range replicas {
		if r.cmd != nil && strings.Contains(standing.Owner, "/"+strconv.Itoa(r.cmd.Process.Pid)+"/") {
			return r
		}
	}
	return nil
}

// equalMirror tells whether the mirror shows what the portal shows.
func equalMirror(t *testing.T, p *emulator.Portal, db *repo.DB) bool {
	t.Helper()
	return (&testServer{portal: p}).equal(t, db)
}

// balancer is an operator's load balancer: it sends each callback to the next replica that
// answers.
type balancer struct {
	URL string

	targets  []string
	replicas []*child
	next     int
	lock     chan struct{}
}

func newBalancer(t *testing.T) *balancer {
	t.Helper()
	b := &balancer{lock: make(chan struct{}, 1)}
	server := &http.Server{Addr: freeAddress(t), Handler: b, ReadHeaderTimeout: time.Second}
	go func() { _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close() })
	b.URL = "http://" + server.Addr
	return b
}

func (b *balancer) add(target string) { b.targets = append(b.targets, target) }

func (b *balancer) ready() (n int) {
	for _, replica := range b.replicas {
		if resp, err := http.Get(replica.admin() + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				n++
			}
		}
	}
	return n
}

// ServeHTTP implements http.Handler.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b.lock <- struct{}{}
	b.next++
	first := b.next
	<-b.lock
	for i := range b.targets {
		target := b.targets[(first+i)%len(b.targets)]
		resp, err := http.Post(target+r.URL.RequestURI(), r.Header.Get("Content-Type"), strings.NewReader(string(body)))
		if err != nil {
			continue
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		_ = resp.Body.Close()
		return
	}
	w.WriteHeader(http.StatusBadGateway)
	fmt.Fprintln(w, "no replica answers")
}
