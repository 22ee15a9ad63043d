package main

import (
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	speedFor  = flag.Duration("speed", 400*time.Millisecond, "how long each load of the speed test lasts")
	speedRate = flag.Int("speed-rate", 500, "callbacks a second in the speed test")
)

// load records how many callbacks were answered with which status, and how fast. Times are from the
// moment a callback was due, so that a stall counts for all that it holds up.
type load struct {
	mu     sync.Mutex
	took   []time.Duration
	status map[int]int
}

func (l *load) add(status int, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, took)
	l.status[status]++
}

func (l *load) String() string {
	slices.Sort(l.took)
	at := func(share float64) time.Duration {
		return l.took[int(share*float64(len(l.took)-1))].Round(10 * time.Microsecond)
	}
	return fmt.Sprintf("%d callbacks, p50 %s, p99 %s, max %s, answered %v", len(l.took), at(.5), at(.99), at(1), l.status)
}

// sendCallbacks sends callbacks at a constant rate, however slow the answers are.
func (h *harness) sendCallbacks(rate int, body func(n int) string) *load {
	h.t.Helper()
	l := &load{status: map[int]int{}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	var group sync.WaitGroup
	begun := time.Now()
	for n := 0; time.Since(begun) < *speedFor; n++ {
		due := begun.Add(time.Duration(n) * time.Second / time.Duration(rate))
		time.Sleep(time.Until(due))
		group.Go(func() {
			response, err := client.Post(h.url+"/bitrix24/events", "application/x-www-form-urlencoded", strings.NewReader(body(n)))
			if err != nil {
				l.add(0, time.Since(due))
				return
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			l.add(response.StatusCode, time.Since(due))
		})
	}
	group.Wait()
	return l
}

// genuineCallback is a callback of one of some thousand leads.
func (h *harness) genuineCallback(n int) string {
	info := h.portal.Info()
	return url.Values{
		"event": {"ONCRMLEADUPDATE"}, "ts": {"1766047124"}, "data[FIELDS][ID]": {strconv.Itoa(1 + n*7919%5000)},
		"auth[member_id]": {info.MemberID}, "auth[application_token]": {info.ApplicationToken}, "auth[domain]": {"x"},
	}.Encode()
}

// forgedCallback is one of four bodies that are no callback of a known portal.
func (h *harness) forgedCallback(n int) string {
	member := h.portal.Info().MemberID
	switch n % 4 {
	case 0:
		return "event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=" + member + "&auth[application_token]=wrong"
	case 1:
		return fmt.Sprintf("event=ONCRMLEADADD&data[FIELDS][ID]=1&auth[member_id]=x%d&auth[application_token]=wrong", n)
	case 2:
		return strings.Repeat("x", 70_000)
	default:
		return "%zz&&&[[[=]]]"
	}
}

// TestAnswerTimes logs percentiles, which depend on the machine; only a wrong answer fails it.
// Every callback is on disk, fsynced, when it is answered.
// measures skips a test of times or of numbers of requests with -short: under the race
// detector the process is so slow that it counts as an outage.
func measures(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped because of -short: it measures what a slow machine changes")
	}
}

func TestAnswerTimes(t *testing.T) {
	measures(t)
	t.Run("embedded", func(t *testing.T) { answerTimes(t, newHarness(t, true)) })
	t.Run("apart", func(t *testing.T) {
		h := newHarness(t, false)
		answerTimes(t, h)
		if runtime.GOOS == "windows" {
			t.Skip("no signal makes a process stand still here")
		}
		if err := h.nats.cmd.Process.Signal(standStill); err != nil {
			t.Fatal(err)
		}
		h.wantAllAnswered("NATS hangs", h.sendCallbacks(*speedRate, h.genuineCallback))
		h.nats.kill()
		h.wantAllAnswered("NATS is down", h.sendCallbacks(*speedRate, h.genuineCallback))
		_, words := h.readiness()
		t.Logf("readyz: %s", words)
	})
}

func answerTimes(t *testing.T, h *harness) {
	t.Helper()
	h.install()
	h.wantAllAnswered("well", h.sendCallbacks(*speedRate, h.genuineCallback))
	m := &metricsTest{h: h, shown: map[string]bool{}}
	m.untilZero("leadsync_spool_entries") // a busy machine may have spooled some
	memory, before := h.serve.memory(), m.read()
	defer h.openSlowConnections(300)()
	var forged *load
	var group sync.WaitGroup
	group.Go(func() { forged = h.sendCallbacks(2**speedRate, h.forgedCallback) })
	genuine := h.sendCallbacks(*speedRate, h.genuineCallback)
	h.wantAllAnswered("beside forgeries at twice the rate", genuine)
	group.Wait()
	after := h.serve.memory()
	t.Logf("forgeries, with 300 clients that never finish a request beside them: %s; memory %d MB, then %d MB", forged, memory, after)
	// One that came while a busy machine's database did not answer is taken unverified, and
	// dropped when it does.
	unverified := m.read()["leadsync_callbacks_without_database_total"] - before["leadsync_callbacks_without_database_total"]
	if float64(forged.status[http.StatusOK]) > unverified {
		t.Errorf("forgeries were answered %v, %v came while the database did not answer", forged.status, unverified)
	}
	if after > 3*memory {
		t.Errorf("memory grew from %d to %d MB", memory, after)
	}
	m.wantStored(before, len(genuine.took), len(forged.took), int(unverified))
}

// wantStored checks that every genuine callback since before was stored, and every forged one
// refused and counted. Of those that came while the database did not answer nobody knew which
// they were.
func (m *metricsTest) wantStored(before map[string]float64, genuine, forged, unverified int) {
	m.h.t.Helper()
	m.untilZero("leadsync_spool_entries")
	now := m.read()
	grew := func(name string) int { return int(now[name] - before[name]) }
	refused := 0
	for name := range now {
		if strings.HasPrefix(name, "leadsync_callbacks_refused_total{") {
			refused += grew(name)
		}
	}
	stored, received := grew("leadsync_notices_published_total"), grew("leadsync_callbacks_received_total")
	if stored != genuine || received < genuine || received > genuine+unverified || refused != forged {
		m.h.t.Errorf("%d genuine and %d forged callbacks: %d received, %d stored, %d refused", genuine, forged, received, stored, refused)
	}
}

// openSlowConnections opens connections that send half a request and then nothing.
func (h *harness) openSlowConnections(count int) (closeAll func()) {
	h.t.Helper()
	var conns []net.Conn
	for range count {
		conn, err := net.Dial("tcp", host(h.url))
		if err != nil {
			h.t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "POST "+"/bitrix24/events"+" HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\nContent-Ty"); err != nil {
			h.t.Fatal(err)
		}
		conns = append(conns, conn)
	}
	return func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}
}

func (h *harness) wantAllAnswered(what string, l *load) {
	h.t.Helper()
	h.t.Logf("%s: %s", what, l)
	if l.status[http.StatusOK] != len(l.took) {
		h.t.Errorf("%s: answered %v", what, l.status)
	}
}
