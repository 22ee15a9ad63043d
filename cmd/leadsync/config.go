package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// embedded as NATS URL means: run a server in this process.
const embedded = "embedded"

// config is the environment, checked. Its variables are a contract: design section 4.
type config struct {
	dataDir     string
	databaseURL string
	natsURL     string
	natsListen  string
	natsToken   leads.Secret
	replicas    int
	httpAddr    string
	publicURL   string // without a slash at its end; "" where Bitrix24 cannot reach us

	clientID     string
	clientSecret leads.Secret
	webhookURL   leads.Secret // with a slash at its end
	webhookToken leads.Secret
	webhookID    string // member_id of the webhook's portal
	portals      []string
	trust        bitrix24.Trust
	secretKey    []byte

	reconcileAt   *clockTime    // nil is off
	catchUp       time.Duration // 0 is off
	solutionField string
	logLevel      slog.Level
	logFormat     string // text, json or "" for what the terminal suggests
	phoneRegion   string
	apiToken      leads.Secret // "" where one is kept in the data directory

	grace       time.Duration
	young       time.Duration    // see reconcile.Config; 0 is its default
	deleteFloor int64            // see repo.Config; 0 is its default
	hurry       int64            // divides what is waited for beside callbacks and passes; 0 is 1
	clock       func() time.Time // see now; nil is time.Now
	// patient starts without database and NATS where they are down; set by serve.
	patient bool
}

// now is our clock, as far as what it says is kept or compared with what was kept: how
// long something has taken is measured otherwise.
func (c config) now() time.Time {
	if c.clock == nil {
		return time.Now()
	}
	return c.clock()
}

// clockTime is a time of day in the machine's zone.
type clockTime struct{ hour, minute int }

// environment reads variables and collects every fault, so that a person mends them in
// one go.
type environment struct {
	lookup func(string) (string, bool)
	faults []error
}

// absenceGrace is how long a lead must have been absent before its row becomes a
// tombstone, where no delete callback came.
const absenceGrace = time.Minute

// readConfig reads the environment. Its error names each faulty variable and what it
// should look like.
func readConfig(lookup func(string) (string, bool)) (config, error) {
	e := &environment{lookup: lookup}
	cfg := config{
		dataDir:       e.text("LEADSYNC_DATA_DIR", "data"),
		natsURL:       e.natsURL("LEADSYNC_NATS_URL"),
		natsToken:     leads.Secret(e.text("LEADSYNC_NATS_TOKEN", "")),
		natsListen:    e.address("LEADSYNC_NATS_LISTEN", "127.0.0.1:4222"),
		replicas:      e.replicas("LEADSYNC_NATS_REPLICAS"),
		httpAddr:      e.address("LEADSYNC_HTTP_ADDR", ":8080"),
		publicURL:     e.publicURL("LEADSYNC_PUBLIC_URL"),
		clientID:      e.text("LEADSYNC_B24_CLIENT_ID", ""),
		clientSecret:  leads.Secret(e.text("LEADSYNC_B24_CLIENT_SECRET", "")),
		webhookToken:  leads.Secret(e.text("LEADSYNC_B24_APPLICATION_TOKEN", "")),
		webhookID:     e.memberID("LEADSYNC_B24_MEMBER_ID"),
		portals:       e.list("LEADSYNC_B24_PORTALS"),
		trust:         bitrix24.Trust{Insecure: e.hosts("LEADSYNC_B24_INSECURE_HOSTS")},
		secretKey:     e.key("LEADSYNC_SECRET_KEY"),
		reconcileAt:   e.clock("LEADSYNC_RECONCILE_AT", "03:00"),
		catchUp:       e.interval("LEADSYNC_CATCHUP_EVERY", "10m"),
		solutionField: e.field("LEADSYNC_SOLUTION_FIELD"),
		logLevel:      e.level("LEADSYNC_LOG_LEVEL"),
		logFormat:     e.choice("LEADSYNC_LOG_FORMAT", "text", "json"),
		phoneRegion:   e.region("LEADSYNC_PHONE_REGION", "RU"),
		apiToken:      e.apiToken("LEADSYNC_API_TOKEN"),
		grace:         absenceGrace,
	}
	cfg.databaseURL = e.databaseURL("LEADSYNC_DATABASE_URL", "sqlite:"+filepath.Join(cfg.dataDir, "leadsync.db"))
	cfg.webhookURL = e.webhook("LEADSYNC_B24_WEBHOOK_URL", cfg.trust)
	if cfg.webhookURL != "" && cfg.webhookToken == "" {
		e.fault("LEADSYNC_B24_APPLICATION_TOKEN", "is missing", "the token that Bitrix24 shows for the outgoing webhook; without it callbacks cannot be told from forgeries")
	}
	e.together(cfg)
	return cfg, errors.Join(e.faults...)
}

// together checks what only makes sense together.
func (e *environment) together(cfg config) {
	if (cfg.clientID == "") != (cfg.clientSecret == "") {
		e.fault("LEADSYNC_B24_CLIENT_ID", "and LEADSYNC_B24_CLIENT_SECRET are not both set", "both, as Bitrix24 shows them for the application, or neither")
	}
	if cfg.webhookURL == "" && (cfg.webhookToken != "" || cfg.webhookID != "") {
		e.fault("LEADSYNC_B24_WEBHOOK_URL", "is missing", "the inbound webhook that LEADSYNC_B24_APPLICATION_TOKEN and LEADSYNC_B24_MEMBER_ID belong to")
	}
	host, _, err := net.SplitHostPort(cfg.natsListen)
	ip := net.ParseIP(host)
	if err == nil && cfg.natsURL == embedded && cfg.natsToken == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		e.fault("LEADSYNC_NATS_TOKEN", "is missing", "set where LEADSYNC_NATS_LISTEN is an address that others can reach")
	}
}

// fault remembers what is wrong with a variable. The value is never repeated: it may be
// a secret in the wrong place.
func (e *environment) fault(name, wrong, should string) {
	e.faults = append(e.faults, fmt.Errorf("%s %s; it should be %s", name, wrong, should))
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
		e.fault(name, "is no address", "host:port, such as "+otherwise)
	}
	return value
}

func (e *environment) hosts(name string) []string {
	hosts := e.list(name)
	for _, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			e.fault(name, "has an entry that is no host:port", "a list such as 127.0.0.1:8924,127.0.0.1:8925")
		}
	}
	return hosts
}

func (e *environment) natsURL(name string) string {
	value := e.text(name, embedded)
	if value == embedded {
		return value
	}
	for server := range strings.SplitSeq(value, ",") {
		if u, err := url.Parse(strings.TrimSpace(server)); err != nil || u.Host == "" || (u.Scheme != "nats" && u.Scheme != "tls") {
			e.fault(name, "is no NATS address", `"embedded", or nats://host:4222, several separated by commas`)
			break
		}
	}
	return value
}

func (e *environment) databaseURL(name, otherwise string) string {
	value := e.text(name, otherwise)
	const should = "sqlite:<file>, or sqlserver://user:password@host:1433?database=oktell"
	if path, ok := strings.CutPrefix(value, "sqlite:"); ok {
		if path == "" {
			e.fault(name, "names no file", should)
		}
		return value
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "sqlserver" || u.Host == "":
		e.fault(name, "is no database address", should+" (special characters of the password percent-encoded)")
	case u.Query().Get("database") == "":
		e.fault(name, "names no database", should)
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
		e.fault(name, "is no address that Bitrix24 can reach", "https://leads.example.com (the host needs a dot: Bitrix24 refuses localhost)")
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
		e.fault(name, "is no inbound webhook", "https://portal.bitrix24.com/rest/<user>/<secret>/ (plain http only for hosts in LEADSYNC_B24_INSECURE_HOSTS)")
	}
	return leads.Secret(endpoint)
}

func (e *environment) memberID(name string) string {
	value := e.text(name, "")
	if value != "" && !leads.ValidMemberID(value) {
		e.fault(name, "is no member id", "the 32 hex digits that Bitrix24 sends as member_id")
	}
	return value
}

func (e *environment) replicas(name string) int {
	n, err := strconv.Atoi(e.text(name, "1"))
	if err != nil || n < 1 || n > 5 {
		e.fault(name, "is no number of replicas", "1 on a single NATS server, 3 on a cluster")
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
		e.fault(name, "is no key", "32 random bytes in base64, as `openssl rand -base64 32` prints them")
	}
	return key
}

func (e *environment) clock(name, otherwise string) *clockTime {
	value := e.text(name, otherwise)
	if value == "off" {
		return nil
	}
	t, err := time.Parse("15:04", value)
	if err != nil {
		e.fault(name, "is no time of day", `hours and minutes, such as 03:00, or "off"`)
	}
	return &clockTime{t.Hour(), t.Minute()}
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
		e.fault(name, "is no interval", `a duration of at least a minute, such as 10m or 1h30m, or "off"`)
	}
	return d
}

func (e *environment) field(name string) string {
	value := e.text(name, "")
	if value != "" && (!strings.HasPrefix(value, "UF_CRM_") || !leads.ValidFieldName(value)) {
		e.fault(name, "is no custom field", "the code of a custom field of leads, in capital letters, such as UF_CRM_1387525788")
	}
	return value
}

func (e *environment) region(name, otherwise string) string {
	value := e.text(name, otherwise)
	if !leads.ValidPhoneRegion(value) {
		e.fault(name, "is no country", "two capital letters, such as RU, KZ or BY")
	}
	return value
}

// shortestToken is what cannot be guessed over a network, in characters.
const shortestToken = 16

func (e *environment) apiToken(name string) leads.Secret {
	value := e.text(name, "")
	usable := func(r rune) bool { return r > ' ' && r < 0x7f }
	if value != "" && (len(value) < shortestToken || strings.ContainsFunc(value, func(r rune) bool { return !usable(r) })) {
		e.fault(name, "is no token", "at least 16 letters, digits or signs without blanks, as `openssl rand -hex 16` prints them")
	}
	return leads.Secret(value)
}

func (e *environment) level(name string) slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(e.text(name, "info"))); err != nil {
		e.fault(name, "is no level", "debug, info, warn or error")
	}
	return level
}

func (e *environment) choice(name string, choices ...string) string {
	value := e.text(name, "")
	if value != "" && !slices.Contains(choices, value) {
		e.fault(name, "is unknown", strings.Join(choices, " or "))
	}
	return value
}

// stateKey signs the state of log-ins. It comes from the secret key, which all replicas
// share, and is none of its uses; nil without one.
func (c config) stateKey() []byte {
	if c.secretKey == nil {
		return nil
	}
	key, err := hkdf.Key(sha256.New, c.secretKey, nil, "leadsync oauth state v1", sha256.Size)
	if err != nil {
		return nil // impossible for one hash of output
	}
	return key
}

// next is the first moment after t that the clock shows this time.
func (c clockTime) next(t time.Time) time.Time {
	due := time.Date(t.Year(), t.Month(), t.Day(), c.hour, c.minute, 0, 0, t.Location())
	if !due.After(t) {
		due = time.Date(t.Year(), t.Month(), t.Day()+1, c.hour, c.minute, 0, 0, t.Location())
	}
	return due
}

// config reads the environment for a command; its faults are usage errors.
func (a *app) config() (config, error) {
	cfg, err := readConfig(a.lookupEnv)
	if err != nil {
		return cfg, usageError{fmt.Errorf("the configuration is wrong:\n%w", err)}
	}
	return cfg, nil
}
