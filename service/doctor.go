package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/doctor"
	"leadsync/events"
	"leadsync/guide"
	"leadsync/leads"
	"leadsync/repo"
)

// errIdle says that the embedded server's service does not run.
var errIdle = errors.New("no service runs on the data directory")

// Examine looks at everything that a service stands on, and changes nothing. looking is called with the name
// of each check before it.
func Examine(ctx context.Context, cfg Config, log *slog.Logger, looking func(check string)) []doctor.Finding {
	checks := []doctor.Check{
		doctor.CheckSettings(doctor.Settings{
			PublicURL: cfg.PublicURL, Webhook: cfg.WebhookURL != "", SecretKey: cfg.SecretKey != nil, Nightly: cfg.ReconcileAt != nil, Alarms: len(cfg.Alerts.Channels()) > 0, Exposed: cfg.ExposedFile,
		}),
		doctor.CheckDirectory(absolute(cfg.DataDir)), doctor.CheckRoom(cfg.DataDir, repo.FreeBytes), doctor.CheckZone(nextPass(cfg), cfg.Zone),
		doctor.CheckAddress(doctor.Address{URL: cfg.PublicURL, Resolve: resolve, HTTP: bitrix24.NewHTTP(), Now: cfg.Now}),
		doctor.CheckNATS(doctor.NATS{
			Embedded: cfg.NATSURL == Embedded, Wanted: cfg.Replicas, Idle: func(err error) bool { return errors.Is(err, errIdle) },
			State: func(ctx context.Context) (events.State, error) { return natsState(ctx, cfg) },
		}),
	}
	if file, missing := cfg.MissingDatabase(); missing { // opening would make it
		return append(doctor.Run(ctx, saying(looking, checks)), doctor.Finding{Check: "database", Level: doctor.Warning, Found: absolute(file) + " does not exist", Means: "the first start of `leadsync serve` creates it", See: guide.DatabaseDown.String()})
	}
	looking("database")
	db, err := openExamined(ctx, cfg, log)
	if err != nil {
		f := unopened(err)
		f.Means, f.Do = "callbacks are kept, and nothing else works", cmp.Or(f.Do, "start the server; check LEADSYNC_DATABASE_URL and the network")
		return append(doctor.Run(ctx, saying(looking, checks)), f)
	}
	defer func() { _ = db.Close() }() // it was only read
	checks = append(checks, doctor.CheckDatabase(db), doctor.CheckClock(cfg.Now, func(ctx context.Context) (time.Time, string, error) { return portalClock(ctx, cfg, db) }),
		doctor.CheckPortals(doctor.Portals{Store: db, CallbackURL: cfg.CallbackURL(), PublicURL: cfg.PublicURL, Trust: cfg.Trust, Now: cfg.Now, Call: caller(cfg), Client: clientCheck(cfg)}))
	return doctor.Run(ctx, saying(looking, checks))
}

// openExamined opens the database, also where a service does without it at the start: what keeps it from opening is known here alone.
func openExamined(ctx context.Context, cfg Config, log *slog.Logger) (*repo.DB, error) {
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	cfg.TolerateOutages = false
	return OpenDatabase(ctx, cfg, log)
}

// said is a check that says its name before it looks.
type said struct {
	check   doctor.Check
	looking func(check string)
}

func saying(looking func(check string), checks []doctor.Check) (all []doctor.Check) {
	for _, c := range checks {
		all = append(all, said{c, looking})
	}
	return all
}

// Name implements doctor.Check.
func (s said) Name() string { return s.check.Name() }

// Look implements doctor.Check.
func (s said) Look(ctx context.Context) []doctor.Finding {
	s.looking(s.Name())
	return s.check.Look(ctx)
}

// MissingDatabase names a SQLite database that does not exist yet.
func (c Config) MissingDatabase() (file string, missing bool) {
	path, ok := strings.CutPrefix(c.DatabaseURL, "sqlite:")
	file, _, _ = strings.Cut(path, "?")
	if !ok || file == ":memory:" {
		return file, false
	}
	_, err := os.Stat(file)
	return file, errors.Is(err, os.ErrNotExist)
}

func nextPass(cfg Config) time.Time {
	if cfg.ReconcileAt == nil {
		return time.Time{}
	}
	return cfg.ReconcileAt.Next(cfg.Now())
}

func resolve(ctx context.Context, host string) ([]net.IP, error) {
	return net.DefaultResolver.LookupIP(ctx, "ip", host)
}

// natsState looks at the NATS server, also at that of a running service.
func natsState(ctx context.Context, cfg Config) (events.State, error) {
	if cfg.NATSURL == Embedded {
		return embeddedState(ctx, cfg)
	}
	return serverState(ctx, cfg.NATSServer(), cfg.NATSPrefix)
}

// embeddedState looks at the server of the service that runs on the data directory.
func embeddedState(ctx context.Context, cfg Config) (events.State, error) {
	r, err := readRunning(cfg.DataDir)
	if err != nil {
		return events.State{}, errIdle
	}
	if r.NATSURL == "" {
		return events.State{}, errNATSStarts
	}
	return serverState(ctx, events.Server{URL: r.NATSURL, Token: r.NATSToken}, cfg.NATSPrefix)
}

func serverState(ctx context.Context, server events.Server, prefix string) (events.State, error) {
	nc, err := events.Connect(server)
	if err != nil {
		return events.State{}, err
	}
	defer nc.Close()
	bus, err := events.Open(nc, prefix)
	if err != nil {
		return events.State{}, err
	}
	return events.Examine(ctx, bus)
}

// portalClock asks an active portal for the time, without a token.
func portalClock(ctx context.Context, cfg Config, db *repo.DB) (time.Time, string, error) {
	var portals []leads.Portal
	err := doctor.Ask(ctx, "the database", func(ctx context.Context) (err error) {
		portals, err = db.Portals(ctx)
		return err
	})
	if err != nil {
		return time.Time{}, "", err
	}
	for _, p := range portals {
		if p.State != leads.PortalActive {
			continue
		}
		var at time.Time
		err := doctor.Ask(ctx, p.Domain, func(ctx context.Context) (err error) {
			at, err = clockOf(ctx, cfg, p)
			return err
		})
		return at, p.Domain, err
	}
	return time.Time{}, "", nil
}

// clockOf asks a portal for the time.
func clockOf(ctx context.Context, cfg Config, p leads.Portal) (time.Time, error) {
	address := "https://" + p.Domain + "/"
	if insecure, err := cfg.Trust.Endpoint("http://" + p.Domain + "/rest/"); err == nil {
		address = insecure
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, address, nil)
	if err != nil {
		return time.Time{}, err
	}
	response, err := bitrix24.NewHTTP().Do(request)
	if err != nil {
		return time.Time{}, err
	}
	_ = response.Body.Close() // a HEAD has none
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return at, doctor.SentenceError("the answer of " + p.Domain + " has no date")
	}
	return at, nil
}

// storedToken is a token that doctor does not replace: that is the owner's.
type storedToken leads.Secret

// Token implements bitrix24.Tokens.
func (t storedToken) Token(context.Context) (leads.Secret, error) { return leads.Secret(t), nil }

// Refresh implements bitrix24.Tokens.
func (t storedToken) Refresh(context.Context, leads.Secret) (leads.Secret, error) {
	return "", leads.ErrUnauthorized
}

// Abandon implements bitrix24.Tokens.
func (t storedToken) Abandon(context.Context, leads.Secret) (bool, error) { return false, nil }

// noToken is a refresh token that no server has issued.
const noToken = leads.Secret("leadsync-doctor")

// clientCheck asks an authorization server about client id and secret, and spends no token.
func clientCheck(cfg Config) func(context.Context, leads.Portal) error {
	return func(ctx context.Context, p leads.Portal) error {
		oauth := cfg.OAuth().As(p.ClientID, p.ClientSecret)
		if oauth.ClientID == "" {
			return doctor.ErrNoClient
		}
		_, err := oauth.Refresh(ctx, p.ServerEndpoint, noToken)
		return err
	}
}

// caller calls portals as they are stored.
func caller(cfg Config) func(context.Context, leads.Portal, leads.Secret, string) (json.RawMessage, error) {
	return func(ctx context.Context, p leads.Portal, token leads.Secret, method string) (json.RawMessage, error) {
		client := bitrix24.ClientConfig{Endpoint: p.WebhookURL, Now: cfg.Now}
		if p.WebhookURL == "" {
			endpoint, err := cfg.Trust.Endpoint(p.ClientEndpoint)
			if err != nil {
				return nil, err
			}
			client.Endpoint, client.Tokens = leads.Secret(endpoint), storedToken(token)
		}
		answer, err := bitrix24.NewClient(client).Call(ctx, method, nil)
		return answer.Result, err
	}
}
