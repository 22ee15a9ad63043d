// Package emulator is a Bitrix24 portal from inside, in a box: REST, OAuth, events,
// limits and faults, over leads that it makes up. It is the ground that the
// synchroniser's promises are tested on, so it copies a portal's habits, the bad
// ones included; FIDELITY.md says which are documented and which are guesses. It
// knows nothing about who calls it.
package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Config says what portal to make. The zero value is a portal without leads, with
// limits, on free ports of 127.0.0.1.
type Config struct {
	Leads int    // how many leads it starts with
	Seed  uint64 // same seed: same leads, ids and secrets; tokens but for the expiry they carry

	PortalAddr string // Start listens here; empty: 127.0.0.1:0
	OAuthAddr  string // the authorization server; empty: the next free port
	TLS        bool   // serve https with a generated authority (Info().CA), plain http is refused
	CAFile     string // where the authority's certificate is written; empty: a temporary file

	Scope       []string // what the application and the webhook may call; nil: crm, user, department
	Status      string   // licence letter of docs/bitrix24.md 1.4; empty: L, a local application
	WebhookUser int      // whose inbound webhook it is; 0: user 1
	AskLogin    bool     // the authorize page waits for a click

	AccessLife  time.Duration // access token; 0: 3600 s
	RefreshLife time.Duration // refresh token; 0: 180 days
	CodeLife    time.Duration // authorization code; 0: 30 s

	NoLimits       bool
	Enterprise     bool          // leaks 5/s up to 250 instead of 2/s up to 50
	OperatingLimit time.Duration // per method in ten minutes; 0: 480 s
	PageCost       time.Duration // operating time of a list page; 0: 20 ms
	CallCost       time.Duration // operating time of any other call; 0: 2 ms
	Wall           time.Duration // longest request; 0: 60 s

	Delay, DelayMax time.Duration // a callback waits between the two; both 0: 5 to 25 ms
	HandlerTimeout  time.Duration // how long a handler may take; 0: 10 s
	Deliveries      int           // callbacks under way per handler; 0: 16
	SlowAnswer      time.Duration // a handler that takes longer is served one by one; 0: 2 s

	// OnToken is called when the authorization server has dealt with a request for tokens,
	// its effects included, and has not answered yet; nil is nothing. What ends the asker
	// then, loses the answer.
	OnToken func()

	Switches Switches
	Faults   Faults           // the ones it starts with
	Now      func() time.Time // nil: time.Now
	Logger   *slog.Logger     // nil: silent
}

// Switches turn what is a guess, or documented in two ways, the other way round.
// All off is the documented portal. FIDELITY.md names the source of each.
type Switches struct {
	LenientRotation    bool // a used refresh token can be used again
	RefreshKillsAccess bool // using a refresh token ends its access token
	WebhookCredentials bool // a bad webhook is 403 INVALID_CREDENTIALS instead of 401 NO_AUTH_FOUND
	BooleanText        bool // boolean custom fields are "1" and "0" instead of true and false
	DateOnly           bool // BIRTHDATE without a time
	Files              bool // some leads have files, whose links carry the caller's token
	RefuseFilterKeys   bool // crm.lead.list refuses unknown filter keys instead of ignoring them
	IgnoreDateOffset   bool // an offset in a date filter is ignored
	BillBatch          bool // operating time of a batch is charged to "batch", half weight, at least 0.1 s
	NoHandlerID        bool // callbacks come without event_handler_id
	NoUserKeys         bool // callbacks come without auth[expires] and auth[user_id]
	EventRefreshToken  bool // lead callbacks carry a refresh token
	PlainHTTP          bool // with TLS, plain http is accepted too
	RequireHTTPS       bool // without TLS too, plain http is refused with "Https required."
	NoOffline          bool // nobody may bind offline events, as if there were no administrator
	NoOfflineExtended  bool // the plan lacks rest_offline_extended
	FewOffline         bool // event.offline.get gives no more than 50 events, whatever limit says
	NoAuthConnector    bool // the plan lacks rest_auth_connector
	SimpleMode         bool // the CRM has no leads: a new one becomes a deal at once and cannot be read
	NoLicense          bool // app.info without LICENSE_TYPE and LICENSE_FAMILY: an older portal
	NoOperating        bool // time blocks without operating: an old or self-hosted portal
	RawUnicode         bool // answers in UTF-8 instead of \u escapes
}

// Info is what somebody needs to talk to the portal (design section 4). Webhook
// is the complete address of the inbound webhook, with a trailing slash.
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
}

// Portal is one portal with its authorization server.
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
	maker     *maker
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

	luck   *dice // what happens to whom, guarded by luckMu
	luckMu sync.Mutex

	servers *servers
}

// New makes a portal that does not listen. Its addresses are those of Config, so
// that Handler and AuthHandler can be served by somebody else; callbacks are
// delivered all the same. Close it.
func New(cfg Config) (*Portal, error) {
	if cfg.Leads < 0 {
		return nil, errors.New("portal: the number of leads is negative")
	}
	if u := userByID(cfg.WebhookUser); cfg.WebhookUser != 0 && u == nil {
		return nil, fmt.Errorf("portal: there is no user %d to own the webhook; there are 1, 7, 9, 12, 15 and 512", cfg.WebhookUser)
	}
	p := &Portal{cfg: withDefaults(cfg), zone: time.FixedZone("MSK", 3*3600)}
	p.log = p.cfg.Logger
	p.setAddresses(p.cfg.PortalAddr, p.cfg.OAuthAddr)
	p.clock = &clock{real: p.cfg.Now}
	secrets := newDice(p.cfg.Seed, useSecrets)
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
	p.offline = &offlineQueue{dice: newDice(p.cfg.Seed, useOffline), open: map[string]int{}, rung: map[int]time.Time{}}
	p.luck = newDice(p.cfg.Seed, useLuck)
	p.store = &store{}
	p.maker = &maker{seed: p.cfg.Seed, files: p.cfg.Switches.Files}
	p.maker.fill(p.store, p.cfg.Leads)
	return p, nil
}

// What the numbers of a seed are for.
const (
	useSecrets = iota
	useTokens
	useLuck
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

// setAddresses fixes the URLs that answers and callbacks name.
func (p *Portal) setAddresses(portal, oauth string) {
	scheme := "http://"
	if p.cfg.TLS {
		scheme = "https://"
	}
	p.portalURL, p.oauthURL = scheme+portal, scheme+oauth
}

// SetURLs says under which URLs (scheme and host, no trailing slash) the handlers
// of a portal made by New are served. Call it before the first request.
func (p *Portal) SetURLs(portal, oauth string) {
	p.portalURL, p.oauthURL = strings.TrimRight(portal, "/"), strings.TrimRight(oauth, "/")
}

// hostOf is the host of a URL, with its port if it has one.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// Info is what somebody needs to talk to the portal.
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
	}
}

// Handler is the portal: REST, the authorize page, the control surface under
// /_portal/ and the web page at /.
func (p *Portal) Handler() http.Handler { return p.portalMux() }

// AuthHandler is the authorization server.
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

// Leads are all leads in the order of their ids, each exactly as crm.lead.get
// shows it to the administrator. Each lead is as it was at one moment; leads that
// come or go meanwhile may or may not be among them.
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
