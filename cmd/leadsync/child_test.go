package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"leadsync/leads/leadstest"
	"leadsync/service"

	"github.com/nats-io/nats-server/v2/server"
)

// childRole is the variable that says what a process started by a test does.
const childRole = "LEADSYNC_TEST_CHILD"

// TestChild is not a test: it is the main function of the processes that tests start and kill.
func TestChild(t *testing.T) {
	role := os.Getenv(childRole)
	if role == "" {
		t.Skip("for processes that tests start")
	}
	clock := newShiftedClock(os.Getenv("LEADSYNC_TEST_CLOCK"))
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			clock.set(lines.Text())
		}
		os.Exit(3) // the process that started this one has ended
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	switch role {
	case "serve":
		err = childServe(ctx, clock)
	case "nats":
		err = childNATS(ctx)
	case "node":
		err = childNode(ctx)
	case "emulator":
		args := []string{"emulator", "--json", "--addr", "127.0.0.1:0", "--leads", os.Getenv("LEADSYNC_TEST_LEADS")}
		if os.Getenv("LEADSYNC_TEST_TLS") != "" {
			args = append(args, "--tls")
		}
		os.Exit(run(ctx, args, surroundings{environment: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// shiftedClock is the machine's clock, set forward or back by an offset that may change at any
// time.
type shiftedClock struct{ offset atomic.Int64 }

func newShiftedClock(offset string) *shiftedClock {
	c := &shiftedClock{}
	c.set(offset)
	return c
}

func (c *shiftedClock) set(offset string) {
	if d, err := time.ParseDuration(offset); err == nil {
		c.offset.Store(int64(d))
	}
}

func (c *shiftedClock) now() time.Time {
	return time.Now().Round(0).Add(time.Duration(c.offset.Load()))
}

// childServe is `leadsync serve` with a short grace period and our clock. A long test deletes
// more of a small portal's leads than the breaker allows within an hour.
func childServe(ctx context.Context, clock *shiftedClock) error {
	cfg, err := service.ReadConfig(os.LookupEnv)
	if err != nil {
		return err
	}
	debug.SetGCPercent(gcPercent)
	cfg.Tuning = service.Tuning{Grace: 2 * time.Second, Clock: clock.now, DeleteFloor: 1_000_000}
	return service.Serve(ctx, cfg, service.NewLog(os.Stderr, cfg))
}

// childNATS runs a NATS server as an operator would.
func childNATS(ctx context.Context) error {
	port, err := strconv.Atoi(os.Getenv("LEADSYNC_TEST_PORT"))
	if err != nil {
		return err
	}
	ns, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: os.Getenv("LEADSYNC_TEST_DIR"), SyncAlways: true, NoSigs: true,
		JetStreamMaxStore: 1 << 50,
	})
	if err != nil {
		return err
	}
	ns.Start()
	<-ctx.Done()
	ns.Shutdown()
	ns.WaitForShutdown()
	return nil
}

// child is a process that a test starts, kills and starts again.
type child struct {
	program string // another build of leadsync that is run instead of this one; "" for this one
	tb      testing.TB
	role    string
	env     []string
	log     string

	clock time.Duration // offset of its clock
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended
	stdin io.WriteCloser
}

// newChild skips the test with -short: in CI the race detector then watches what happens in one process, and
// processes of their own run without it. Nobody waits ten minutes for the same tests twice.
func newChild(tb testing.TB, role string, env ...string) *child {
	tb.Helper()
	if testing.Short() {
		tb.Skip("skipped because of -short: it needs processes of its own")
	}
	c := &child{tb: tb, role: role, env: env, log: filepath.Join(tb.TempDir(), role+".log")}
	tb.Cleanup(func() {
		c.kill()
		if log, err := os.ReadFile(c.log); err == nil && bytes.Contains(log, []byte("WARNING: DATA RACE")) {
			tb.Errorf("the race detector has found something in %s", c.role)
		}
		if tb.Failed() {
			c.logTail()
		}
	})
	return c
}

// admin is where the operators' face of a service listens.
func (c *child) admin() string {
	for _, variable := range c.env {
		if dir, ok := strings.CutPrefix(variable, "LEADSYNC_DATA_DIR="); ok {
			return adminOf(dir)
		}
	}
	return ""
}

// adminOf is where the operators' face of the service on a data directory listens; "" where
// none has said so.
func adminOf(dir string) string {
	address, err := service.RunningAdminAddress(service.Config{DataDir: dir})
	if err != nil {
		return ""
	}
	return address
}

func (c *child) start() {
	c.tb.Helper()
	out, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.tb.Fatal(err)
	}
	defer out.Close() // the process has its own
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.timeout=0")
	if c.program != "" {
		cmd = exec.Command(c.program, c.role)
	}
	cmd.Env = append([]string{childRole + "=" + c.role, "LEADSYNC_ADMIN_ADDR=127.0.0.1:0", "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(), "LEADSYNC_TEST_CLOCK=" + c.clock.String()}, c.env...)
	cmd.Stdout, cmd.Stderr = out, out
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		c.tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.tb.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it was killed: that is its error
	}()
	c.cmd, c.ended = cmd, ended
}

// exited tells whether the process has ended by itself.
func (c *child) exited() bool {
	if c.cmd == nil {
		return false
	}
	select {
	case <-c.ended:
		return true
	default:
		return false
	}
}

// setClock sets the clock of the process and of its successors.
func (c *child) setClock(offset time.Duration) {
	c.clock = offset
	if c.cmd != nil {
		_, _ = fmt.Fprintln(c.stdin, offset) // it may have been killed meanwhile
	}
}

// kill is kill -9.
func (c *child) kill() { c.terminate((*os.Process).Kill) }

// stop sends SIGTERM and waits.
func (c *child) stop() { c.terminate(func(p *os.Process) error { return p.Signal(syscall.SIGTERM) }) }

func (c *child) terminate(signal func(*os.Process) error) {
	if c.cmd == nil {
		return
	}
	_ = signal(c.cmd.Process)
	<-c.ended
	_ = c.stdin.Close()
	c.cmd = nil
}

// logTail logs the end of the process's log.
func (c *child) logTail() {
	data, err := os.ReadFile(c.log)
	if err != nil {
		return
	}
	c.tb.Logf("the end of the log of %s:\n%s", c.role, data[max(0, len(data)-6000):])
}

// memory is how much the process has resident, in MB; 0 where the system does not say.
func (c *child) memory() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var size, resident int
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		return 0
	}
	return resident * os.Getpagesize() >> 20
}

// freeAddress is one that stays free until a process of the test listens on it.
var freeAddress = leadstest.FreeAddress
