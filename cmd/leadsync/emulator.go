package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"

	"leadsync/bitrix24/portal"
)

type emulatorCmd struct {
	Addr      string `default:"127.0.0.1:8924" help:"Address of the portal."`
	OAuthAddr string `name:"oauth-addr" help:"Address of the authorization server; by default the next free port."`
	Leads     int    `default:"1000" help:"Leads it starts with."`
	Seed      uint64 `default:"1" help:"The same seed gives the same leads and tokens."`
	NoLimits  bool   `help:"Switch the request limits off."`
	TLS       bool   `name:"tls" help:"Serve https with a certificate authority of its own."`
	JSON      bool   `name:"json" help:"Print one JSON object when ready."`
}

// Run serves the portal until it is told to stop.
func (e emulatorCmd) Run(ctx context.Context, a *app) (err error) {
	oauth := e.OAuthAddr
	if oauth == "" {
		oauth = nextFree(ctx, e.Addr)
	}
	p, err := portal.Start(portal.Config{ //nolint:contextcheck // it lives until Close, not as long as a context
		PortalAddr: e.Addr, OAuthAddr: oauth, Leads: e.Leads, Seed: e.Seed, NoLimits: e.NoLimits, TLS: e.TLS,
		Logger: slog.New(slog.NewTextHandler(a.stderr, nil)),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }() //nolint:contextcheck // it lives until Close, not as long as a context
	if err := e.announce(a, p.Info()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (e emulatorCmd) announce(a *app, info portal.Info) error {
	if e.JSON {
		return json.NewEncoder(a.stdout).Encode(info) //nolint:gosec // these secrets are made up, and what the command is asked for
	}
	_, err := fmt.Fprintf(a.stdout, `A Bitrix24 portal with %d leads is ready.

  portal                 %s   (open it in a browser)
  authorization server   %s
  member_id              %s
  inbound webhook        %s
  outgoing token         %s
  client id, secret      %s  %s

To connect leadsync to it:
  LEADSYNC_B24_INSECURE_HOSTS=%s,%s \
  LEADSYNC_B24_CLIENT_ID=%s LEADSYNC_B24_CLIENT_SECRET=%s \
  LEADSYNC_PUBLIC_URL=http://127.0.0.1:8080 leadsync serve
then install the application, as saving its form in Bitrix24 does:
  curl -X POST %s/_portal/install -d '{"events_url":"http://127.0.0.1:8080%s"}'
`, e.Leads, info.Portal, info.OAuth, info.MemberID, info.Webhook, info.WebhookApplicationToken, info.ClientID, info.ClientSecret,
		host(info.Portal), host(info.OAuth), info.ClientID, info.ClientSecret, info.Portal, callbackPath)
	return err
}

// nextFree is the address with the next port above that nobody listens on.
func nextFree(ctx context.Context, addr string) string {
	host, text, err := net.SplitHostPort(addr)
	port, convErr := strconv.Atoi(text)
	if err != nil || convErr != nil || port == 0 {
		return "127.0.0.1:0"
	}
	for range 100 {
		port++
		next := net.JoinHostPort(host, strconv.Itoa(port))
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", next)
		if err == nil && l.Close() == nil {
			return next
		}
	}
	return net.JoinHostPort(host, "0")
}

// host is the host:port of a URL.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
