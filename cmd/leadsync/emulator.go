package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads"
	"leadsync/settings"
)

type emulatorCmd struct {
	Addr       string        `default:"127.0.0.1:8924" help:"Address of the portal."`
	OAuthAddr  string        `name:"oauth-addr" help:"Address of the authorization server; by default the next free port."`
	Leads      int           `default:"1000" help:"Leads it starts with."`
	Seed       uint64        `default:"1" help:"The same seed gives the same leads and secrets."`
	NoLimits   bool          `help:"Switch the request limits off."`
	Enterprise bool          `help:"The limits of the Enterprise plan: 5 requests a second, bursts of 250."`
	AccessLife time.Duration `default:"1h" help:"How long access tokens live."`
	AskLogin   bool          `help:"The log-in page waits until somebody chooses a user, instead of coming back at once as the administrator."`
	Delay      time.Duration `default:"50ms" help:"The least time that callbacks wait in the portal's queue; the longest is six times that."`
	TLS        bool          `name:"tls" help:"Serve https with a certificate authority of its own."`
	JSON       bool          `name:"json" help:"Print one JSON object when ready."`
}

// Validate implements kong's check of flags.
func (e *emulatorCmd) Validate() error {
	if e.Leads < 0 || e.Leads > 5_000_000 {
		return errors.New("--leads must be from 0 to 5,000,000")
	}
	return nil
}

// Run serves the portal until the context ends.
func (e emulatorCmd) Run(ctx context.Context, a *app) (err error) {
	a.wait.Begin("Making the leads")
	p, err := emulator.Start(emulator.Config{ //nolint:contextcheck // it lives until Close, not as long as a context
		PortalAddr: e.Addr, OAuthAddr: e.OAuthAddr, Leads: e.Leads, Seed: e.Seed, TLS: e.TLS,
		NoLimits: e.NoLimits, Enterprise: e.Enterprise, AccessLife: e.AccessLife, AskLogin: e.AskLogin,
		Delay: e.Delay, DelayMax: 6 * e.Delay, Logger: slog.New(slog.NewTextHandler(a.stderr, nil)),
	})
	if err != nil {
		return err
	}
	a.wait.Begin("")
	defer func() { err = errors.Join(err, p.Close()) }() //nolint:contextcheck // it lives until Close, not as long as a context
	if err := e.announce(a, p.Info()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (e emulatorCmd) announce(a *app, info emulator.Info) error {
	if e.JSON {
		return json.NewEncoder(a.stdout).Encode(info) //nolint:gosec // these secrets are made up, and what the command is asked for
	}
	service, listens := a.callbacksAt()
	_, err := fmt.Fprintf(a.stdout, `A Bitrix24 portal with %s is ready.

  portal                 %s   (open it in a browser)
  authorization server   %s
  member_id              %s
  inbound webhook        %s
  outgoing token         %s
  client id, secret      %s  %s

To connect leadsync to it, put these lines into a file emulator.env (or, for an installed service, behind those in /etc/leadsync.env):

LEADSYNC_B24_INSECURE_HOSTS=%s,%s
LEADSYNC_B24_CLIENT_ID=%s
LEADSYNC_B24_CLIENT_SECRET=%s
LEADSYNC_PUBLIC_URL=%s
%s
start leadsync with it, in any shell:
  leadsync serve --config emulator.env
then install the application, as saving its form in Bitrix24 does (the answer says whether leadsync accepted it):
  curl -sS -X POST %s/_portal/install -d '{"events_url":"%s%s"}'
`, leads.Amount(int64(e.Leads), "lead"), info.Portal, info.OAuth, info.MemberID, info.Webhook, info.WebhookApplicationToken, info.ClientID, info.ClientSecret,
		host(info.Portal), host(info.OAuth), info.ClientID, info.ClientSecret, service, listens, info.Portal, service, leads.CallbackPath)
	return err
}

// callbacksAt is where a service on this machine takes callbacks, and the line of the settings that says so, "" where it
// is the default: the file of the emulator's settings may replace the one that has it. An emulator needs no settings, so
// where they are wrong, or another user's, it is the default, too.
func (a *app) callbacksAt() (address, line string) {
	fallback, _ := settings.Find("LEADSYNC_HTTP_ADDR")
	listens := fallback.Default
	if cfg, _, err := a.read(); err == nil && cfg.HTTPAddr != listens {
		listens, line = cfg.HTTPAddr, "LEADSYNC_HTTP_ADDR="+cfg.HTTPAddr+"\n"
	}
	return local("http://" + listens), line
}

// host is the host:port of a URL.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}
