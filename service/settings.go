package service

import (
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"time"

	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/handlers/console"
	"leadsync/leads"
	"leadsync/settings"
)

// shown are the values of the settings as people may see them; the list of settings is package settings'.
var shown = map[string]func(Config) string{
	"LEADSYNC_DATA_DIR":              func(c Config) string { return c.DataDir },
	"LEADSYNC_DATABASE_URL":          func(c Config) string { return withoutPassword(c.DatabaseURL) },
	"LEADSYNC_DATABASE_SCHEMA":       func(c Config) string { return c.DatabaseSchema },
	"LEADSYNC_NATS_URL":              func(c Config) string { return events.WithoutPassword(c.NATSURL) },
	"LEADSYNC_NATS_LISTEN":           func(c Config) string { return c.NATSListen },
	"LEADSYNC_NATS_USER":             func(c Config) string { return c.NATS.User },
	"LEADSYNC_NATS_PASSWORD":         func(c Config) string { return whetherSet(c.NATS.Password) },
	"LEADSYNC_NATS_TOKEN":            func(c Config) string { return whetherSet(c.NATS.Token) },
	"LEADSYNC_NATS_PREFIX":           func(c Config) string { return c.NATSPrefix },
	"LEADSYNC_NATS_REPLICAS":         func(c Config) string { return replicas(c.Replicas) },
	"LEADSYNC_HTTP_ADDR":             func(c Config) string { return c.HTTPAddr },
	"LEADSYNC_ADMIN_ADDR":            func(c Config) string { return c.Admin.Addr },
	"LEADSYNC_ADMIN_LOCAL_TOKEN":     func(c Config) string { return localToken(c.Admin.LocalToken) },
	"LEADSYNC_PUBLIC_URL":            func(c Config) string { return c.PublicURL },
	"LEADSYNC_PUBLIC_API":            func(c Config) string { return onOrOff(c.Admin.PublicAPI) },
	"LEADSYNC_API_TOKEN":             func(c Config) string { return whetherSet(c.APIToken) },
	"LEADSYNC_OPERATOR_TOKEN":        func(c Config) string { return whetherSet(c.Admin.OperatorToken) },
	"LEADSYNC_CARD_TOKEN":            func(c Config) string { return whetherSet(c.Admin.CardToken) },
	"LEADSYNC_ADMIN_TRUST_HEADER":    func(c Config) string { return c.Admin.TrustHeader },
	"LEADSYNC_ADMIN_OPERATORS":       func(c Config) string { return strings.Join(c.Admin.Operators, ",") },
	"LEADSYNC_B24_CLIENT_ID":         func(c Config) string { return c.ClientID },
	"LEADSYNC_B24_CLIENT_SECRET":     func(c Config) string { return whetherSet(c.ClientSecret) },
	"LEADSYNC_B24_WEBHOOK_URL":       func(c Config) string { return whetherSet(c.WebhookURL) },
	"LEADSYNC_B24_APPLICATION_TOKEN": func(c Config) string { return whetherSet(c.WebhookToken) },
	"LEADSYNC_B24_MEMBER_ID":         func(c Config) string { return c.WebhookMemberID },
	"LEADSYNC_B24_PORTALS":           func(c Config) string { return strings.Join(c.Portals, ",") },
	"LEADSYNC_B24_AUTH_HOSTS":        func(c Config) string { return strings.Join(c.Trust.AuthHosts, ",") },
	"LEADSYNC_B24_INSECURE_HOSTS":    func(c Config) string { return strings.Join(c.Trust.Insecure, ",") },
	"LEADSYNC_SECRET_KEY":            func(c Config) string { return whetherSet(leads.Secret(c.SecretKey)) },
	"LEADSYNC_RECONCILE_AT":          func(c Config) string { return onceADay(c.ReconcileAt) },
	"TZ":                             func(c Config) string { return c.Zone },
	"LEADSYNC_CATCHUP_EVERY":         func(c Config) string { return every(c.CatchUpEvery) },
	"LEADSYNC_KEEP":                  func(c Config) string { return period(c.Keep) },
	"LEADSYNC_KEEP_CHANGES":          func(c Config) string { return period(c.KeepChanges) },
	"LEADSYNC_HISTORY_VALUES":        func(c Config) string { return onOrOff(c.HistoryValues) },
	"LEADSYNC_JOURNAL_KEEP":          func(c Config) string { return period(c.JournalKeep) },
	"LEADSYNC_SOLUTION_FIELD":        func(c Config) string { return c.SolutionField },
	"LEADSYNC_PHONE_REGION":          func(c Config) string { return c.PhoneRegion },
	"LEADSYNC_ALERT_URL":             func(c Config) string { return whetherSet(c.Alerts.Webhook) },
	"LEADSYNC_ALERT_SMTP_URL":        func(c Config) string { return whetherSet(c.Alerts.SMTP) },
	"LEADSYNC_ALERT_SMTP_FROM":       func(c Config) string { return c.Alerts.From },
	"LEADSYNC_ALERT_SMTP_TO":         func(c Config) string { return strings.Join(c.Alerts.To, ",") },
	"LEADSYNC_LOG_LEVEL":             func(c Config) string { return c.LogLevel.String() },
	"LEADSYNC_LOG_FORMAT":            func(c Config) string { return c.LogFormat },
	"LEADSYNC_NATS_CREDS":            func(c Config) string { return c.NATS.Creds },
	"LEADSYNC_NATS_NKEY":             func(c Config) string { return c.NATS.NKey },
	"LEADSYNC_NATS_CA":               func(c Config) string { return c.NATS.CA },
	"LEADSYNC_NATS_CERT":             func(c Config) string { return c.NATS.Cert },
	"LEADSYNC_NATS_KEY":              func(c Config) string { return c.NATS.Key },
	"LEADSYNC_NATS_SUBSCRIBERS":      func(c Config) string { return subscriberNames(c.Subscribers) },
}

// InForce are all settings as they are in force, without secrets.
func (c Config) InForce() (all []console.Setting) {
	for _, name := range settings.Names() {
		one := console.Setting{Name: name, Value: shown[name](c)}
		if c.From != nil {
			one.From = c.From(name)
		}
		all = append(all, one)
	}
	return all
}

// subscriberNames are the names of subscribers, without their tokens.
func subscriberNames(list []broker.Subscriber) string {
	names := make([]string, len(list))
	for i, s := range list {
		names[i] = s.Name
	}
	return strings.Join(names, ",")
}

func onceADay(at *TimeOfDay) string {
	if at == nil {
		return "off"
	}
	return at.String()
}

func every(d time.Duration) string {
	if d == 0 {
		return "off"
	}
	return d.String()
}

// replicas is "" where streams stay as they are.
func replicas(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
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
