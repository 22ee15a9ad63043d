package subscribers_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/leads/leadstest"
)

// clients says whether examples run that need node or Python.
const clients = "LEADSYNC_TEST_CLIENTS"

// builds is a folder for what tests build.
var builds string

func TestMain(m *testing.M) {
	leadstest.SideBySide(4)
	var err error
	if builds, err = os.MkdirTemp("", "subscribers"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(builds)
	m.Run()
}

func TestGoExampleEndsEqual(t *testing.T) {
	t.Parallel()
	lives(t, goExample(t))
}

func TestNodeExampleEndsEqual(t *testing.T) {
	lives(t, nodeExample(t))
}

func TestPythonExampleEndsEqual(t *testing.T) {
	lives(t, pythonExample(t))
}

// On a NATS server of its own, and on a cluster, as deployments/nats/nats.conf makes them.
func TestGoExampleOnOtherServers(t *testing.T) {
	for _, count := range []int{1, 3} {
		t.Run(strconv.Itoa(count), func(t *testing.T) {
			t.Parallel()
			e, w := goExample(t), newWorld(t, 300)
			e.url, e.password = w.outside(count), "password-of-"+name
			w.start()
			w.install()
			e.start()
			w.equal(e)
			e.kill()
			w.live("killed", 30)
			e.start()
			w.equal(e)
		})
	}
}

var servers = flag.Int("servers", 0, "TestExamplesOnALargePortal: how many NATS servers beside the service, 1 or 3; 0 is the embedded one")

// The same with as many leads as a large portal has.
func TestExamplesOnALargePortal(t *testing.T) {
	if os.Getenv("LEADSYNC_TEST_SCALE") == "" {
		t.Skip("LEADSYNC_TEST_SCALE is not set")
	}
	const count = 100_000
	examples := []*example{goExample(t)}
	if os.Getenv(clients) != "" {
		examples = append(examples, nodeExample(t))
	}
	w := newWorld(t, count)
	url, password := "nats://"+w.cfg.NATSListen, token
	if *servers > 0 {
		url, password = w.outside(*servers), "password-of-"+name
	}
	w.start()
	begun := time.Now()
	w.install()
	t.Logf("imported %d leads in %s", count, time.Since(begun).Round(time.Second))
	for _, e := range examples {
		t.Run(filepath.Base(e.command[0]), func(t *testing.T) {
			e.t, e.url, e.password = t, url, password
			begun := time.Now()
			e.start()
			w.until("there is a file for each lead", func() string {
				if n := e.files(); n < count {
					return fmt.Sprintf("%d files", n)
				}
				return ""
			})
			t.Logf("bootstrap of %d leads: %s", count, time.Since(begun).Round(time.Second))
			w.equal(e)
			begun = time.Now()
			w.live("large "+t.Name(), 1000)
			w.equal(e)
			t.Logf("1000 changes, and the comparison of %d files with SQL: %s", e.files(), time.Since(begun).Round(time.Second))
			if again := e.repeated(); len(again) > 0 {
				t.Errorf("%d revisions were stored twice, such as %s", len(again), again[0])
			}
			e.kill()
			w.forget()
		})
	}
}

// lives is the life of a subscriber: it is there before NATS, and is killed; so is the service.
func lives(t *testing.T, e *example) {
	t.Helper()
	w := newWorld(t, 300)
	e.url = "nats://" + w.cfg.NATSListen
	e.start() // NATS is not there yet
	w.start()
	w.install()
	w.equal(e)

	w.live("first", 30)
	w.equal(e)

	w.forget() // its consumer: it reads everything again and stores nothing twice
	w.live("consumer deleted", 30)
	w.equal(e)
	if again := e.repeated(); len(again) > 0 {
		t.Errorf("%d revisions were stored twice, such as %s", len(again), again[0])
	}

	e.kill()
	w.live("killed", 30)
	e.start()
	w.equal(e)

	w.stop()
	w.start()
	w.live("service restarted", 30)
	w.equal(e)

	e.kill()
	w.stop()
	e.start() // NATS is down
	w.start()
	w.live("both restarted", 30)
	w.equal(e)
}

// live changes leads: count are edited, and a tenth as many are added and deleted.
func (w *world) live(title string, count int) {
	w.t.Helper()
	for i := range count {
		id, _ := w.portal.RandomID()
		err := w.portal.Edit(id, map[string]any{"TITLE": title + " " + strconv.Itoa(i)})
		if i%10 == 0 {
			w.portal.Add(1)
			id, _ = w.portal.RandomID()
			err = w.portal.Delete(id)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// forget deletes the subscriber's consumer.
func (w *world) forget() {
	w.t.Helper()
	stream, err := w.service.Backend.NATS.Bus().Stream(w.t.Context(), events.StreamLeads)
	if err == nil {
		err = stream.DeleteConsumer(w.t.Context(), name)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// equal waits until the portal, the table and the files of the example show the same.
func (w *world) equal(e *example) {
	w.t.Helper()
	if err := w.portal.DrainCallbacks(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.until(filepath.Base(e.command[0])+" shows what SQL shows", func() string { return w.difference(e) })
}

// difference is the first one, or "".
func (w *world) difference(e *example) string {
	files := e.files()
	titles := map[int64]string{}
	for id, card := range w.portal.Leads() {
		titles[id] = title(card)
	}
	if files < len(titles) {
		return fmt.Sprintf("%d files, %d leads", files, len(titles))
	}
	rows, err := w.service.Backend.DB.Range(w.t.Context(), w.member(), 0, leads.MaxID, 1_000_000)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, row := range rows {
		if why := compare(e, row, titles); why != "" {
			return fmt.Sprintf("lead %d: %s", row.LeadID, why)
		}
		delete(titles, row.LeadID)
	}
	if len(titles) > 0 || files != len(rows) {
		return fmt.Sprintf("%d leads have no row; %d files, %d rows", len(titles), files, len(rows))
	}
	return ""
}

// compare returns how a row, its lead in the portal and its file differ.
func compare(e *example, row leads.Row, titles map[int64]string) string {
	data, err := os.ReadFile(filepath.Join(e.state, "leads."+row.MemberID+"."+strconv.FormatInt(row.LeadID, 10)))
	var kept leads.Change
	if err == nil {
		err = json.Unmarshal(data, &kept)
	}
	in, there := titles[row.LeadID]
	switch {
	case err != nil:
		return err.Error()
	case row.Deleted == there:
		return fmt.Sprintf("deleted in SQL: %v, in the portal: %v", row.Deleted, !there)
	case kept.Revision != row.Revision || (kept.Kind == leads.RemovedKind) != row.Deleted:
		return fmt.Sprintf("revision %d %s, in SQL %d, deleted: %v", kept.Revision, kept.Kind, row.Revision, row.Deleted)
	case row.Deleted && bytes.Contains(data, []byte("TITLE")):
		return "a deleted lead has a card"
	case !row.Deleted && (in != title(kept.Lead) || in != title(row.Raw)):
		return fmt.Sprintf("titles %q, in SQL %q, in the portal %q", title(kept.Lead), title(row.Raw), in)
	default:
		return ""
	}
}

func title(card json.RawMessage) string {
	var c struct {
		Title string `json:"TITLE"`
	}
	_ = json.Unmarshal(card, &c) // a card without a title has none
	return c.Title
}

// example is a program that keeps a file for each lead.
type example struct {
	t        *testing.T
	command  []string
	dir      string
	state    string
	url      string
	password string
	log      string
	process  *exec.Cmd
}

func newExample(t *testing.T, dir string, command ...string) *example {
	t.Helper()
	e := &example{t: t, command: command, dir: dir, password: token, state: t.TempDir(), log: filepath.Join(t.TempDir(), "log")}
	t.Cleanup(func() {
		e.kill()
		if data, err := os.ReadFile(e.log); err == nil && t.Failed() {
			t.Logf("the end of its output:\n%s", data[max(0, len(data)-3000):])
		}
	})
	return e
}

func goExample(t *testing.T) *example {
	t.Helper()
	binary, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return newExample(t, "", binary)
}

// built is the example in Go, which is built for all tests once.
var built = sync.OnceValues(func() (binary string, err error) {
	binary = filepath.Join(builds, "go")
	if out, err := exec.Command("go", "build", "-o", binary, "./go").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return binary, nil
})

func nodeExample(t *testing.T) *example {
	t.Helper()
	if os.Getenv(clients) == "" {
		t.Skip(clients + " is not set: see README.md")
	}
	return newExample(t, "node", "node", "subscriber.mjs")
}

func pythonExample(t *testing.T) *example {
	t.Helper()
	if os.Getenv(clients) == "" {
		t.Skip(clients + " is not set: see README.md")
	}
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import nats.js").Run(); err != nil {
		t.Skip("python3 with nats-py is missing: ", err)
	}
	return newExample(t, "python", "python3", "subscriber.py")
}

func (e *example) start() {
	e.t.Helper()
	out, err := os.OpenFile(e.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		e.t.Fatal(err)
	}
	defer out.Close() // the process has its own
	e.process = exec.Command(e.command[0], e.command[1:]...)
	e.process.Dir, e.process.Stdout, e.process.Stderr = e.dir, out, out
	e.process.Env = append(os.Environ(), "NATS_URL="+e.url, "NATS_USER="+name, "NATS_PASSWORD="+e.password, "STATE="+e.state)
	if err := e.process.Start(); err != nil {
		e.t.Fatal(err)
	}
}

// kill is kill -9.
func (e *example) kill() {
	if e.process != nil {
		_ = e.process.Process.Kill()
		_ = e.process.Wait() // it was killed: that is its error
		e.process = nil
	}
}

// files counts the files, without those that are being written.
func (e *example) files() (n int) {
	entries, err := os.ReadDir(e.state)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), ".new") {
			n++
		}
	}
	return n
}

var stored = regexp.MustCompile(`lead leads\.\w+\.\d+, revision \d+,`)

// repeated lists what the example has stored twice.
func (e *example) repeated() (again []string) {
	data, err := os.ReadFile(e.log)
	if err != nil {
		e.t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, line := range stored.FindAllString(string(data), -1) {
		if seen[line] {
			again = append(again, line)
		}
		seen[line] = true
	}
	if len(seen) == 0 {
		e.t.Errorf("nothing was stored: %s", strings.TrimSpace(string(data)))
	}
	return again
}
