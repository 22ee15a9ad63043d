package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/repo"
)

var (
	peers = flag.Int("peers", 0, "leads that TestPeers reads in three ways; 0 leaves it out")
	pace  = flag.Int("pace", 0, "leads that TestImportAtThePortalsPace reads in two ways; 0 leaves it out")
)

// peer is one way to read a portal.
type peer struct {
	name string
	read func() (count int)
	took []time.Duration // sorted in the end
}

// median is in seconds.
func (p *peer) median() float64 { return p.took[len(p.took)/2].Seconds() }

// TestPeers reads the same portal, with its limits on, by Bitrix24's own SDK, by our reader alone,
// and by a whole import into SQL and onto the topic, in turn, three times. It logs times, and
// fails only where leads are missing.
func TestPeers(t *testing.T) {
	if *peers == 0 {
		t.Skip("-peers is not set")
	}
	info, trust, file := securePortal(t, *peers)
	list := []*peer{
		{name: "Bitrix24's own SDK", read: func() int { return readBySDK(t, file, info.CA) }},
		{name: "leadsync's reader alone", read: func() int { return readAlone(t, info, trust) }},
		{name: "leadsync's import into SQL and topic", read: func() int {
			count, _ := importAll(t, info, trust)
			return count
		}},
	}
	inTurn(t, info, trust, *peers, list)
	for _, p := range list {
		t.Logf("%s: %.1f s (%.1f to %.1f) for %d leads, %.2f of the reader alone", p.name, p.median(), p.took[0].Seconds(),
			p.took[len(p.took)-1].Seconds(), *peers, p.median()/list[1].median())
	}
}

// TestImportAtThePortalsPace reads a portal whose answers are late by our reader alone and by a
// whole import into SQL and onto the topic, in turn, three times for each lateness. Three requests
// come before the first leads, one after another: it logs times with the start of the service and
// the binding of events, and from the moment at which the import began. It fails only where leads
// are missing.
func TestImportAtThePortalsPace(t *testing.T) {
	if *pace == 0 {
		t.Skip("-pace is not set")
	}
	info, trust, _ := securePortal(t, *pace)
	for _, late := range []time.Duration{time.Second, 3 * time.Second} {
		put(t, trust, info.Portal+"/_portal/faults", fmt.Sprintf(`{"slow_ms":%d}`, late.Milliseconds()))
		alone := &peer{name: "leadsync's reader alone", read: func() int { return readAlone(t, info, trust) }}
		itself := &peer{name: "the import itself"}
		whole := &peer{name: "the import with the start of the service", read: func() int {
			count, took := importAll(t, info, trust)
			itself.took = append(itself.took, took)
			return count
		}}
		inTurn(t, info, trust, *pace, []*peer{alone, whole})
		slices.Sort(itself.took)
		t.Logf("each answer %s late: %s gets %.0f leads a second", late, alone.name, float64(*pace)/alone.median())
		for _, p := range []*peer{itself, whole} {
			t.Logf("each answer %s late: %s takes %.0f leads a second, %.2f of that (%.2f to %.2f)", late, p.name, float64(*pace)/p.median(),
				alone.median()/p.median(), alone.median()/p.took[len(p.took)-1].Seconds(), alone.median()/p.took[0].Seconds())
		}
	}
}

// securePortal starts a portal with its limits on. file is where it wrote what it told.
func securePortal(t *testing.T, count int) (info emulator.Info, trust *http.Client, file string) {
	t.Helper()
	portal := newChild(t, "emulator", "LEADSYNC_TEST_LEADS="+strconv.Itoa(count), "LEADSYNC_TEST_TLS=1")
	portal.start()
	longEventually(t, "the portal is ready", time.Second, func() bool {
		line, err := os.ReadFile(portal.log)
		return err == nil && json.Unmarshal(line, &info) == nil
	})
	return info, trusting(t, info.CA), portal.log
}

// inTurn has each of the peers read all leads three times.
func inTurn(t *testing.T, info emulator.Info, trust *http.Client, want int, list []*peer) {
	t.Helper()
	for range 3 {
		for _, p := range list {
			put(t, trust, info.Portal+"/_portal/clock", `{"advance":3600}`) // nobody pays for what another has used
			begun := time.Now()
			if count := p.read(); count != want {
				t.Errorf("%s: %d leads of %d", p.name, count, want)
			}
			p.took = append(p.took, time.Since(begun))
		}
	}
	for _, p := range list {
		slices.Sort(p.took)
	}
}

// trusting is a client that trusts the portal's certificate.
func trusting(t *testing.T, file string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}, Timeout: 2 * time.Minute}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func readBySDK(t *testing.T, info, ca string) int {
	t.Helper()
	node := exec.CommandContext(t.Context(), "node", "export.mjs", info)
	node.Dir = filepath.Join("..", "..", "bitrix24", "emulator", "testdata", "clients")
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+ca)
	out, err := node.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Fields(string(out))
	count, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		t.Fatalf("%s", out)
	}
	return count
}

func readAlone(t *testing.T, info emulator.Info, client *http.Client) (count int) {
	t.Helper()
	reader := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: leads.Secret(info.Webhook), HTTP: client}).In(bitrix24.Background).Leads()
	for after := int64(0); ; {
		page, err := reader.Scan(t.Context(), after, leads.NewTickets(1).Draw)
		if err != nil {
			t.Fatal(err)
		}
		if count += len(page.Snapshots); page.UpTo >= leads.MaxID {
			return count
		}
		after = page.UpTo
	}
}

// importAll starts a service with an empty database and returns how many leads it has when nothing
// waits for the topic any more, and how long ago the import began then.
func importAll(t *testing.T, info emulator.Info, client *http.Client) (leadCount int, took time.Duration) {
	t.Helper()
	dir, at := t.TempDir(), freeAddress(t)
	database := "sqlite:" + filepath.Join(dir, "mirror.db")
	service := newChild(t, "serve", "LEADSYNC_DATA_DIR="+filepath.Join(dir, "data"), "LEADSYNC_HTTP_ADDR="+at, "LEADSYNC_PUBLIC_URL=http://"+at,
		"LEADSYNC_DATABASE_URL="+database, "LEADSYNC_RECONCILE_AT=off", "LEADSYNC_CATCHUP_EVERY=off", "SSL_CERT_FILE="+info.CA,
		"LEADSYNC_B24_AUTH_HOSTS="+host(info.OAuth), "LEADSYNC_B24_CLIENT_ID="+info.ClientID, "LEADSYNC_B24_CLIENT_SECRET="+info.ClientSecret)
	service.start()
	defer service.kill()
	longEventually(t, "the service takes callbacks", 50*time.Millisecond, func() bool {
		resp, err := http.Get("http://" + at + "/healthz")
		return err == nil && resp.Body.Close() == nil
	})
	db, err := repo.Open(t.Context(), repo.Config{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	resp, err := client.Post(info.Portal+"/_portal/install", "application/json", strings.NewReader(fmt.Sprintf(`{"events_url":"http://%s/bitrix24/events"}`, at)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the installation is answered with %s", resp.Status)
	}
	var run leads.Run
	longEventually(t, "everything is imported and published", 50*time.Millisecond, func() bool {
		runs, err := db.Runs(t.Context(), info.MemberID, 1)
		if err != nil || len(runs) == 0 || !runs[0].Finished() {
			return false
		}
		run = runs[0]
		waiting, err := db.OutboxDepth(t.Context())
		return err == nil && waiting == 0
	})
	took = time.Since(run.StartedAt)
	count, err := db.CountLeads(t.Context(), info.MemberID)
	if err != nil {
		t.Fatal(err)
	}
	if run.State != leads.RunCompleted || run.Inserted != count { // it was resumed, and says less than the rows
		t.Logf("the import: %+v", run)
	}
	return int(count), took
}
