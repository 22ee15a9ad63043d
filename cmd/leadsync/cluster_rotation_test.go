package main

import (
	"flag"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/bitrix24/emulator"
)

var rotationFor = flag.Duration("rotation", 5*time.Second, "how long TestRotatedPasswordLosesNothing lets NATS refuse the service")

// Somebody changes the password of a NATS server before that of the service, under a load of
// some fifty callbacks a second: the service keeps them, says why, and is back by itself when the
// password is right again.
func TestRotatedPasswordLosesNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*guardedNATS, string){"reloaded": (*guardedNATS).reload, "restarted": (*guardedNATS).restart} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotation(t)
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

func newRotation(t *testing.T) *rotation {
	t.Helper()
	p := startFullEmulator(t, emulator.Config{
		Leads: 100, Seed: 17, NoLimits: true, Delay: time.Millisecond, DelayMax: 80 * time.Millisecond, Switches: emulator.Switches{NoOffline: true},
	})
	r := &rotation{server: newGuardedNATS(t)}
	address, dir := freeAddress(t), t.TempDir()
	r.harness = &harness{
		t: t, portal: p, url: "http://" + address, natsAt: "nats://reader:reader@" + r.server.address(), dataDir: dir,
		dbPath: filepath.Join(dir, "db", "leadsync.db"), rng: rand.New(rand.NewPCG(17, 0)), faults: map[string]int{}, secrets: map[string]string{},
	}
	r.openDatabase()
	info := p.Info()
	r.serve = newChild(t, "serve",
		"LEADSYNC_DATA_DIR="+dir, "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+r.url, "LEADSYNC_DATABASE_URL="+r.dbURL,
		"LEADSYNC_NATS_URL=nats://"+r.server.address(), "LEADSYNC_NATS_USER=leadsync", "LEADSYNC_NATS_PASSWORD="+rightPassword,
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

// guardedNATS is a NATS server whose password can be changed.
type guardedNATS struct {
	t      *testing.T
	port   int
	dir    string
	server *server.Server
}

func newGuardedNATS(t *testing.T) *guardedNATS {
	t.Helper()
	n := &guardedNATS{t: t, port: portOf(t, freeAddress(t)), dir: t.TempDir()}
	n.start(rightPassword)
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *guardedNATS) address() string { return n.server.Addr().String() }

func (n *guardedNATS) options(password string) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: n.port, NoSigs: true, NoLog: true, JetStream: true, StoreDir: n.dir, JetStreamMaxStore: 1 << 50, SyncAlways: true,
		Users: []*server.User{{Username: "leadsync", Password: password}, {Username: "reader", Password: "reader"}},
	}
}

func (n *guardedNATS) start(password string) {
	n.t.Helper()
	ns, err := server.NewServer(n.options(password))
	if err != nil {
		n.t.Fatal(err)
	}
	ns.Start()
	within(n.t, time.Minute, "NATS listens", func() bool { return ns.ReadyForConnections(time.Second) })
	n.server = ns
}

func (n *guardedNATS) stop() {
	n.server.Shutdown()
	n.server.WaitForShutdown()
}

// reload changes the password of a server that runs.
func (n *guardedNATS) reload(password string) {
	n.t.Helper()
	if err := n.server.ReloadOptions(n.options(password)); err != nil {
		n.t.Fatal(err)
	}
}

// restart starts the server again with another password.
func (n *guardedNATS) restart(password string) {
	n.t.Helper()
	n.stop()
	n.start(password)
}
