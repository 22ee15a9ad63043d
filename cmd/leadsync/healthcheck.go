package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"leadsync/service"
)

type healthcheckCmd struct{}

// Run asks the service on this data directory whether it lives: for containers that have
// no other program. Not whether it is ready: with NATS or the database down it still keeps
// callbacks, and whoever restarts it then loses some.
func (healthcheckCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	address, err := service.RunningAddress(cfg)
	if err != nil {
		return err
	}
	a.wait.Begin("Asking the service")
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, local(address)+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(a.stdout, io.LimitReader(resp.Body, 64<<10)); err != nil {
		return fmt.Errorf("ask the service: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the service is not healthy: HTTP %d", resp.StatusCode)
	}
	return nil
}

// local turns the address of a service that listens everywhere into one to connect to.
func local(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() == "" || ip != nil && ip.IsUnspecified() {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return u.String()
}
