package service

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
	"leadsync/repo"
)

// environment reads variables and collects every fault, so that a person mends them in
// one go.
type environment struct {
	lookup func(string) (string, bool)
	faults []error
}

// ReadConfig reads the environment. Its error names each faulty variable and what it
// should look like; it never repeats a value.
func ReadConfig(lookup func(string) (string, bool)) (Config, error) {
	e := &environment{lookup: lookup}
	cfg := Config{
		DataDir:         e.text("LEADSYNC_DATA_DIR", "data"),
		NATSURL:         readNATSURL(e, "LEADSYNC_NATS_URL"),
		NATS:            natsLogin(e),
		Subscribers:     readSubscribers(e, "LEADSYNC_NATS_SUBSCRIBERS"),
		NATSPrefix:      readNATSPrefix(e, "LEADSYNC_NATS_PREFIX"),
		NATSListen:      e.address("LEADSYNC_NATS_LISTEN", "127.0.0.1:4222"),
		Replicas:        e.replicas("LEADSYNC_NATS_REPLICAS"),
		HTTPAddr:        e.address("LEADSYNC_HTTP_ADDR", ":8080"),
		Admin:           e.admin(),
		PublicURL:       e.publicURL("LEADSYNC_PUBLIC_URL"),
		ClientID:        e.text("LEADSYNC_B24_CLIENT_ID", ""),
		ClientSecret:    leads.Secret(e.text("LEADSYNC_B24_CLIENT_SECRET", "")),
		WebhookToken:    e.webhookTokens("LEADSYNC_B24_APPLICATION_TOKEN"),
		WebhookMemberID: e.memberID("LEADSYNC_B24_MEMBER_ID"),
		Portals:         e.list("LEADSYNC_B24_PORTALS"),
		Trust: bitrix24.Trust{
			Insecure:  e.hosts("LEADSYNC_B24_INSECURE_HOSTS"),
			AuthHosts: e.authHosts("LEADSYNC_B24_AUTH_HOSTS"),
		},
		SecretKey:     e.key("LEADSYNC_SECRET_KEY"),
		ReconcileAt:   e.clock("LEADSYNC_RECONCILE_AT", "03:00"),
		CatchUpEvery:  e.interval("LEADSYNC_CATCHUP_EVERY", "10m"),
		Keep:          e.keep("LEADSYNC_KEEP", "400d", shortestKeep),
		KeepChanges:   e.keep("LEADSYNC_KEEP_CHANGES", "90d", day),
		HistoryValues: e.onOff("LEADSYNC_HISTORY_VALUES"),
		JournalKeep:   e.keep("LEADSYNC_JOURNAL_KEEP", "7d", time.Hour),
		SolutionField: e.field("LEADSYNC_SOLUTION_FIELD"),
		LogLevel:      e.level("LEADSYNC_LOG_LEVEL"),
		LogFormat:     e.choice("LEADSYNC_LOG_FORMAT", "text", "json"),
		PhoneRegion:   e.region("LEADSYNC_PHONE_REGION", "RU"),
		APIToken:      e.apiToken("LEADSYNC_API_TOKEN"),
		Alerts:        readAlerts(e),
		Zone:          e.text("TZ", ""),
	}
	e.differ(cfg)
	cfg.DatabaseURL = e.databaseURL("LEADSYNC_DATABASE_URL", "sqlite:"+filepath.Join(cfg.DataDir, "leadsync.db"))
	cfg.DatabaseSchema = e.schema("LEADSYNC_DATABASE_SCHEMA", cfg.DatabaseURL)
	cfg.WebhookURL = e.webhook("LEADSYNC_B24_WEBHOOK_URL", cfg.Trust)
	if cfg.WebhookURL != "" && cfg.WebhookToken == "" {
		e.fault("LEADSYNC_B24_APPLICATION_TOKEN", "missing", "the token that Bitrix24 shows for the outgoing webhook; without it callbacks cannot be told from forgeries")
	}
	e.together(cfg)
	return cfg, errors.Join(e.faults...)
}

// together checks what only makes sense together.
func (e *environment) together(cfg Config) {
	if (cfg.ClientID == "") != (cfg.ClientSecret == "") {
		e.fault("LEADSYNC_B24_CLIENT_ID", "set without LEADSYNC_B24_CLIENT_SECRET, or the other way round", "both, as Bitrix24 shows them for the application, or neither")
	}
	if cfg.WebhookURL == "" && (cfg.WebhookToken != "" || cfg.WebhookMemberID != "") {
		e.fault("LEADSYNC_B24_WEBHOOK_URL", "missing", "the inbound webhook that LEADSYNC_B24_APPLICATION_TOKEN and LEADSYNC_B24_MEMBER_ID belong to")
	}
	if len(cfg.Subscribers) > 0 && (cfg.NATSURL != Embedded || cfg.NATS.Token != "") {
		e.fault("LEADSYNC_NATS_SUBSCRIBERS", "set beside LEADSYNC_NATS_URL or LEADSYNC_NATS_TOKEN", "it alone; a NATS server that runs by itself knows its subscribers, see deployments/nats/nats.conf")
	}
}

// fault remembers what is wrong with a variable. The value is never repeated: it may be
// a secret in the wrong place.
func (e *environment) fault(name, wrong, should string) {
	e.faults = append(e.faults, fmt.Errorf("%s: %s, want %s", name, wrong, should))
}

func (e *environment) text(name, otherwise string) string {
	if value, ok := e.lookup(name); ok && strings.TrimSpace(value) != "" {
		return strings.TrimSpace(value)
	}
	return otherwise
}

func (e *environment) list(name string) []string {
	var items []string
	for item := range strings.SplitSeq(e.text(name, ""), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (e *environment) address(name, otherwise string) string {
	value := e.text(name, otherwise)
	_, port, err := net.SplitHostPort(value)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
		e.fault(name, "not an address", "host:port, such as "+otherwise)
	}
	return value
}

func (e *environment) hosts(name string) []string {
	hosts := e.list(name)
	for _, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			e.fault(name, "an entry is not host:port", "a list such as 127.0.0.1:8924,127.0.0.1:8925")
		}
	}
	return hosts
}

// authHosts reads names of hosts that are asked over https.
func (e *environment) authHosts(name string) []string {
	hosts := e.list(name)
	for i, host := range hosts {
		host = strings.ToLower(host)
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || !strings.Contains(host, ".") {
			e.fault(name, "an entry is not the name of a host", "a list such as oauth.bitrix24.info, without https:// and without a path")
		}
		hosts[i] = host
	}
	return hosts
}

// mostTokens is how many hashes of tokens the database keeps for a portal.
const mostTokens = 20

// webhookTokens reads the tokens of outgoing webhooks: each webhook has its own.
func (e *environment) webhookTokens(name string) leads.Secret {
	value := leads.Secret(e.text(name, ""))
	hashes := strings.Fields(leads.HashTokens(value))
	if (value != "" && len(hashes) == 0) || len(hashes) > mostTokens {
		e.fault(name, "not a list of tokens", "the token of each outgoing webhook, with commas between them, at most "+strconv.Itoa(mostTokens))
	}
	return value
}

func readNATSURL(e *environment, name string) string {
	value := e.text(name, Embedded)
	if value == Embedded {
		return value
	}
	for server := range strings.SplitSeq(value, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err != nil || u.Host == "" || (u.Scheme != "nats" && u.Scheme != "tls") {
			e.fault(name, "not a NATS address", `"embedded", or nats://host:4222, several separated by commas`)
			break
		}
	}
	return value
}

// natsLogin reads how to log in to NATS, by one way.
func natsLogin(e *environment) NATSLogin {
	login := NATSLogin{
		Token: leads.Secret(e.text("LEADSYNC_NATS_TOKEN", "")), User: e.text("LEADSYNC_NATS_USER", ""),
		Password: leads.Secret(e.text("LEADSYNC_NATS_PASSWORD", "")), Creds: e.file("LEADSYNC_NATS_CREDS"),
		NKey: e.file("LEADSYNC_NATS_NKEY"), CA: e.file("LEADSYNC_NATS_CA"), Cert: e.file("LEADSYNC_NATS_CERT"), Key: e.file("LEADSYNC_NATS_KEY"),
	}
	ways := 0
	for _, set := range []bool{login.Token != "", login.User != "", login.Creds != "", login.NKey != ""} {
		if set {
			ways++
		}
	}
	if ways > 1 {
		e.fault("LEADSYNC_NATS_TOKEN", "one of several ways to log in", "only one of LEADSYNC_NATS_TOKEN, LEADSYNC_NATS_USER, LEADSYNC_NATS_CREDS and LEADSYNC_NATS_NKEY")
	}
	if (login.User == "") != (login.Password == "") {
		e.fault("LEADSYNC_NATS_USER", "set without LEADSYNC_NATS_PASSWORD, or the other way round", "both or neither")
	}
	if (login.Cert == "") != (login.Key == "") {
		e.fault("LEADSYNC_NATS_CERT", "set without LEADSYNC_NATS_KEY, or the other way round", "both, a certificate and its key, or neither")
	}
	return login
}

// file reads the name of a file that must be there.
func (e *environment) file(name string) string {
	path := e.text(name, "")
	if path == "" {
		return ""
	}
	f, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		e.fault(name, "cannot be read ("+errors.Unwrap(err).Error()+")", "the name of a file that leadsync's user may read")
		return ""
	}
	_ = f.Close() // it was only read
	return path
}

// readSubscribers reads name:token, several with commas between them, or the name of a file
// with one on each line.
func readSubscribers(e *environment, name string) []broker.Subscriber {
	const should = "name:token, several with commas between them, or @ and the name of a file with one on each line; names of lower-case letters and digits, tokens of at least 16 characters"
	value := e.text(name, "")
	if path, ok := strings.CutPrefix(value, "@"); ok {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			e.fault(name, "the file cannot be read", should)
			return nil
		}
		value = strings.ReplaceAll(string(data), "\n", ",")
	}
	var list []broker.Subscriber
	names, tokens := map[string]bool{}, map[string]bool{}
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item == "" || strings.HasPrefix(item, "#") {
			continue
		}
		subscriber, token, _ := strings.Cut(item, ":")
		if !broker.ValidName(subscriber) || len(token) < shortestToken || names[subscriber] || tokens[token] {
			e.fault(name, "an entry is not a subscriber, or a name or a token is there twice", should)
			return nil
		}
		names[subscriber], tokens[token] = true, true
		list = append(list, broker.Subscriber{Name: subscriber, Token: token})
	}
	return list
}

func readNATSPrefix(e *environment, name string) string {
	value := e.text(name, "")
	if value != "" && !events.ValidPrefix(value) {
		e.fault(name, "not a prefix", "up to 32 lower-case letters, digits and hyphens, a letter first, such as berlin")
	}
	return value
}

func (e *environment) databaseURL(name, otherwise string) string {
	value := e.text(name, otherwise)
	const should = "sqlite:<file>, or sqlserver://user:password@host:1433?database=oktell"
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		if path == "" {
			e.fault(name, "no file name", should)
		}
		return value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "sqlserver" || u.Host == "":
		e.fault(name, "not a database address", should+" (special characters of the password percent-encoded)")
	case u.Query().Get("database") == "":
		e.fault(name, "no database name", should)
	}
	return value
}

// schema reads the schema of the tables on SQL Server.
func (e *environment) schema(name, databaseURL string) string {
	value := e.text(name, "")
	switch {
	case value == "":
	case strings.HasPrefix(databaseURL, "sqlite:"):
		e.fault(name, "set for a SQLite database, which has no schemas", "it only beside a sqlserver:// address in LEADSYNC_DATABASE_URL")
	case !repo.ValidSchema(value):
		e.fault(name, "not a name of a schema", "up to 128 letters, digits and _, such as dbo")
	}
	return value
}

func (e *environment) publicURL(name string) string {
	value := strings.TrimRight(e.text(name, ""), "/")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || !strings.Contains(u.Hostname(), ".") {
		e.fault(name, "not an address that Bitrix24 can reach", "https://leads.example.com (the host needs a dot: Bitrix24 refuses localhost)")
	}
	return value
}

func (e *environment) webhook(name string, trust bitrix24.Trust) leads.Secret {
	value := e.text(name, "")
	if value == "" {
		return ""
	}
	endpoint, err := trust.Endpoint(value)
	if err != nil || !strings.Contains(endpoint, "/rest/") {
		e.fault(name, "not an inbound webhook", "https://portal.bitrix24.com/rest/<user>/<secret>/ (plain http only for hosts in LEADSYNC_B24_INSECURE_HOSTS)")
	}
	return leads.Secret(endpoint)
}

func (e *environment) memberID(name string) string {
	value := e.text(name, "")
	if value != "" && !leads.ValidMemberID(value) {
		e.fault(name, "not a member id", "the 32 hex digits that Bitrix24 sends as member_id")
	}
	return value
}

func (e *environment) replicas(name string) int {
	value := e.text(name, "")
	if value == "" {
		return 0
	}
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 5 {
		e.fault(name, "not a number of replicas", "1 on a single NATS server, 3 on a cluster")
	}
	return n
}

func (e *environment) key(name string) []byte {
	value := e.text(name, "")
	if value == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(key) != 32 {
		e.fault(name, "not a key", "32 random bytes in base64, as `openssl rand -base64 32` prints them")
	}
	return key
}

func (e *environment) clock(name, otherwise string) *TimeOfDay {
	value := e.text(name, otherwise)
	if value == "off" {
		return nil
	}
	t, err := time.Parse("15:04", value)
	if err != nil {
		e.fault(name, "not a time of day", `hours and minutes, such as 03:00, or "off"`)
	}
	return &TimeOfDay{t.Hour(), t.Minute(), time.Local}
}

// shortestInterval keeps a portal's budget for callbacks.
const shortestInterval = time.Minute

func (e *environment) interval(name, otherwise string) time.Duration {
	value := e.text(name, otherwise)
	if value == "off" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d < shortestInterval {
		e.fault(name, "not an interval", `a duration of at least a minute, such as 10m or 1h30m, or "off"`)
	}
	return d
}

const (
	// shortestKeep is how long incidents may explain what a pass finds.
	shortestKeep = 30 * day
	longestKeep  = 36500 * day // what a time.Duration holds is more
	day          = 24 * time.Hour
)

// keep reads a number of days, or a duration in hours; 0 is off.
func (e *environment) keep(name, otherwise string, shortest time.Duration) time.Duration {
	value := e.text(name, otherwise)
	if value == "off" {
		return 0
	}
	d, err := ParseSpan(value)
	if err != nil || d < shortest || d > longestKeep {
		least := strconv.Itoa(int(shortest/day)) + "d"
		if shortest < day {
			least = strconv.Itoa(int(shortest/time.Hour)) + "h"
		}
		e.fault(name, "not a time to keep history", fmt.Sprintf(`days, at least %s, such as %s, or "off"`, least, otherwise))
	}
	return d
}

// onOff reads a switch that is off by itself.
func (e *environment) onOff(name string) bool { return e.choice(name, "on", "off") == "on" }

func (e *environment) field(name string) string {
	value := e.text(name, "")
	if value != "" && (!strings.HasPrefix(value, "UF_CRM_") || !leads.ValidFieldName(value)) {
		e.fault(name, "not a custom field", "the code of a custom field of leads, in capital letters, such as UF_CRM_1387525788")
	}
	return value
}

func (e *environment) region(name, otherwise string) string {
	value := e.text(name, otherwise)
	if !leads.ValidPhoneRegion(value) {
		e.fault(name, "unknown country", "two capital letters, such as RU, KZ or BY")
	}
	return value
}

// shortestToken is what cannot be guessed over a network, in characters.
const shortestToken = 16

func (e *environment) apiToken(name string) leads.Secret {
	value := e.text(name, "")
	usable := func(r rune) bool { return r > ' ' && r < 0x7f }
	if value != "" && (len(value) < shortestToken || strings.ContainsFunc(value, func(r rune) bool { return !usable(r) })) {
		e.fault(name, "not a token", "at least 16 letters, digits or signs without spaces, as `openssl rand -hex 16` prints them")
	}
	return leads.Secret(value)
}

func (e *environment) level(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(e.text(name, "info"))); err != nil {
		e.fault(name, "unknown level", "debug, info, warn or error")
	}
	return level
}

func (e *environment) choice(name string, choices ...string) string {
	value := e.text(name, "")
	if value != "" && !slices.Contains(choices, value) {
		e.fault(name, "unknown value", strings.Join(choices, " or "))
	}
	return value
}
