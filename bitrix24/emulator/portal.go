// Package emulator emulates a Bitrix24 portal with its authorization server: REST, OAuth,
// events, limits and faults, with generated leads. leadsync is tested against it, so it also
// copies a portal's bad habits; FIDELITY.md says what is documented and what is a guess. The
// package knows nothing about its callers.
package emulator

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config describes a portal. The zero value is a portal without leads, with limits, on free
// ports of 127.0.0.1.
type Config struct {
	Leads int    // how many leads the portal starts with
	Seed  uint64 // the same seed gives the same leads, ids and secrets, and tokens that differ only in their expiry

	PortalAddr string // where Start listens; "" is 127.0.0.1:0
	OAuthAddr  string // where the authorization server listens; "" is the next free port
	TLS        bool   // serve https with a certificate of a generated authority (Info.CA), refuse plain http
	CAFile     string // where to write the authority's certificate; "" is a temporary file

	Scope       []string // what the application and the webhook may call; nil is crm, user and department
	Status      string   // licence letter of docs/bitrix24.md 1.4; "" is L, a local application
	WebhookUser int      // the user who owns the inbound webhook; 0 is user 1
	AskLogin    bool     // the authorize page waits until somebody chooses a user
	LoginUser   int      // who is logged in where AskLogin is off; 0 is user 1

	AccessLife  time.Duration // of an access token; 0 is 3600 s
	RefreshLife time.Duration // of a refresh token; 0 is 180 days
	CodeLife    time.Duration // of an authorization code; 0 is 30 s

	NoLimits       bool          // neither the request bucket nor operating time is limited
	Enterprise     bool          // a bucket of 250 that leaks 5 requests a second, instead of 50 and 2
	OperatingLimit time.Duration // of a method within ten minutes; 0 is 480 s
	PageCost       time.Duration // operating time of a list page; 0 is 20 ms
	CallCost       time.Duration // operating time of any other call; 0 is 2 ms
	Wall           time.Duration // how long a request may take; 0 is 60 s

	Delay, DelayMax time.Duration // the least and the longest delay of a callback; both 0 are 5 and 25 ms
	HandlerTimeout  time.Duration // how long a handler may take; 0 is 10 s
	Deliveries      int           // callbacks that a handler gets at the same time; 0 is 16
	SlowAnswer      time.Duration // a handler that takes longer gets its callbacks one by one; 0 is 2 s

	// OnToken is called after the authorization server has executed a request for tokens and
	// before it answers. A test that ends the caller there loses the answer. nil is ignored.
	OnToken func()

	Switches Switches
	Faults   Faults           // the faults that are on at the start
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil logs nothing
}

// Switches change behaviour that is a guess or documented in two ways to the other
// possibility. All off is the documented portal. FIDELITY.md names the source of each.
type Switches struct {
	LenientRotation    bool // a refresh token can be used more than once
	RefreshKillsAccess bool // using a refresh token invalidates its access token
	WebhookCredentials bool // a wrong webhook is 403 INVALID_CREDENTIALS instead of 401 NO_AUTH_FOUND
	BooleanText        bool // boolean custom fields are "1" and "0" instead of true and false
	DateOnly           bool // BIRTHDATE without a time
	Files              bool // some leads have files, with the caller's token in their links
	RefuseFilterKeys   bool // crm.lead.list refuses unknown filter keys instead of ignoring them
	IgnoreDateOffset   bool // an offset in a date filter is ignored
	BillBatch          bool // a batch charges half its operating time, at least 0.1 s, to the method "batch"
	NoHandlerID        bool // callbacks come without event_handler_id
	NoUserKeys         bool // callbacks come without auth[expires] and auth[user_id]
	EventRefreshToken  bool // lead callbacks carry a refresh token
	PlainHTTP          bool // with TLS, plain http is accepted too
	RequireHTTPS       bool // without TLS too, plain http is refused with "Https required."
	NoOffline          bool // nobody may bind offline events, as if no user were an administrator
	NoOfflineExtended  bool // the plan lacks rest_offline_extended
	FewOffline         bool // event.offline.get gives no more than 50 events, whatever limit says
	NoAuthConnector    bool // the plan lacks rest_auth_connector
	SimpleMode         bool // the CRM works without leads: a new lead becomes a deal at once and cannot be read
	NoLicense          bool // app.info without LICENSE_TYPE and LICENSE_FAMILY: an older portal
	NoOperating        bool // time blocks without operating: an old or self-hosted portal
	RawUnicode         bool // answers contain UTF-8 instead of \u escapes
}

// Info is what a caller needs to connect to the portal. Its JSON is the answer of
// GET /_portal/info. Webhook is the complete address of the inbound webhook, with a trailing
// slash; CA is the file with the certificate authority's certificate, "" without TLS.
type Info struct {
	Portal                  string `json:"portal"`
	OAuth                   string `json:"oauth"`
	MemberID                string `json:"member_id"`
	ClientID                string `json:"client_id"`
	ClientSecret            string `json:"client_secret"`
	Webhook                 string `json:"webhook"`
	ApplicationToken        string `json:"application_token"`
	WebhookApplicationToken string `json:"webhook_application_token"`
	CA                      string `json:"ca"`

	OutgoingWebhooks []OutgoingWebhook `json:"outgoing_webhooks"` // those that exist
}

// Portal is an emulated portal with its authorization server. It is safe for concurrent use.
type Portal struct {
	cfg  Config
	zone *time.Location
	log  *slog.Logger

	portalURL, oauthURL string
	memberID            string
	webhookUser         int
	webhookSecret       string
	webhookToken        string
	caFile, caDir       string // caDir is removed at Close

	clock     *clock
	store     *store
	generator *generator
	tokens    *tokens
	app       *app
	buckets   *buckets
	operating *operating
	stats     *counters
	faults    *faultBox
	bindings  *bindings
	queue     *queue
	offline   *offlineQueue
	recent    recent

	definitions   atomic.Pointer[definitions]
	definitionsMu sync.Mutex // held while they are replaced

	rng   *rng // for faults and random edits, guarded by rngMu
	rngMu sync.Mutex

	servers *servers
}

// New returns a portal that does not listen: the caller serves Handler and AuthHandler at the
// addresses of Config. It still delivers callbacks. The caller must close it.
func New(cfg Config) (*Portal, error) {
	if cfg.Leads < 0 {
		return nil, fmt.Errorf("emulator: Leads: got %d, want 0 or more", cfg.Leads)
	}
	if u := userByID(cfg.WebhookUser); cfg.WebhookUser != 0 && u == nil {
		return nil, fmt.Errorf("emulator: WebhookUser: there is no user %d, %s", cfg.WebhookUser, userIDs())
	}
	if u := userByID(cfg.LoginUser); cfg.LoginUser != 0 && u == nil {
		return nil, fmt.Errorf("emulator: LoginUser: there is no user %d, %s", cfg.LoginUser, userIDs())
	}
	if err := cfg.Faults.check(); err != nil {
		return nil, fmt.Errorf("emulator: Faults: %w", err)
	}
	p := &Portal{cfg: withDefaults(cfg), zone: time.FixedZone("MSK", 3*3600)}
	p.log = p.cfg.Logger
	p.setAddresses(p.cfg.PortalAddr, p.cfg.OAuthAddr)
	p.clock = &clock{real: p.cfg.Now}
	secrets := newRNG(p.cfg.Seed, useSecrets)
	p.memberID = secrets.hex(32)
	p.webhookUser, p.webhookSecret, p.webhookToken = p.cfg.WebhookUser, secrets.letters(16, alphanumeric), secrets.letters(32, alphanumeric)
	p.app = &app{secrets: secrets}
	p.app.renew()
	p.tokens = newTokens(&p.cfg)
	p.buckets = &buckets{rate: 2, threshold: 50, levels: map[string]bucketLevel{}}
	if p.cfg.Enterprise {
		p.buckets.rate, p.buckets.threshold = 5, 250
	}
	p.operating = &operating{limit: p.cfg.OperatingLimit.Seconds(), baskets: map[operatingKey][]basket{}}
	p.stats = newCounters()
	p.faults = &faultBox{now: p.cfg.Faults}
	p.bindings = &bindings{}
	p.queue = newQueue(&p.cfg)
	p.offline = &offlineQueue{rng: newRNG(p.cfg.Seed, useOffline), open: map[string]int{}, signalled: map[int]time.Time{}}
	p.rng = newRNG(p.cfg.Seed, useChance)
	p.definitions.Store(newDefinitions())
	p.store = &store{}
	p.generator = &generator{seed: p.cfg.Seed, files: p.cfg.Switches.Files}
	p.generator.fill(p.store, p.cfg.Leads)
	if p.cfg.Faults.SimpleMode {
		p.convertAll()
	}
	return p, nil
}

// What the random numbers of a seed are for; the order is part of what a seed means.
const (
	useSecrets = iota
	useTokens
	useChance
	useQueue
	useLeads
	useOffline
)

const alphanumeric = "abcdefghijklmnopqrstuvwxyz0123456789"

func withDefaults(cfg Config) Config {
	duration := func(d *time.Duration, byDefault time.Duration) {
		if *d == 0 {
			*d = byDefault
		}
	}
	duration(&cfg.AccessLife, time.Hour)
	duration(&cfg.RefreshLife, 180*24*time.Hour)
	duration(&cfg.CodeLife, 30*time.Second)
	duration(&cfg.OperatingLimit, 480*time.Second)
	duration(&cfg.PageCost, 20*time.Millisecond)
	duration(&cfg.CallCost, 2*time.Millisecond)
	duration(&cfg.Wall, time.Minute)
	duration(&cfg.HandlerTimeout, 10*time.Second)
	duration(&cfg.SlowAnswer, 2*time.Second)
	if cfg.Delay == 0 && cfg.DelayMax == 0 {
		cfg.Delay, cfg.DelayMax = 5*time.Millisecond, 25*time.Millisecond
	}
	cfg.DelayMax = max(cfg.Delay, cfg.DelayMax)
	if cfg.PortalAddr == "" {
		cfg.PortalAddr = "127.0.0.1:0"
	}
	if cfg.OAuthAddr == "" {
		cfg.OAuthAddr = "127.0.0.1:0"
	}
	if cfg.Scope == nil {
		cfg.Scope = []string{"crm", "user", "department"}
	}
	if cfg.Status == "" {
		cfg.Status = "L"
	}
	if cfg.WebhookUser == 0 {
		cfg.WebhookUser = 1
	}
	if cfg.LoginUser == 0 {
		cfg.LoginUser = 1
	}
	if cfg.Deliveries == 0 {
		cfg.Deliveries = 16
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// setAddresses sets the URLs in answers and callbacks.
func (p *Portal) setAddresses(portal, oauth string) {
	scheme := "http://"
	if p.cfg.TLS {
		scheme = "https://"
	}
	p.portalURL, p.oauthURL = scheme+portal, scheme+oauth
}

// SetURLs says at which URLs (scheme and host, no trailing slash) the caller serves the
// handlers of a portal from New. Call it before the first request.
func (p *Portal) SetURLs(portal, oauth string) {
	p.portalURL, p.oauthURL = strings.TrimRight(portal, "/"), strings.TrimRight(oauth, "/")
}

// hostOf is the host of a URL, with its port if there is one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Info returns what a caller needs to connect to the portal.
func (p *Portal) Info() Info {
	app := p.app.identity()
	return Info{
		Portal:                  p.portalURL,
		OAuth:                   p.oauthURL,
		MemberID:                p.memberID,
		ClientID:                app.clientID,
		ClientSecret:            app.clientSecret,
		Webhook:                 p.portalURL + "/rest/" + strconv.Itoa(p.webhookUser) + "/" + p.webhookSecret + "/",
		ApplicationToken:        app.token,
		WebhookApplicationToken: p.webhookToken,
		CA:                      p.caFile,
		OutgoingWebhooks:        p.outgoingWebhooks(),
	}
}

// Handler serves the portal: REST, the authorize page, the control surface at /_portal/ and
// the web page at /.
func (p *Portal) Handler() http.Handler { return p.portalMux() }

// AuthHandler serves the authorization server.
func (p *Portal) AuthHandler() http.Handler { return p.authMux() }

func (p *Portal) portalMux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/rest/", p.serveREST)
	mux.HandleFunc("/oauth/authorize", p.serveAuthorize)
	mux.HandleFunc("/oauth/authorize/{$}", p.serveAuthorize)
	mux.HandleFunc("/oauth/token", p.serveToken) // the cloud proxies it (docs/bitrix24.md 1.1)
	mux.HandleFunc("/oauth/token/{$}", p.serveToken)
	p.control(mux)
	return mux
}

// Leads returns all leads in the order of their ids, each exactly as crm.lead.get shows it to
// the administrator. Each lead is as it was at one moment; leads that are added or deleted
// meanwhile may be missing or not.
func (p *Portal) Leads() iter.Seq2[int64, json.RawMessage] {
	return func(yield func(int64, json.RawMessage) bool) {
		v := p.fullView("")
		var last int64
		for {
			page := p.store.after(last, 256)
			if len(page) == 0 {
				return
			}
			for _, l := range page {
				if !yield(l.id, v.appendLead(make([]byte, 0, 2048), l)) {
					return
				}
				last = l.id
			}
		}
	}
}
