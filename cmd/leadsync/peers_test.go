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

var peers = flag.Int("peers", 0, "leads that TestPeers reads in three ways; 0 leaves it out")

// peer is one way to read a portal.
type peer struct {
	name string
	read func() (count int)
	took []time.Duration
}

// TestPeers reads the same portal, with its limits on, by Bitrix24's own SDK, by our reader alone,
// and by a whole import into SQL and onto the topic, in turn, three times. It logs times, and
// fails only where leads are missing.
func TestPeers(t *testing.T) {
	if *peers == 0 {
		t.Skip("-peers is not set")
	}
	portal := newChild(t, "emulator", "LEADSYNC_TEST_LEADS="+strconv.Itoa(*peers), "LEADSYNC_TEST_TLS=1")
	portal.start()
	var info emulator.Info
	longEventually(t, "the portal is ready", time.Second, func() bool {
		line, err := os.ReadFile(portal.log)
		return err == nil && json.Unmarshal(line, &info) == nil
	})
	trust := trusting(t, info.CA)
	list := []*peer{
		{name: "Bitrix24's own SDK", read: func() int { return readBySDK(t, portal.log, info.CA) }},
		{name: "leadsync's reader alone", read: func() int { return readAlone(t, info, trust) }},
		{name: "leadsync's import into SQL and topic", read: func() int { return importAll(t, info, trust) }},
	}
	for range 3 {
		for _, p := range list {
			put(t, trust, info.Portal+"/_portal/clock", `{"advance":3600}`) // nobody pays for what another has used
			begun := time.Now()
			if count := p.read(); count != *peers {
				t.Errorf("%s: %d leads of %d", p.name, count, *peers)
			}
			p.took = append(p.took, time.Since(begun))
		}
	}
	for _, p := range list {
		slices.Sort(p.took)
		t.Logf("%s: %.1f s (%.1f to %.1f) for %d leads, %.2f of the reader alone", p.name, p.took[1].Seconds(), p.took[0].Seconds(),
			p.took[2].Seconds(), *peers, p.took[1].Seconds()/list[1].took[1].Seconds())
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
// waits for the topic any more.
func importAll(t *testing.T, info emulator.Info, client *http.Client) int {
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
	return int(run.Inserted)
}
