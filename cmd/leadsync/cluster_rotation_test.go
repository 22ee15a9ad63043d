package main

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/bitrix24/emulator"
	"leadsync/events/eventstest"
)

var rotationFor = flag.Duration("rotation", 5*time.Second, "how long TestRotatedPasswordLosesNothing lets NATS refuse the service")

// Somebody changes the password of a NATS server before that of the service, under a load of
// some fifty callbacks a second: the service keeps them, says why, and is back by itself when the
// password is right again.
func TestRotatedPasswordLosesNothing(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		servers int
		change  func(*guardedNATS, string)
	}{
		"reloaded": {1, (*guardedNATS).reload}, "restarted": {1, (*guardedNATS).restart}, "a cluster": {3, (*guardedNATS).reload},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := test.change
			r := newRotation(t, test.servers)
			r.install()
			stop := r.changeLeads()
			r.untilCallbacks(20)
			change(r.server, "another one")
			r.until("readyz names the refusal", func() bool {
				status, words := r.readiness()
				return status == http.StatusServiceUnavailable && strings.Contains(words, "refuses leadsync's token, user or credentials")
			})
			during := len(r.portal.Callbacks())
			time.Sleep(*rotationFor) // the load goes on meanwhile
			during = len(r.portal.Callbacks()) - during
			change(r.server, rightPassword)
			right := time.Now()
			r.until("NATS is back", func() bool { _, words := r.readiness(); return !strings.Contains(words, "not connected") })
			connected := time.Since(right)
			r.until("the service is ready", func() bool { status, _ := r.readiness(); return status == http.StatusOK })
			t.Logf("NATS refused for %s, %d callbacks meanwhile; connected %s after the password was right, ready after %s",
				*rotationFor, during, connected.Round(time.Millisecond), time.Since(right).Round(time.Millisecond))
			if connected > 40*time.Second { // ten on a machine that has nothing else to do
				t.Errorf("connected only %s after the password was right", connected)
			}
			r.untilCallbacks(20)
			stop()
			r.wantConsistent()
			for _, cb := range r.portal.Callbacks() {
				if cb.Status != http.StatusOK {
					t.Errorf("%s at %s was answered %d", cb.Event, cb.SentAt, cb.Status)
				}
			}
		})
	}
}

const rightPassword = "the right one of the service"

// rotation is a service beside a NATS server that knows passwords.
type rotation struct {
	*harness

	server *guardedNATS
}

func newRotation(t *testing.T, servers int) *rotation {
	t.Helper()
	p := startFullEmulator(t, emulator.Config{
		Leads: 100, Seed: 17, NoLimits: true, Delay: time.Millisecond, DelayMax: 80 * time.Millisecond, Switches: emulator.Switches{NoOffline: true},
	})
	r := &rotation{server: newGuardedNATS(t, servers)}
	address, dir := freeAddress(t), t.TempDir()
	r.harness = &harness{
		t: t, portal: p, url: "http://" + address, natsAt: "nats://reader:reader@" + r.server.addresses()[0], dataDir: dir,
		dbPath: filepath.Join(dir, "db", "leadsync.db"), rng: rand.New(rand.NewPCG(17, 0)), faults: map[string]int{}, secrets: map[string]string{},
	}
	r.openDatabase()
	info := p.Info()
	r.serve = newChild(t, "serve",
		"LEADSYNC_DATA_DIR="+dir, "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+r.url, "LEADSYNC_DATABASE_URL="+r.dbURL,
		"LEADSYNC_NATS_URL=nats://"+strings.Join(r.server.addresses(), ",nats://"), "LEADSYNC_NATS_REPLICAS="+strconv.Itoa(servers),
		"LEADSYNC_NATS_USER=leadsync", "LEADSYNC_NATS_PASSWORD="+rightPassword,
		"LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth), "LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_RECONCILE_AT=off",
		"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret)
	r.secrets["password of NATS"] = rightPassword
	r.serve.start()
	r.untilUp()
	return r
}

// untilCallbacks waits for some more callbacks.
func (r *rotation) untilCallbacks(more int) {
	r.t.Helper()
	before := len(r.portal.Callbacks())
	r.until("callbacks come", func() bool { return len(r.portal.Callbacks()) >= before+more })
}

// guardedNATS is a NATS server, or a cluster, whose password can be changed.
type guardedNATS struct {
	t       *testing.T
	setup   []*server.Options // without users
	servers []*server.Server
}

func newGuardedNATS(t *testing.T, count int) *guardedNATS {
	t.Helper()
	n := &guardedNATS{t: t, setup: eventstest.Several(t, count, func() *server.Options {
		opts := eventstest.Options(t)
		opts.Port, opts.SyncAlways = portOf(t, freeAddress(t)), true // the same after a restart
		return opts
	})}
	n.servers = eventstest.Run(t, n.options(rightPassword)...)
	return n
}

func (n *guardedNATS) addresses() (all []string) {
	for _, ns := range n.servers {
		all = append(all, ns.Addr().String())
	}
	return all
}

func (n *guardedNATS) options(password string) (all []*server.Options) {
	for _, opts := range n.setup {
		opts = opts.Clone()
		opts.Users = []*server.User{{Username: "leadsync", Password: password}, {Username: "reader", Password: "reader"}}
		all = append(all, opts)
	}
	return all
}

// reload changes the password of servers that run.
func (n *guardedNATS) reload(password string) {
	n.t.Helper()
	for i, opts := range n.options(password) {
		if err := n.servers[i].ReloadOptions(opts); err != nil {
			n.t.Fatal(err)
		}
	}
}

// restart starts the servers again with another password.
func (n *guardedNATS) restart(password string) {
	n.t.Helper()
	for _, ns := range n.servers {
		ns.Shutdown()
		ns.WaitForShutdown()
	}
	n.servers = eventstest.Run(n.t, n.options(password)...)
}
