package service

import (
	"net/url"
	"strconv"
	"strings"

	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/leads"
)

// settingsInForce are the settings as they are in force, without secrets.
func settingsInForce(c Config) []console.Setting {
	at, every, keep := "off", "off", "off"
	if c.ReconcileAt != nil {
		at = c.ReconcileAt.String()
	}
	if c.CatchUpEvery > 0 {
		every = c.CatchUpEvery.String()
	}
	if c.Keep > 0 {
		keep = strconv.Itoa(int(c.Keep/day)) + "d"
	}
	publicAPI := "off"
	if c.Admin.PublicAPI {
		publicAPI = "on"
	}
	var all []console.Setting
	for _, setting := range [][2]string{
		{"LEADSYNC_DATA_DIR", c.DataDir},
		{"LEADSYNC_DATABASE_URL", withoutPassword(c.DatabaseURL)},
		{"LEADSYNC_DATABASE_SCHEMA", c.DatabaseSchema},
		{"LEADSYNC_NATS_URL", events.WithoutPassword(c.NATSURL)},
		{"LEADSYNC_NATS_LISTEN", c.NATSListen},
		{"LEADSYNC_NATS_USER", c.NATS.User},
		{"LEADSYNC_NATS_PASSWORD", whetherSet(c.NATS.Password)},
		{"LEADSYNC_NATS_TOKEN", whetherSet(c.NATS.Token)},
		{"LEADSYNC_NATS_PREFIX", c.NATSPrefix},
		{"LEADSYNC_NATS_REPLICAS", strconv.Itoa(c.Replicas)},
		{"LEADSYNC_HTTP_ADDR", c.HTTPAddr},
		{"LEADSYNC_ADMIN_ADDR", c.Admin.Addr},
		{"LEADSYNC_PUBLIC_URL", c.PublicURL},
		{"LEADSYNC_PUBLIC_API", publicAPI},
		{"LEADSYNC_API_TOKEN", whetherSet(c.APIToken)},
		{"LEADSYNC_OPERATOR_TOKEN", whetherSet(c.Admin.OperatorToken)},
		{"LEADSYNC_CARD_TOKEN", whetherSet(c.Admin.CardToken)},
		{"LEADSYNC_ADMIN_TRUST_HEADER", c.Admin.TrustHeader},
		{"LEADSYNC_ADMIN_OPERATORS", strings.Join(c.Admin.Operators, ",")},
		{"LEADSYNC_B24_CLIENT_ID", c.ClientID},
		{"LEADSYNC_B24_CLIENT_SECRET", whetherSet(c.ClientSecret)},
		{"LEADSYNC_B24_WEBHOOK_URL", whetherSet(c.WebhookURL)},
		{"LEADSYNC_B24_APPLICATION_TOKEN", whetherSet(c.WebhookToken)},
		{"LEADSYNC_B24_MEMBER_ID", c.WebhookMemberID},
		{"LEADSYNC_B24_PORTALS", strings.Join(c.Portals, ",")},
		{"LEADSYNC_B24_AUTH_HOSTS", strings.Join(c.Trust.AuthHosts, ",")},
		{"LEADSYNC_B24_INSECURE_HOSTS", strings.Join(c.Trust.Insecure, ",")},
		{"LEADSYNC_SECRET_KEY", whetherSet(leads.Secret(c.SecretKey))},
		{"LEADSYNC_RECONCILE_AT", at},
		{"LEADSYNC_CATCHUP_EVERY", every},
		{"LEADSYNC_KEEP", keep},
		{"LEADSYNC_SOLUTION_FIELD", c.SolutionField},
		{"LEADSYNC_PHONE_REGION", c.PhoneRegion},
		{"LEADSYNC_LOG_LEVEL", c.LogLevel.String()},
		{"LEADSYNC_LOG_FORMAT", c.LogFormat},
	} {
		all = append(all, console.Setting{Name: setting[0], Value: setting[1]})
	}
	return all
}

// whetherSet is all that is shown of a secret.
func whetherSet(secret leads.Secret) string {
	if secret == "" {
		return ""
	}
	return "[redacted]"
}

// withoutPassword is a database address as it may be shown.
func withoutPassword(address string) string {
	u, err := url.Parse(address)
	switch {
	case strings.HasPrefix(address, "sqlite:"):
		return address
	case err != nil:
		return "[redacted]"
	}
	query := u.Query()
	for name := range query { // the driver also takes the password as a parameter
		if lower := strings.ToLower(name); strings.Contains(lower, "password") || strings.Contains(lower, "pwd") || strings.Contains(lower, "token") {
			query.Set(name, "[redacted]")
		}
	}
	u.RawQuery = query.Encode()
	return u.Redacted()
}
