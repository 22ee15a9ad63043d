package service

import (
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/leads"
)

// settingsInForce are the settings as they are in force, without secrets.
func settingsInForce(c Config) []console.Setting {
	at, every := "off", "off"
	if c.ReconcileAt != nil {
		at = c.ReconcileAt.String()
	}
	if c.CatchUpEvery > 0 {
		every = c.CatchUpEvery.String()
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
		{"LEADSYNC_ADMIN_LOCAL_TOKEN", localToken(c.Admin.LocalToken)},
		{"LEADSYNC_PUBLIC_URL", c.PublicURL},
		{"LEADSYNC_PUBLIC_API", onOrOff(c.Admin.PublicAPI)},
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
		{"TZ", c.Zone},
		{"LEADSYNC_CATCHUP_EVERY", every},
		{"LEADSYNC_KEEP", period(c.Keep)},
		{"LEADSYNC_KEEP_CHANGES", period(c.KeepChanges)},
		{"LEADSYNC_HISTORY_VALUES", onOrOff(c.HistoryValues)},
		{"LEADSYNC_JOURNAL_KEEP", period(c.JournalKeep)},
		{"LEADSYNC_SOLUTION_FIELD", c.SolutionField},
		{"LEADSYNC_PHONE_REGION", c.PhoneRegion},
		{"LEADSYNC_ALERT_URL", whetherSet(c.Alerts.Webhook)},
		{"LEADSYNC_ALERT_SMTP_URL", whetherSet(c.Alerts.SMTP)},
		{"LEADSYNC_ALERT_SMTP_FROM", c.Alerts.From},
		{"LEADSYNC_ALERT_SMTP_TO", strings.Join(c.Alerts.To, ",")},
		{"LEADSYNC_LOG_LEVEL", c.LogLevel.String()},
		{"LEADSYNC_LOG_FORMAT", c.LogFormat},
	} {
		all = append(all, console.Setting{Name: setting[0], Value: setting[1]})
	}
	return all
}

func localToken(required bool) string {
	if required {
		return "required"
	}
	return "off"
}

func onOrOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// period is how long something is kept, as a setting has it: in whole days where it is some.
func period(d time.Duration) string {
	switch {
	case d == 0:
		return "off"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + "d"
	default:
		return d.String()
	}
}

// about are the versions of what runs, and under which licence.
func about(b *Backend) []console.Setting {
	return []console.Setting{
		{Name: "leadsync", Value: leads.Version()},
		{Name: "Go", Value: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH},
		{Name: "SQL", Value: b.DB.Dialect()},
		{Name: "NATS", Value: natsVersion(b)},
		{Name: "licence", Value: "MIT"},
	}
}

// natsVersion is that of the server, the embedded or another; "" until there is a connection.
func natsVersion(b *Backend) string {
	n := b.NATS.side.Load()
	if n == nil {
		return ""
	}
	version := n.nc.ConnectedServerVersion()
	if n.broker != nil {
		version += " (embedded)"
	}
	return version
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
