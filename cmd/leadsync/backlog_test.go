package main

import (
	"flag"
	"net"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
)

var backlogSize = flag.Int("backlog", 5_000, "notices that wait when the service of TestMemoryUnderABacklog starts; 1,000,000 is the size to judge by")

// A service that starts with very many notices waiting, of leads that it does not know, takes no
// more memory than for an import, and few requests.
func TestMemoryUnderABacklog(t *testing.T) {
	measures(t)
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: *backlogSize, Seed: 17})
	dir, natsAt, httpAt := t.TempDir(), freeAddress(t), freeAddress(t)
	_, port, err := net.SplitHostPort(natsAt)
	if err != nil {
		t.Fatal(err)
	}
	newChild(t, "nats", "LEADSYNC_TEST_PORT="+port, "LEADSYNC_TEST_DIR="+filepath.Join(dir, "nats")).start()
	database := "sqlite:" + filepath.Join(dir, "mirror.db")
	service := newChild(t, "serve", "LEADSYNC_DATA_DIR="+filepath.Join(dir, "data"), "LEADSYNC_HTTP_ADDR="+httpAt, "LEADSYNC_PUBLIC_URL=http://"+httpAt,
		"LEADSYNC_NATS_URL=nats://"+natsAt, "LEADSYNC_DATABASE_URL="+database, "LEADSYNC_RECONCILE_AT=off", "LEADSYNC_CATCHUP_EVERY=off",
		"LEADSYNC_B24_INSECURE_HOSTS="+host(p.Info().Portal))
	service.start() // it makes tables and streams
	eventually(t, "the tables are there", func() bool { return answers(service.admin() + "/readyz") })
	eventually(t, "the streams are there", func() bool { return hasStreams(t, "nats://"+natsAt) }) // the service may have found NATS later
	service.stop()

	fillBacklog(t, "nats://"+natsAt, p)
	db, err := repo.Open(t.Context(), repo.Config{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	member, before := p.Info().MemberID, requestCount(p)
	if err := db.SavePortal(t.Context(), leads.Portal{ // by a webhook: nothing else has its leads imported
		MemberID: member, Domain: host(p.Info().Portal), State: leads.PortalActive, WebhookURL: leads.Secret(p.Info().Webhook),
	}); err != nil {
		t.Fatal(err)
	}
	service.start()
	began := time.Now()
	longEventually(t, "all notices are worked off", 200*time.Millisecond, func() bool {
		n, err := db.CountLeads(t.Context(), member)
		if err != nil || n < int64(*backlogSize) || service.admin() == "" {
			return false
		}
		at := service.gauges(t)
		return at["leadsync_notices_waiting"] == 0 && at["leadsync_notices_taken_total"] >= float64(*backlogSize)
	})
	requests, peak := requestCount(p)-before, service.peak()
	t.Logf("%d notices within %s: %d requests, %d MB at most", *backlogSize, time.Since(began).Round(time.Second), requests, peak)
	figure(t, "backlog: memory", *backlogSize, float64(peak), "MB")
	if peak >= memoryLimit {
		t.Errorf("%d MB resident, %d are allowed", peak, memoryLimit)
	}
	if most := *backlogSize / 50; requests > most {
		t.Errorf("%d requests for %d notices, at most %d are allowed", requests, *backlogSize, most)
	}
}

// hasStreams tells whether the service has made its streams.
func hasStreams(t *testing.T, url string) bool {
	t.Helper()
	nc, err := events.Connect(events.Server{URL: url})
	if err != nil {
		return false
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	return err == nil && events.Look(t.Context(), bus) == nil
}

// fillBacklog puts one notice of each lead of the portal on the stream.
func fillBacklog(t *testing.T, url string, p *emulator.Portal) {
	t.Helper()
	nc, err := events.Connect(events.Server{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	bus, err := events.Open(nc, "")
	if err == nil {
		err = events.Look(t.Context(), bus)
	}
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for id := range p.Leads() {
		ids = append(ids, id)
	}
	group, ctx := errgroup.WithContext(t.Context())
	for chunk := range slices.Chunk(ids, (len(ids)+63)/64) {
		group.Go(func() error {
			for _, id := range chunk {
				n := events.Notice{Ref: leads.Ref{MemberID: p.Info().MemberID, LeadID: id}, Event: "ONCRMLEADADD", Cause: leads.CauseEvent, ReceivedAt: time.Now()}
				if err := events.PublishNotice(ctx, bus, n); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}
