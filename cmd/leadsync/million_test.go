package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
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
	"leadsync/retry"
)

var million = flag.Int("million", 0, "leads of the memory test; 0 skips it, 1,000,000 is the size to judge by")

// memoryLimit is what the service may have resident beside its NATS server, in MB; 40 of them are
// pages of the test's own program. The goal was 135, which it does not reach (docs/performance.md):
// this finds out where it gets worse than the 217 that 1,000,000 leads took.
const memoryLimit = 230

// TestMemoryStaysConstant imports a large portal and compares it, each of portal, NATS
// server and service in a process of its own, with the portal's limits on. It
// asserts memory and requests, and logs the time.
func TestMemoryStaysConstant(t *testing.T) {
	if *million == 0 {
		t.Skip("takes a quarter of an hour: -million says with how many leads")
	}
	dir, natsAt, httpAt := t.TempDir(), freeAddress(t), freeAddress(t)
	portalChild := newChild(t, "emulator", "LEADSYNC_TEST_LEADS="+strconv.Itoa(*million))
	portalChild.start()
	var info emulator.Info
	longEventually(t, "the portal is ready", time.Second, func() bool {
		line, err := os.ReadFile(portalChild.log)
		return err == nil && json.Unmarshal(line, &info) == nil
	})
	_, port, _ := strings.Cut(natsAt, ":")
	broker := newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+filepath.Join(dir, "nats"))
	broker.start()
	database := "sqlite:" + filepath.Join(dir, "mirror.db")
	service := newChild(t, "serve", "LEADSYNC_DATA_DIR="+filepath.Join(dir, "data"), "LEADSYNC_HTTP_ADDR="+httpAt, "LEADSYNC_PUBLIC_URL=http://"+httpAt,
		"LEADSYNC_NATS_URL=nats://"+natsAt, "LEADSYNC_DATABASE_URL="+database, "LEADSYNC_RECONCILE_AT=off", "LEADSYNC_CATCHUP_EVERY=off",
		"LEADSYNC_B24_INSECURE_HOSTS="+host(info.Portal)+","+host(info.OAuth), "LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret)
	service.start()
	longEventually(t, "the service is ready", time.Second, func() bool {
		resp, err := http.Get(service.admin() + "/readyz")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	})
	db, err := repo.Open(t.Context(), repo.Config{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	resp, err := http.Post(info.Portal+"/_portal/install", "application/json",
		strings.NewReader(fmt.Sprintf(`{"events_url":"http://%s%s"}`, httpAt, "/bitrix24/events")))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the installation is answered with %s", resp.Status)
	}

	run := leads.Run{Mode: leads.RunImport}
	for _, mode := range []leads.RunMode{leads.RunImport, leads.RunFull} {
		spent, wrote, stored := service.processor(), service.written(), broker.written()
		brokerSpent, portalSpent := broker.processor(), portalChild.processor()
		if mode == leads.RunFull {
			// The import has used most of ten minutes' operating time; what is measured is a pass.
			put(t, http.DefaultClient, info.Portal+"/_portal/clock", `{"advance":3600}`)
			service.forgetPeak()
			if _, err := db.RequestRun(t.Context(), leads.Run{MemberID: info.MemberID, Mode: mode}); err != nil {
				t.Fatal(err)
			}
		}
		longEventually(t, string(mode)+" is completed", time.Second, func() bool {
			runs, err := db.Runs(t.Context(), info.MemberID, 1)
			if err != nil || len(runs) == 0 {
				return false
			}
			run = runs[0]
			return run.Mode == mode && run.Finished()
		})
		sums, peak := run.Summary(), service.peak()
		waiting, err := db.OutboxDepth(t.Context())
		t.Logf("%s: %.0f s, %.0f leads a second, then %d changes waited (%v), %d MB at most beside %d MB of the NATS server and %d MB of the portal; %+v",
			mode, sums.Seconds, float64(*million)/sums.Seconds, waiting, err, peak, broker.memory(), portalChild.memory(), sums.Sums)
		per := func(value float64) float64 { return value / float64(*million) }
		perLead := func(spent time.Duration) float64 { return per(float64(spent.Microseconds())) / 1000 }
		processor, written := perLead(service.processor()-spent), per(float64(service.written()-wrote))/1000
		t.Logf("a lead took %.2f ms of the service's processor, %.2f of the NATS server's and %.2f of the portal's; %.1f KB were written by the service and %.1f KB by the NATS server",
			processor, perLead(broker.processor()-brokerSpent), perLead(portalChild.processor()-portalSpent), written, per(float64(broker.written()-stored))/1000)
		name := map[leads.RunMode]string{leads.RunImport: "import", leads.RunFull: "full pass"}[mode]
		figure(t, name+": leads", *million, float64(*million)/sums.Seconds, "a second")
		figure(t, name+": processor", *million, processor, "ms a lead")
		if written > 0 { // 0 is not known, or TMPDIR is in memory
			figure(t, name+": written", *million, written, "KB a lead")
		}
		figure(t, name+": memory", *million, float64(peak), "MB")
		if run.State != leads.RunCompleted || run.Scanned != int64(*million) || run.Refused != 0 {
			t.Errorf("%s is %s: %+v %s", mode, run.State, run.Sums, run.Error)
		}
		if mode == leads.RunFull && run.Unchanged != int64(*million) {
			t.Errorf("%d of %d are unchanged", run.Unchanged, *million)
		}
		if lists := (*million + 2499) / 2500; run.Requests > int64(lists+lists/10+2) {
			t.Errorf("%d requests for %d lists", run.Requests, lists)
		}
		if peak >= memoryLimit {
			t.Errorf("%d MB resident, %d are allowed", peak, memoryLimit)
		}
	}
}

// put sends a body to the portal's control surface.
func put(t *testing.T, client *http.Client, url, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s answers %d", url, resp.StatusCode)
	}
}

func longEventually(t *testing.T, what string, every time.Duration, done func() bool) {
	t.Helper()
	for end := time.Now().Add(45 * time.Minute); !done(); {
		if time.Now().After(end) {
			t.Fatal("did not happen: " + what)
		}
		if err := retry.Wait(t.Context(), every); err != nil {
			t.Fatal(err)
		}
	}
}

// peak is the most memory that the process had resident since forgetPeak, in MB; 0 where
// the system does not say.
func (c *child) peak() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(data) {
		var kB int
		if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kB); err == nil {
			return kB >> 10
		}
	}
	return 0
}

func (c *child) forgetPeak() {
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", c.cmd.Process.Pid), []byte("5"), 0) // or the first peak counts too
}

// processor is the time that the process has had of processors; 0 where the system does not say.
func (c *child) processor() time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, field := range fields[11:13] { // in user mode and in the kernel
		n, _ := strconv.ParseInt(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100 // Linux counts hundredths
}

// written is how many bytes the process had the disk write; 0 where the system does not say.
func (c *child) written() int64 {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", c.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(data), "\nwrite_bytes: ")
	number, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseInt(number, 10, 64)
	return n
}
