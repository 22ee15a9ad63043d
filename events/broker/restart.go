package broker

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// checkEvery is how often the broker checks its server.
	checkEvery = time.Second
	// restartAfter is how many checks in a row must find a problem: a stream that is being
	// created on a slow disk passes for a problem for seconds.
	restartAfter = 5
	// restartRoom is how much the disk must take before the server is restarted, in bytes.
	restartRoom = 1 << 20
)

// How often, and how long after each other, the server is asked for a problem that it names: longer
// than most disks take to make a stream.
const (
	looks    = 14
	lookWait = 40 * time.Millisecond
)

// Problem says what is wrong with the server or its store; "" if nothing is. While a stream
// is being made it looks like one that is lost, so only what stays the same for half a second counts.
func (b *Broker) Problem() string {
	b.mu.Lock()
	ns, failed := b.server, b.failed
	b.mu.Unlock()
	if failed != nil {
		return failed.Error()
	}
	problem := ns.Healthz(nil).Error
	for look := 1; problem != "" && look < looks; look++ {
		<-time.After(lookWait)
		if ns.Healthz(nil).Error != problem {
			return ""
		}
	}
	return problem
}

// InProcessConn implements nats.InProcessConnProvider: a client that reconnects gets to
// the server that runs now.
func (b *Broker) InProcessConn() (net.Conn, error) { return b.current().InProcessConn() }

func (b *Broker) current() *server.Server {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.server
}

// watch restarts the server when it has a problem and the disk has room. A server that
// could not write once, because the disk was full, silently refuses everything until it is
// restarted. Opening its store again while it runs is a data race inside it.
func (b *Broker) watch(stop <-chan struct{}) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for found := 0; ; {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		problem := b.Problem()
		if problem == "" {
			found = 0
			continue
		}
		if found++; found < restartAfter || !hasRoom(b.cfg.Dir) {
			continue
		}
		if err := b.restart(); err != nil {
			b.cfg.Logger.Error("embedded nats server could not be restarted, trying again", "problem", problem, "error", err)
			continue
		}
		b.cfg.Logger.Warn("embedded nats server restarted", "problem", problem)
	}
}

// restart stops the server and starts another on the same store and port. Clients
// reconnect by themselves.
func (b *Broker) restart() error {
	b.stopServer()
	ns, err := startServer(b.cfg, b.port)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed = err; err != nil {
		b.failed = fmt.Errorf("restart: %w", err)
		return err
	}
	b.server = ns
	return nil
}

// stopServer returns when everything the server did is on disk.
func (b *Broker) stopServer() {
	ns := b.current()
	ns.Shutdown()
	ns.WaitForShutdown()
}

// hasRoom asks the disk whether it takes something.
func hasRoom(dir string) bool {
	path := filepath.Join(dir, "room")
	return errors.Join(os.WriteFile(path, make([]byte, restartRoom), 0o600), os.Remove(path)) == nil
}
