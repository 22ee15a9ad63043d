package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
)

var (
	clusterFor  = flag.Duration("cluster", 7*time.Second, "how long TestClusterDrill disturbs the cluster")
	clusterLogs = flag.String("cluster-logs", "", "a directory that keeps the logs of TestClusterDrill")
	clusterSeed = flag.Uint64("cluster-seed", 1, "seed of the cluster drill")
)

// Three NATS servers that hold everything three times, three services, one database. Servers are
// killed, stopped, cut off, filled; leaders move; the owner is killed and stopped. Every callback
// that was answered 200 is correct in SQL at the end, without any reconciliation; a subscriber
// that reconnects sees revisions rise; nobody writes who is not the owner.
func TestClusterDrill(t *testing.T) {
	t.Parallel()
	d := newDrill(t)
	t.Cleanup(d.keepLogs)
	d.start()
	stop := d.changeLeads()
	begun := time.Now()
	for time.Since(begun) < *clusterFor {
		d.disturbCluster(time.Until(begun.Add(*clusterFor)))
	}
	d.heal()
	stop()
	d.settle(time.Since(begun))
}

// drill is a cluster of NATS servers with services beside it. Of the harness, serve and nats are
// not set.
type drill struct {
	*harness

	nodes    []*clusterNode
	replicas []*child
	front    *frontend
	control  *events.Bus // to move leaders
	raw      *sql.DB

	owning sync.Mutex // keeps apart those who kill the owner and those who stop it
}

func newDrill(t *testing.T) *drill {
	t.Helper()
	p := startFullEmulator(t, emulator.Config{
		Leads: 100, Seed: *clusterSeed, NoLimits: true, Delay: time.Millisecond, DelayMax: 80 * time.Millisecond,
		Switches: emulator.Switches{NoOffline: true}, // what callbacks lose must not come another way
	})
	d := &drill{nodes: startNodes(t, true), front: newFrontend(t)}
	d.harness = &harness{
		t: t, portal: p, url: d.front.url, natsAt: addressesOf(d.nodes), dbPath: filepath.Join(t.TempDir(), "db", "leadsync.db"),
		rng: rand.New(rand.NewPCG(*clusterSeed, 7)), faults: map[string]int{}, secrets: map[string]string{},
	}
	d.openDatabase()
	return d
}

// start starts the services when the cluster is one, and imports the leads.
func (d *drill) start() {
	t := d.t
	t.Helper()
	nc, err := events.ConnectLater(events.Server{URL: d.natsAt})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if d.control, err = events.Open(nc, ""); err != nil {
		t.Fatal(err)
	}
	d.until("the cluster holds streams three times", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		return events.Setup(ctx, d.control, 3) == nil
	})
	info := d.portal.Info()
	for range 3 {
		address := freeAddress(t)
		replica := newChild(t, "serve",
			"LEADSYNC_DATA_DIR="+t.TempDir(), "LEADSYNC_HTTP_ADDR="+address, "LEADSYNC_PUBLIC_URL="+d.url,
			"LEADSYNC_NATS_URL="+d.natsAt, "LEADSYNC_NATS_REPLICAS=3", "LEADSYNC_DATABASE_URL="+d.dbURL, "LEADSYNC_LOG_LEVEL=debug",
			"LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth), "LEADSYNC_CATCHUP_EVERY=off", "LEADSYNC_RECONCILE_AT=off",
			"LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret)
		d.front.targets = append(d.front.targets, &target{url: "http://" + address, replica: replica})
		d.replicas = append(d.replicas, replica)
	}
	for _, r := range d.replicas {
		r.start()
	}
	d.until("all services are ready", func() bool { return d.front.ready() == len(d.replicas) })
	d.watchWrites()
	d.install()
	d.subscriber.setReplicated()
}

// watchWrites lets the database itself record who owns the portal and who writes: it sees every
// write at its moment.
func (d *drill) watchWrites() {
	d.t.Helper()
	raw, err := sql.Open("sqlite", d.dbPath+"?_txlock=immediate&_pragma=busy_timeout(20000)")
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = raw.Close() })
	d.raw = raw
	const now = `CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)`
	const wrote = `
		INSERT INTO drill_owners (epoch, owner, taken, first, last) VALUES (NEW.read_ticket >> 32, '', 0, ` + now + `, ` + now + `)
			ON CONFLICT (epoch) DO UPDATE SET first = COALESCE(first, excluded.first), last = excluded.last;
		INSERT INTO drill_late SELECT NEW.read_ticket >> 32, o.epoch FROM leadsync_owners AS o WHERE o.member_id = NEW.member_id AND o.epoch <> NEW.read_ticket >> 32;`
	const took = `
		INSERT INTO drill_owners (epoch, owner, taken) VALUES (NEW.epoch, NEW.owner, ` + now + `)
			ON CONFLICT (epoch) DO UPDATE SET owner = owner || ' and ' || excluded.owner;`
	for _, statement := range []string{
		`CREATE TABLE drill_owners (epoch INTEGER PRIMARY KEY, owner TEXT, taken INTEGER, first INTEGER, last INTEGER)`,
		`CREATE TABLE drill_late (epoch INTEGER, owned INTEGER)`,
		`CREATE TRIGGER drill_take AFTER UPDATE OF epoch ON leadsync_owners BEGIN ` + took + ` END`,
		`CREATE TRIGGER drill_update AFTER UPDATE OF read_ticket ON bitrix_leads WHEN NEW.read_ticket <> OLD.read_ticket BEGIN ` + wrote + ` END`,
		`CREATE TRIGGER drill_insert AFTER INSERT ON bitrix_leads BEGIN ` + wrote + ` END`,
	} {
		if _, err := raw.ExecContext(d.t.Context(), statement); err != nil {
			d.t.Fatal(err)
		}
	}
}

// disturbCluster does one thing to the cluster, and at times another to leaders or the owner
// meanwhile. left is the time that is left.
func (d *drill) disturbCluster(left time.Duration) {
	length := min(time.Duration(500+d.rng.IntN(11_500))*time.Millisecond, max(left, 500*time.Millisecond))
	hit := d.someNodes()
	kinds := []func([]*clusterNode, time.Duration){d.killNodes, d.freezeNodes, d.isolate, d.separate, d.disconnect, d.fillNode}
	kind := kinds[d.rng.IntN(len(kinds))]
	var group sync.WaitGroup
	group.Go(func() { kind(hit, length) })
	for _, do := range []func(time.Duration){d.killOwner, d.freezeOwner, d.moveLeaders, d.moveLeaders} {
		if d.rng.IntN(100) < 30 {
			after := time.Duration(d.rng.Int64N(int64(length)))
			group.Go(func() { time.Sleep(after); do(length) })
		}
	}
	group.Wait()
	d.sleep(200, 4000) // at times the next comes before the last is over
}

// someNodes are one server, or every third time two of three.
func (d *drill) someNodes() []*clusterNode {
	order := d.rng.Perm(len(d.nodes))
	hit := []*clusterNode{d.nodes[order[0]]}
	if d.rng.IntN(3) == 0 {
		hit = append(hit, d.nodes[order[1]])
	}
	return hit
}

func (d *drill) count(what string, hit []*clusterNode) {
	d.countFault(fmt.Sprintf("%s %d of 3", what, len(hit)))
}

func (d *drill) killNodes(hit []*clusterNode, length time.Duration) {
	d.count("killed", hit)
	for _, node := range hit {
		node.kill()
	}
	time.Sleep(length)
	for _, node := range hit {
		node.start()
	}
}

func (d *drill) freezeNodes(hit []*clusterNode, length time.Duration) {
	d.count("stopped", hit)
	for _, node := range hit {
		defer node.freeze()()
	}
	time.Sleep(length)
}

// isolate cuts servers off from everybody.
func (d *drill) isolate(hit []*clusterNode, length time.Duration) {
	d.count("cut off", hit)
	for _, node := range hit {
		defer cutLinks(append(slices.Clip(node.peers), node.clients), length)()
	}
	time.Sleep(length)
}

// separate cuts servers off from each other; clients reach all of them.
func (d *drill) separate(hit []*clusterNode, length time.Duration) {
	d.count("separated", hit)
	for _, node := range hit {
		defer cutLinks(node.peers, length)()
	}
	time.Sleep(length)
}

// disconnect cuts servers off from their clients.
func (d *drill) disconnect(hit []*clusterNode, length time.Duration) {
	d.count("clients cut off", hit)
	for _, node := range hit {
		defer cutLinks([]*link{node.clients}, length)()
	}
	time.Sleep(length)
}

// cutLinks cuts links, or makes them silent, until heal is called.
func cutLinks(links []*link, length time.Duration) (heal func()) {
	state := linkCut
	if length.Milliseconds()%2 == 0 {
		state = linkSilent
	}
	for _, l := range links {
		l.set(state)
	}
	return func() {
		for _, l := range links {
			l.set(linkOpen)
		}
	}
}

// fillNode fills the disk of one server, which has to be restarted then.
func (d *drill) fillNode(hit []*clusterNode, length time.Duration) {
	node := hit[0]
	if node.disk == "" {
		d.separate(hit, length)
		return
	}
	d.count("disk full", hit[:1])
	free := fillDisk(d.t, node.disk)
	time.Sleep(length)
	free()
	node.stop()
	node.start()
}

// moveLeaders makes the leaders of all streams and consumers, and of the cluster, step down.
func (d *drill) moveLeaders(time.Duration) {
	nc := d.control.Conn()
	member := d.portal.Info().MemberID
	for _, subject := range []string{
		"META.LEADER.STEPDOWN", "STREAM.LEADER.STEPDOWN.BITRIX24_NOTICES", "STREAM.LEADER.STEPDOWN.LEADS", "STREAM.LEADER.STEPDOWN.BITRIX24_PORTALS",
		"STREAM.LEADER.STEPDOWN.KV_LEADSYNC_LEASES", "CONSUMER.LEADER.STEPDOWN.BITRIX24_NOTICES.notices-" + member,
	} {
		if _, err := nc.Request("$JS.API."+subject, nil, 2*time.Second); err == nil {
			d.countFault("leaders moved")
		}
	}
}

// owner is the service that owns the portal; nil where that is not known.
func (d *drill) owner() *child { return ownerOf(d.t, d.db, d.portal.Info().MemberID, d.replicas) }

func (d *drill) killOwner(time.Duration) {
	d.owning.Lock()
	defer d.owning.Unlock()
	if o := d.owner(); o != nil {
		d.countFault("owner killed")
		o.kill()
		o.start()
	}
}

// freezeOwner stops the owner, often for longer than its lease: it wakes up and is owner no more.
func (d *drill) freezeOwner(length time.Duration) {
	d.owning.Lock()
	defer d.owning.Unlock()
	if o := d.owner(); o != nil {
		d.countFault("owner stopped")
		thaw := o.freeze()
		time.Sleep(length)
		thaw()
	}
}

// heal ends all faults.
func (d *drill) heal() {
	for _, c := range d.replicas {
		if c.exited() { // a service manager starts it again
			d.t.Errorf("a service has ended by itself")
			c.kill()
			c.start()
		}
	}
	for _, node := range d.nodes {
		if node.exited() {
			d.t.Errorf("%s has ended by itself", node.name)
			node.kill()
			node.start()
		}
	}
}

// settle waits until everything has arrived, and checks and prints the result.
func (d *drill) settle(took time.Duration) {
	t := d.t
	t.Helper()
	if err := d.portal.DrainCallbacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	begun, before := time.Now(), ""
	var wrong []string
	depth, ready := int64(-1), 0
	for end := begun.Add(4 * time.Minute); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		var err, failed error
		wrong, err = d.inconsistencies()
		depth, failed = d.db.OutboxDepth(t.Context())
		ready = d.front.ready()
		if err == nil && failed == nil && len(wrong) == 0 && depth == 0 && ready == len(d.replicas) {
			break
		}
		if said := fmt.Sprintf("%v, %v: %d leads wrong, %d in the outbox, not ready: %q", err, failed, len(wrong), depth, d.front.problems()); said != before {
			before = said
			t.Logf("after %s: %s", time.Since(begun).Round(time.Second), said)
		}
	}
	all, answered := d.portal.Callbacks(), 0
	for _, cb := range all {
		if cb.Status == http.StatusOK {
			answered++
		}
	}
	t.Logf("%s of faults %v; callbacks %d, answered %d, lost %d, duplicates %d; topic messages %d in %d sessions; settled within %s",
		took.Round(time.Second), d.faults, len(all), answered, len(wrong), d.subscriber.duplicates(), d.subscriber.count(), d.subscriber.sessions.Load(),
		time.Since(begun).Round(time.Second))
	for _, w := range wrong {
		t.Error(w)
	}
	if depth != 0 || ready != len(d.replicas) {
		t.Errorf("%d changes wait in the outbox, %d of %d services are ready: %v", depth, ready, len(d.replicas), d.front.problems())
	}
	for _, problem := range d.subscriber.wrongOrder() {
		t.Error(problem)
	}
	if answered == 0 {
		t.Error("nothing happened")
	}
	t.Logf("%d messages came from a server that was behind what an earlier session had read", d.subscriber.olderThanBefore())
	d.wantTopic()
	d.wantOneOwner()
	d.wantNoPasses()
}

// wantTopic checks that the topic itself has the last revision of every row: a subscriber that
// has read nothing before finds it there.
func (d *drill) wantTopic() {
	d.t.Helper()
	d.subscriber.stop()
	d.subscriber = d.subscribe()
	var wrong []string
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
		var err error
		if wrong, err = d.inconsistencies(); err == nil && len(wrong) == 0 {
			return
		}
	}
	d.t.Errorf("a new subscriber misses %d: %.1000v", len(wrong), wrong)
}

// wantOneOwner checks what the database has recorded: an epoch has one owner, and nobody wrote
// who was not the owner at that moment.
func (d *drill) wantOneOwner() {
	t := d.t
	t.Helper()
	var late, shared, owners int
	if err := d.raw.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM drill_late), (SELECT COUNT(*) FROM drill_owners WHERE owner LIKE '% and %'),
		(SELECT COUNT(*) FROM drill_owners)`).Scan(&late, &shared, &owners); err != nil {
		t.Fatal(err)
	}
	var longest sql.NullInt64 // from an owner's last write until the next has taken over
	if err := d.raw.QueryRowContext(t.Context(), `SELECT MAX(n.taken - o.last) FROM drill_owners AS o JOIN drill_owners AS n
		ON n.epoch = (SELECT MIN(x.epoch) FROM drill_owners AS x WHERE x.epoch > o.epoch)`).Scan(&longest); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d owners one after the other; the longest time from an owner's last write until the next took over: %s", owners, time.Duration(longest.Int64)*time.Millisecond)
	if late > 0 || shared > 0 || owners == 0 {
		t.Errorf("%d writes of processes that were not the owner, %d epochs with two owners, %d owners", late, shared, owners)
	}
}

// keepLogs copies what all processes have logged, where that is wanted.
func (d *drill) keepLogs() {
	logs := map[string]*child{}
	for i, r := range d.replicas {
		logs[fmt.Sprintf("serve%d.log", i)] = r
	}
	for _, node := range d.nodes {
		logs[node.name+".log"] = node.child
	}
	for name, c := range logs {
		data, err := os.ReadFile(c.log)
		if err == nil && *clusterLogs != "" {
			err = os.WriteFile(filepath.Join(*clusterLogs, name), data, 0o600)
		}
		if err != nil {
			d.t.Error(err)
		}
	}
}

// frontend is an operator's load balancer with health checks: it sends callbacks to services that
// answer in time.
type frontend struct {
	url     string
	targets []*target
	next    atomic.Int64
	client  *http.Client
}

type target struct {
	url     string
	replica *child
	avoid   atomic.Int64 // until when it gets nothing, in Unix milliseconds
}

func newFrontend(t *testing.T) *frontend {
	t.Helper()
	f := &frontend{client: &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
	server := &http.Server{Addr: freeAddress(t), Handler: f, ReadHeaderTimeout: time.Second}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = server.ListenAndServe() }()
	t.Cleanup(func() { _ = server.Close(); <-ended; f.client.CloseIdleConnections() })
	f.url = "http://" + server.Addr
	return f
}

// ServeHTTP implements http.Handler.
func (f *frontend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	first := f.next.Add(1)
	for i := range 2 * int64(len(f.targets)) {
		to, now := f.targets[(first+i)%int64(len(f.targets))], time.Now()
		if i < int64(len(f.targets)) && now.UnixMilli() < to.avoid.Load() {
			continue // only where no other answers
		}
		resp, err := f.client.Post(to.url+r.URL.RequestURI(), r.Header.Get("Content-Type"), strings.NewReader(string(body)))
		if err != nil {
			to.avoid.Store(now.Add(2 * time.Second).UnixMilli())
			continue
		}
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
		_ = resp.Body.Close()
		return
	}
	w.WriteHeader(http.StatusBadGateway)
}

// ready is how many services are ready.
func (f *frontend) ready() (n int) {
	for _, problem := range f.problems() {
		if problem == "" {
			n++
		}
	}
	return n
}

// problems is what each service says that is not ready.
func (f *frontend) problems() (all []string) {
	for _, to := range f.targets {
		resp, err := f.client.Get(to.replica.admin() + "/readyz")
		if err != nil {
			all = append(all, err.Error())
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		switch {
		case err != nil:
			all = append(all, err.Error())
		case resp.StatusCode != http.StatusOK:
			all = append(all, string(body))
		default:
			all = append(all, "")
		}
	}
	return all
}
