package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// NewPortal is what somebody says of a portal to add. It is connected by an application where Domain or ClientID
// is given, else by webhooks.
type NewPortal struct {
	MemberID     string
	Webhook      leads.Secret // "" is the one of the settings
	Token        leads.Secret // of the outgoing webhook; "" is the one of the settings
	Domain       string       // lets a portal in that is not known yet
	ClientID     string       // of the portal's own application
	ClientSecret leads.Secret // "" is the one of the settings
}

// Check finds out whether a portal can be added as it is described; it asks the portal where webhooks connect it.
func (p NewPortal) Check(ctx context.Context, cfg Config) (leads.Portal, error) {
	p.MemberID = leads.CanonicalMemberID(p.MemberID)
	if p.byApplication() {
		return usage(p.application(cfg))
	}
	portal, err := usage(p.webhook(cfg))
	if err != nil {
		return portal, err
	}
	return portal, reachWebhook(ctx, portal)
}

func (p NewPortal) byApplication() bool { return p.Domain != "" || p.ClientID != "" }

// usage has an error blame whoever asked.
func usage(portal leads.Portal, err error) (leads.Portal, error) {
	if err != nil {
		err = UsageError{err}
	}
	return portal, err
}

// AddedPortal is a portal that was added or changed.
type AddedPortal struct {
	PortalView

	done string // what was done to it
}

// WriteText says so.
func (p AddedPortal) WriteText(out io.Writer) error {
	_, err := fmt.Fprintf(out, "portal %s (%s) %s\n", p.MemberID, p.Domain, p.done)
	return err
}

// AddPortal adds a portal that Check has found to be right.
func (b *Backend) AddPortal(ctx context.Context, portal leads.Portal) (added AddedPortal, err error) {
	if portal.WebhookURL != "" {
		added.done, err = b.addWebhook(ctx, portal)
	} else {
		portal, added.done, err = b.addApplication(ctx, portal)
	}
	added.PortalView = ViewPortal(portal)
	return added, err
}

// application checks what is said of a portal that an application connects.
func (p NewPortal) application(cfg Config) (leads.Portal, error) {
	portal := leads.Portal{MemberID: p.MemberID, Domain: strings.ToLower(p.Domain), State: leads.PortalNeedsAuthorization, ClientID: p.ClientID}
	if portal.ClientSecret = p.ClientSecret; p.ClientID != "" && p.ClientSecret == "" {
		portal.ClientSecret = cfg.ClientSecret
	}
	endpoint, err := cfg.Trust.Endpoint("https://" + portal.Domain)
	switch {
	case !leads.ValidMemberID(p.MemberID):
		return portal, errMemberID
	case p.Webhook != "" || p.Token != "":
		return portal, errors.New("a portal is connected by an application (--domain, --client-id) or by webhooks (--webhook, --token), not by both")
	case portal.Domain != "" && (err != nil || endpoint != "https://"+portal.Domain+"/" || strings.Contains(portal.Domain, "/")):
		return portal, errors.New("--domain takes the portal's host name, such as company.bitrix24.com")
	case (p.ClientID == "") != (portal.ClientSecret == ""):
		return portal, errors.New("--client-id and --client-secret belong together, as Bitrix24 shows them for the application")
	}
	return portal, nil
}

// addApplication lets a portal in that is not known yet, and gives one that is its
// application.
func (b *Backend) addApplication(ctx context.Context, portal leads.Portal) (_ leads.Portal, done string, err error) {
	known, ok, err := b.DB.Portal(ctx, portal.MemberID)
	switch {
	case err != nil:
		return portal, "", err
	case !ok && portal.Domain == "":
		return portal, "", UsageError{errors.New("--domain is missing: the portal is not known yet")}
	case !ok:
		return portal, "may come in: " + portal.Remedy(b.Config.PublicURL),
			b.DB.SavePortal(ctx, portal)
	case known.WebhookURL != "":
		return known, "", fmt.Errorf("portal %s is connected by webhooks: remove it first", portal.MemberID)
	case portal.Domain != "" && portal.Domain != known.Domain:
		return known, "", UsageError{fmt.Errorf("portal %s is known as %s: leave --domain out", known.MemberID, known.Domain)}
	}
	known.ClientID = portal.ClientID
	return known, "is known; its tokens are refreshed as the application given now", b.DB.SetApplication(ctx, known.MemberID, portal.ClientID, portal.ClientSecret)
}

// addWebhook stores a portal whose webhook answers, and has its leads imported.
func (b *Backend) addWebhook(ctx context.Context, portal leads.Portal) (done string, err error) {
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
func (p NewPortal) webhook(cfg Config) (leads.Portal, error) {
	webhook, token := cfg.WebhookURL, cfg.WebhookToken
	if p.Webhook != "" {
		webhook = p.Webhook
	}
	if p.Token != "" {
		token = p.Token
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
