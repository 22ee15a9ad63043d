package main

import (
	"context"

	"leadsync/leads"
	"leadsync/service"
)

type portalsAddCmd struct {
	MemberID     string `required:"" name:"member-id" help:"The portal's member_id, as its callbacks carry it."`
	Webhook      string `help:"The complete inbound webhook. Otherwise LEADSYNC_B24_WEBHOOK_URL, which no list of processes shows."`
	Token        string `help:"The outgoing webhook's application token; several with commas between them. Otherwise LEADSYNC_B24_APPLICATION_TOKEN."`
	Domain       string `help:"The portal's host name, where an application is to be installed or is changed: lets the portal in beside others."`
	ClientID     string `name:"client-id" help:"The client_id of an application of the portal's own; without it the application of the settings is used."`
	ClientSecret string `name:"client-secret" help:"Its client_secret. Otherwise LEADSYNC_B24_CLIENT_SECRET, which no list of processes shows."`
	JSON         bool   `name:"json" help:"Print one JSON object."`
}

// Run adds a portal.
func (p portalsAddCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	a.wait.Begin("Asking the portal")
	portal, err := service.NewPortal{
		MemberID: p.MemberID, Webhook: leads.Secret(p.Webhook), Token: leads.Secret(p.Token),
		Domain: p.Domain, ClientID: p.ClientID, ClientSecret: leads.Secret(p.ClientSecret),
	}.Check(ctx, cfg)
	if err != nil {
		return err
	}
	return a.joinOrMake(ctx, cfg, func(b *service.Backend) error {
		added, err := b.AddPortal(ctx, portal)
		if err != nil {
			return err
		}
		return a.print(added, p.JSON)
	})
}
