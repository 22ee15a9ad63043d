package main

import (
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

// harness is a service in a process of its own, with an emulated portal, a NATS server and a
// database, all of which a test can make fail.
type harness struct {
	t          *testing.T
	portal     *emulator.Portal
	serve      *child
	nats       *child // nil where it is embedded
	url        string // of the service
	natsAt     string
	dataDir    string
	disks      []string // small ones, which can be filled: the data directory, NATS' store
	dbURL      string
	dbPath     string
	proxy      *proxy // before a database server; nil on SQLite
	db         *repo.DB
	rng        *rand.Rand
	subscriber *subscriber
	natsToken  string // of a subscriber of the embedded server; "" where NATS runs by itself
	kills      int
	authorized int // how often it had to be, again

	mu      sync.Mutex
	faults  map[string]int // how often each was caused
	secrets map[string]string
	output  strings.Builder // what the service has answered
}

// harnessConfig says what a harness consists of.
type harnessConfig struct {
	embedded bool   // NATS is in the service
	disks    bool   // data directory and NATS' store are on small disks, where possible
	sql      string // database server to use through a proxy; "" is SQLite
	near     bool   // the portal answers within 1 to 6 ms, as an idle one does, not 80
	env      []string
}

func newHarness(t *testing.T, embedded bool) *harness {
	t.Helper()
	return openHarness(t, harnessConfig{embedded: embedded})
}

func openHarness(t *testing.T, cfg harnessConfig) *harness {
	t.Helper()
	delayMax := 80 * time.Millisecond
	if cfg.near {
		delayMax = 6 * time.Millisecond
	}
	p, err := emulator.Start(emulator.Config{
		Leads: 100, Seed: *faultSeed, NoLimits: true, Delay: time.Millisecond, DelayMax: delayMax,
		Switches: emulator.Switches{NoOffline: true}, // what callbacks lose must not come another way
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	dir, httpAt := t.TempDir(), freeAddress(t)
	h := &harness{
		t: t, portal: p, url: "http://" + httpAt, natsAt: "nats://" + freeAddress(t), dataDir: dir,
		dbURL: cfg.sql, dbPath: filepath.Join(dir, "db", "leadsync.db"), rng: rand.New(rand.NewPCG(*faultSeed, uint64(len(t.Name())))), faults: map[string]int{}, secrets: map[string]string{},
	}
	if cfg.disks && mountDisk(t, dir) {
		h.disks = append(h.disks, dir)
	}
	h.openDatabase()
	info := p.Info()
	env := []string{
		"LEADSYNC_DATA_DIR=" + dir, "LEADSYNC_HTTP_ADDR=" + httpAt, "LEADSYNC_PUBLIC_URL=" + h.url, "LEADSYNC_RECONCILE_AT=off",
		"LEADSYNC_B24_CLIENT_ID=" + info.ClientID, "LEADSYNC_B24_CLIENT_SECRET=" + info.ClientSecret,
		"LEADSYNC_B24_INSECURE_HOSTS=" + host(info.Portal) + "," + host(info.OAuth), "LEADSYNC_DATABASE_URL=" + h.dbURL,
	}
	env = append(env, cfg.env...)
	if cfg.embedded {
		h.natsToken = "the token of a subscriber"
		env = append(env, "LEADSYNC_NATS_LISTEN="+host(h.natsAt), "LEADSYNC_NATS_TOKEN="+h.natsToken)
	} else {
		env = append(env, "LEADSYNC_NATS_URL="+h.natsAt)
		_, port, err := net.SplitHostPort(host(h.natsAt))
		if err != nil {
			t.Fatal(err)
		}
		store := t.TempDir()
		if cfg.disks && mountDisk(t, store) {
			h.disks = append(h.disks, store)
		}
		h.nats = newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+store)
		h.nats.start()
	}
	h.serve = newChild(t, "serve", env...)
	h.serve.start()
	h.untilUp()
	return h
}

// openDatabase makes the folder of the SQLite file, or starts a proxy before the database
// server, and opens the database beside the service.
func (h *harness) openDatabase() {
	h.t.Helper()
	direct := h.dbURL
	if direct == "" {
		if err := os.Mkdir(filepath.Dir(h.dbPath), 0o700); err != nil {
			h.t.Fatal(err)
		}
		h.dbURL = "sqlite:" + h.dbPath
		direct = h.dbURL
	} else {
		wipe(h.t, direct)
		h.proxy, h.dbURL = newProxy(h.t, direct)
	}
	db, err := repo.Open(h.t.Context(), repo.Config{URL: direct})
	if err != nil {
		h.t.Fatal(err)
	}
	h.db = db
	h.t.Cleanup(func() { _ = db.Close() })
}

// untilUp waits until the service takes callbacks.
func (h *harness) untilUp() {
	h.t.Helper()
	h.until("the service answers", func() bool {
		if h.serve.exited() { // it could not start: a service manager starts it again
			h.serve.kill()
			h.serve.start()
		}
		response, err := http.Get(h.url + "/healthz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func (h *harness) until(what string, done func() bool) {
	h.t.Helper()
	eventually(h.t, what, done)
}

func (h *harness) install() {
	h.t.Helper()
	member := h.portal.Info().MemberID
	h.until("the database is migrated", func() bool { _, err := h.db.Portals(h.t.Context()); return err == nil })
	h.portal.Install(h.url+"/bitrix24/events", h.url+"/bitrix24/oauth/callback")
	h.until("the leads are imported", func() bool {
		run, ok, err := h.db.LastCompleted(h.t.Context(), member)
		return err == nil && ok && run.Mode == leads.RunImport
	})
	h.subscriber = h.subscribe()
}
