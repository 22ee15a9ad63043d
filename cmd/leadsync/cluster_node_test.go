package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// nodeConfig says what a server of a cluster is; its process finds it in LEADSYNC_TEST_NODE.
type nodeConfig struct {
	Name        string
	Dir         string
	Port        int
	ClusterPort int
	Routes      []string // to the others
}

// childNode runs one server of a cluster.
func childNode(ctx context.Context) error {
	var cfg nodeConfig
	if err := json.Unmarshal([]byte(os.Getenv("LEADSYNC_TEST_NODE")), &cfg); err != nil {
		return err
	}
	var routes []*url.URL
	for _, route := range cfg.Routes {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: route})
	}
	ns, err := server.NewServer(&server.Options{
		ServerName: cfg.Name, Host: "127.0.0.1", Port: cfg.Port, JetStream: true, StoreDir: cfg.Dir, SyncAlways: true, NoSigs: true, JetStreamMaxStore: 1 << 50,
		// Nobody is to find a way around the links: others are told an address where nobody listens.
		Cluster: server.ClusterOpts{Name: "drill", Host: "127.0.0.1", Port: cfg.ClusterPort, Advertise: "127.0.0.1:1", NoAdvertise: true},
		Routes:  routes,
	})
	if err != nil {
		return err
	}
	ns.SetLoggerV2(stderrLogger{}, false, false, false)
	ns.Start()
	<-ctx.Done()
	ns.Shutdown()
	ns.WaitForShutdown()
	return nil
}

// stderrLogger shows what a server reports.
type stderrLogger struct{}

func (stderrLogger) say(level, format string, v []any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05.000 ")+level+" "+format+"\n", v...)
}
func (l stderrLogger) Noticef(format string, v ...any) { l.say("note", format, v) }
func (l stderrLogger) Warnf(format string, v ...any)   { l.say("warn", format, v) }
func (l stderrLogger) Fatalf(format string, v ...any)  { l.say("fatal", format, v) }
func (l stderrLogger) Errorf(format string, v ...any)  { l.say("error", format, v) }
func (l stderrLogger) Debugf(string, ...any)           {}
func (l stderrLogger) Tracef(string, ...any)           {}

// clusterNode is a server of a cluster, in a process of its own. Clients and the other servers
// reach it through links only.
type clusterNode struct {
	*child

	name    string
	disk    string // a small one, which can be filled; "" where none can be mounted
	clients *link
	peers   []*link // to and from the other servers
}

// startNodes starts three servers that are a cluster.
func startNodes(t *testing.T, disks bool) []*clusterNode {
	t.Helper()
	const count = 3
	var at, clusterAt [count]string
	var nodes []*clusterNode
	for i := range count {
		at[i], clusterAt[i] = freeAddress(t), freeAddress(t)
		nodes = append(nodes, &clusterNode{name: fmt.Sprintf("n%d", i), clients: newLink(t, at[i])})
	}
	for i, node := range nodes {
		cfg := nodeConfig{Name: node.name, Dir: t.TempDir(), Port: portOf(t, at[i]), ClusterPort: portOf(t, clusterAt[i])}
		for j, other := range nodes {
			if i != j {
				l := newLink(t, clusterAt[j])
				node.peers, other.peers = append(node.peers, l), append(other.peers, l)
				cfg.Routes = append(cfg.Routes, l.address)
			}
		}
		if disks && mountDisk(t, cfg.Dir) {
			node.disk = cfg.Dir
		}
		data, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		node.child = newChild(t, "node", "LEADSYNC_TEST_NODE="+string(data))
	}
	for _, node := range nodes {
		node.start()
	}
	return nodes
}

func portOf(t *testing.T, address string) (port int) {
	t.Helper()
	if _, err := fmt.Sscanf(address, "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}

// addressesOf is where clients find the cluster.
func addressesOf(nodes []*clusterNode) string {
	var all []string
	for _, node := range nodes {
		all = append(all, "nats://"+node.clients.address)
	}
	return strings.Join(all, ",")
}

// freeze stops a process as a machine does that stands still, until thaw is called.
func (c *child) freeze() (thaw func()) {
	process := c.cmd.Process
	_ = process.Signal(standStill) // it may have ended
	return func() { _ = process.Signal(goOn) }
}

// linkState is what a link does with what it is to forward.
type linkState int

const (
	linkOpen   linkState = iota
	linkSilent           // connections stay, nothing gets through
	linkCut              // connections end at once
)

// link forwards connections to a server and can be cut, or fall silent as a network does.
type link struct {
	address string
	to      string

	mu      sync.Mutex
	changed *sync.Cond
	state   linkState
	ended   bool
	conns   map[net.Conn]bool
	working sync.WaitGroup
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	l := &link{address: listener.Addr().String(), to: to, conns: map[net.Conn]bool{}}
	l.changed = sync.NewCond(&l.mu)
	l.working.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			l.working.Go(func() { l.forward(client) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		l.mu.Lock()
		l.ended = true
		l.mu.Unlock()
		l.set(linkCut)
		l.working.Wait()
	})
	return l
}

// set changes what the link does.
func (l *link) set(state linkState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		state = linkCut
	}
	l.state = state
	l.changed.Broadcast()
	if state == linkCut {
		for conn := range l.conns {
			_ = conn.Close()
		}
	}
}

// passes waits until the link lets something through; it is false where the link is cut.
func (l *link) passes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.state == linkSilent {
		l.changed.Wait()
	}
	return l.state == linkOpen
}

func (l *link) forward(client net.Conn) {
	defer client.Close()
	if !l.passes() {
		return
	}
	upstream, err := net.DialTimeout("tcp", l.to, 5*time.Second)
	if err != nil {
		return
	}
	defer upstream.Close()
	l.mu.Lock()
	l.conns[client], l.conns[upstream] = true, true
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.conns, client)
		delete(l.conns, upstream)
	}()
	l.working.Go(func() { l.copy(client, upstream) })
	l.copy(upstream, client)
}

// copy forwards in one direction until one side ends, and then ends both.
func (l *link) copy(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !l.passes() {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil { // also io.EOF
			return
		}
	}
}
