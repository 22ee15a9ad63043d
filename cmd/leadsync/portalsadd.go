package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
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
	p.MemberID = leads.CanonicalMemberID(p.MemberID)
	var portal leads.Portal
	a.wait.Begin("Asking the portal")
	application := p.Domain != "" || p.ClientID != ""
	if application {
		portal, err = p.application(cfg)
	} else if portal, err = p.webhook(cfg); err == nil {
		if err := reachWebhook(ctx, portal); err != nil {
			return err
		}
	}
	if err != nil {
		return usageError{err}
	}
	return a.joinOrMake(ctx, cfg, func(b *service.Backend) error {
		var done string
		if application {
			portal, done, err = addApplication(ctx, b, portal)
		} else {
			done, err = addWebhook(ctx, b, portal)
		}
		if err != nil {
			return err
		}
		if p.JSON {
			return json.NewEncoder(a.stdout).Encode(service.ViewPortal(portal))
		}
		_, err = fmt.Fprintf(a.stdout, "portal %s (%s) %s\n", portal.MemberID, portal.Domain, done)
		return err
	})
}

// application checks what is said of a portal that an application connects.
func (p portalsAddCmd) application(cfg service.Config) (leads.Portal, error) {
	portal := leads.Portal{MemberID: p.MemberID, Domain: strings.ToLower(p.Domain), State: leads.PortalNeedsAuthorization, ClientID: p.ClientID}
	if portal.ClientSecret = leads.Secret(p.ClientSecret); p.ClientID != "" && p.ClientSecret == "" {
		portal.ClientSecret = cfg.ClientSecret
	}
	endpoint, err := cfg.Trust.Endpoint("https://" + portal.Domain)
	switch {
	case !leads.ValidMemberID(p.MemberID):
		return portal, errMemberID
	case p.Webhook != "" || p.Token != "":
		return portal, errors.New("a portal is connected by an application (--domain, --client-id) or by webhooks (--webhook, --token), not by both")
	case portal.Domain != "" && (err != nil || endpoint != "https://"+portal.Domain+"/"):
		return portal, errors.New("--domain takes the portal's host name, such as company.bitrix24.com")
	case (p.ClientID == "") != (portal.ClientSecret == ""):
		return portal, errors.New("--client-id and --client-secret belong together, as Bitrix24 shows them for the application")
	}
	return portal, nil
}

// addApplication lets a portal in that is not known yet, and gives one that is its
// application.
func addApplication(ctx context.Context, b *service.Backend, portal leads.Portal) (_ leads.Portal, done string, err error) {
	known, ok, err := b.DB.Portal(ctx, portal.MemberID)
	switch {
	case err != nil:
		return portal, "", err
	case !ok && portal.Domain == "":
		return portal, "", usageError{errors.New("--domain is missing: the portal is not known yet")}
	case !ok:
		return portal, "may come in: " + portal.Remedy(b.Config.PublicURL),
			b.DB.SavePortal(ctx, portal)
	case known.WebhookURL != "":
		return known, "", fmt.Errorf("portal %s is connected by webhooks: remove it first", portal.MemberID)
	case portal.Domain != "" && portal.Domain != known.Domain:
		return known, "", usageError{fmt.Errorf("portal %s is known as %s: leave --domain out", known.MemberID, known.Domain)}
	}
	known.ClientID = portal.ClientID
	return known, "is known; its tokens are refreshed as the application given now", b.DB.SetApplication(ctx, known.MemberID, portal.ClientID, portal.ClientSecret)
}

// addWebhook stores a portal whose webhook answers, and has its leads imported.
func addWebhook(ctx context.Context, b *service.Backend, portal leads.Portal) (done string, err error) {
	switch known, ok, err := b.DB.Portal(ctx, portal.MemberID); {
	case err != nil:
		return "", err
	case ok && known.WebhookURL == "":
		return "", fmt.Errorf("portal %s is connected by an application: remove it first", portal.MemberID)
	}
	portal.UpdatedAt = time.Now().UTC()
	if err := b.DB.SavePortal(ctx, portal); err != nil {
		return "", err
	}
	return "is added; its leads are imported by the running service", b.NATS.NotifyOwner(ctx, portal, events.Adopted)
}

var errMemberID = errors.New("--member-id takes the 32 hex digits that Bitrix24 sends as member_id")

// webhook checks what is said of a portal that is reached by webhooks.
func (p portalsAddCmd) webhook(cfg service.Config) (leads.Portal, error) {
	webhook, token := cfg.WebhookURL, cfg.WebhookToken
	if p.Webhook != "" {
		webhook = leads.Secret(p.Webhook)
	}
	if p.Token != "" {
		token = leads.Secret(p.Token)
	}
	endpoint, err := cfg.Trust.Endpoint(webhook.Reveal())
	u, urlErr := url.Parse(endpoint)
	switch {
	case !leads.ValidMemberID(p.MemberID):
		return leads.Portal{}, errMemberID
	case err != nil || urlErr != nil || len(strings.Split(strings.Trim(u.Path, "/"), "/")) < 3:
		return leads.Portal{}, errors.New("--webhook takes the complete inbound webhook, https://portal.bitrix24.com/rest/<user>/<secret>/")
	case token == "":
		return leads.Portal{}, errors.New("--token takes the outgoing webhook's application token; without it callbacks cannot be told from forgeries")
	}
	return leads.Portal{
		MemberID: p.MemberID, Domain: u.Host, State: leads.PortalActive,
		WebhookURL: leads.Secret(endpoint), TokenHash: leads.HashTokens(token),
	}, nil
}

// reachWebhook asks the webhook what it may do.
func reachWebhook(ctx context.Context, portal leads.Portal) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	answer, err := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: portal.WebhookURL}).Call(ctx, "scope", nil)
	if err != nil {
		return fmt.Errorf("the webhook does not work: %w", err)
	}
	var scope []string
	if json.Unmarshal(answer.Result, &scope) == nil && !slices.Contains(scope, "crm") {
		return errors.New("the webhook may not read the CRM: give it the permission crm in Bitrix24")
	}
	return nil
}
