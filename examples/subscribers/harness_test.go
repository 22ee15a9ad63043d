// Package subscribers_test runs the examples against the service, and compares what the service
// publishes with docs/asyncapi.yaml.
package subscribers_test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/events/broker"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/service"
)

// The subscriber that the examples log in as.
const (
	name  = "billing"
	token = "the token of billing"
)

// world is an emulated portal and a service that a test starts and stops.
type world struct {
	t       *testing.T
	portal  *emulator.Portal
	cfg     service.Config
	service *service.Service
	stop    func()
}

func newWorld(t *testing.T, count int) *world {
	t.Helper()
	p, err := emulator.Start(emulator.Config{Leads: count, NoLimits: true, Delay: time.Millisecond, DelayMax: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	dir, info := t.TempDir(), p.Info()
	return &world{t: t, portal: p, stop: func() {}, cfg: service.Config{
		DataDir: dir, DatabaseURL: "sqlite:" + filepath.Join(dir, "leadsync.db"), PhoneRegion: "RU",
		NATSURL: service.Embedded, NATSListen: leadstest.FreeAddress(t), Replicas: 1, HTTPAddr: leadstest.FreeAddress(t),
		Subscribers: []broker.Subscriber{{Name: name, Token: token}},
		ClientID:    info.ClientID, ClientSecret: leads.Secret(info.ClientSecret),
		Trust:  bitrix24.Trust{Insecure: []string{host(t, info.Portal), host(t, info.OAuth)}},
		Tuning: service.Tuning{Grace: time.Second, MinAge: time.Nanosecond, DeleteFloor: 1_000_000},
	}}
}

// outside makes the service use NATS servers of its own, and returns where a subscriber connects:
// at the last of them.
func (w *world) outside(count int) string {
	w.t.Helper()
	var all []string
	options := eventstest.Several(w.t, count, func() *server.Options { return eventstest.Configured(w.t, "../../deployments/nats/nats.conf") })
	for _, ns := range eventstest.Run(w.t, options...) {
		all = append(all, ns.ClientURL())
	}
	w.cfg.NATSURL, w.cfg.NATSListen, w.cfg.Subscribers, w.cfg.Replicas = strings.Join(all, ","), "", nil, count
	w.cfg.NATS = service.NATSLogin{User: "leadsync", Password: "password-of-leadsync"}
	return all[count-1]
}

// start runs the service until stop.
func (w *world) start() {
	w.t.Helper()
	w.cfg.PublicURL = "http://" + w.cfg.HTTPAddr
	listeners, err := service.Listen(w.t.Context(), w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	var b *service.Backend
	eventstest.Insist(w.t, func(ctx context.Context) error { // a cluster has a leader before it knows that all servers are there
		b, err = service.Open(ctx, w.cfg, leadstest.Silent())
		return err
	})
	s, err := service.New(b, listeners)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	w.service = s
	stopped := false
	w.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
		_ = listeners.Close() // the service closes it, too
		if err := b.Close(); err != nil {
			w.t.Error(err)
		}
	}
	w.t.Cleanup(w.stop)
}

// install waits until all leads are imported.
func (w *world) install() {
	w.t.Helper()
	w.portal.Install(w.cfg.CallbackURL(), w.cfg.PublicURL+"/bitrix24/oauth/callback")
	w.until("the leads are imported", func() string {
		run, ok, err := w.service.Backend.DB.LastCompleted(w.t.Context(), w.member())
		if err != nil || !ok || run.Mode != leads.RunImport {
			return fmt.Sprint("no completed import: ", run, err)
		}
		return ""
	})
}

func (w *world) member() string { return w.portal.Info().MemberID }

// until waits far longer than anything takes; missing says what is not there yet.
func (w *world) until(what string, missing func() string) {
	w.t.Helper()
	for end := time.Now().Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		reason := missing()
		if reason == "" {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("still waiting until %s: %s", what, reason)
		}
	}
}

func host(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}
