package service

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"time"

	"leadsync/alert"
	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/events/broker"
	"leadsync/leads"
)

// Embedded as NATS URL means: run a server in this process.
const Embedded = "embedded"

// Config is how a service is set up: the environment, checked. Its variables are named in
// docs/settings.md and are a contract.
type Config struct {
	// From says where a setting's value comes from, as settings.Values.From does; nil where that is not known.
	From func(name string) string

	DataDir        string
	DatabaseURL    string
	DatabaseSchema string // of the tables on SQL Server; "" is dbo
	NATSURL        string // Embedded, or addresses separated by commas
	NATSListen     string
	NATS           NATSLogin
	Subscribers    []broker.Subscriber // of the embedded server; none is one with a token in the data directory
	NATSPrefix     string              // of streams and subjects; "" for none
	Replicas       int                 // of the streams; 0 leaves those that exist as they are
	HTTPAddr       string              // of the public face
	Admin          Admin
	PublicURL      string // without a slash at its end; "" where Bitrix24 cannot reach us

	ClientID        string
	ClientSecret    leads.Secret
	WebhookURL      leads.Secret // with a slash at its end
	WebhookToken    leads.Secret // of the outgoing webhooks, commas between them; see leads.HashTokens
	WebhookMemberID string       // of the webhook's portal
	Portals         []string
	Trust           bitrix24.Trust
	SecretKey       []byte

	ReconcileAt   *TimeOfDay    // nil is off
	CatchUpEvery  time.Duration // 0 is off
	Keep          time.Duration // of history in the database; 0 keeps all
	KeepChanges   time.Duration // of the history of changes; 0 keeps all
	HistoryValues bool          // the history of changes has values
	JournalKeep   time.Duration // of the journal; 0 has none
	Zone          string        // TZ; "" is the machine's
	SolutionField string
	LogLevel      slog.Level
	LogFormat     string // text, json or "" for what the terminal suggests
	PhoneRegion   string
	APIToken      leads.Secret // for reading; "" where one is kept in the data directory

	Alerts alert.Settings // where people are told of problems

	ExposedFile string // the settings file where it has secrets and others can read it; "" otherwise

	// TolerateOutages starts without database and NATS where they are down; serve does.
	TolerateOutages bool
	Tuning          Tuning
}

// NATSLogin is how to log in to an external NATS server; see events.Server. Where the server
// is embedded, Token is a subscriber's.
type NATSLogin struct {
	Token, Password            leads.Secret
	User                       string
	Creds, NKey, CA, Cert, Key string // files
}

// NATSServer is the external server.
func (c Config) NATSServer() events.Server {
	n := c.NATS
	return events.Server{
		URL: c.NATSURL, Token: n.Token.Reveal(), User: n.User, Password: n.Password.Reveal(),
		Creds: n.Creds, NKey: n.NKey, CA: n.CA, Cert: n.Cert, Key: n.Key,
	}
}

// Tuning is what nobody sets in an environment: demonstrations and tests shorten time with
// it. The zero value is how a service works.
type Tuning struct {
	Grace       time.Duration    // how long a lead must have been absent; 0 is a minute
	MinAge      time.Duration    // see owner.Config; 0 is its default
	DeleteFloor int64            // see repo.Config; 0 is its default
	TimeScale   int64            // divides intervals of upkeep and of the start; 0 is 1
	Clock       func() time.Time // see Config.Now; nil is time.Now
}

// Now is our clock, as far as what it says is kept or compared with what was kept: how
// long something has taken is measured otherwise.
func (c Config) Now() time.Time {
	if c.Tuning.Clock == nil {
		return time.Now()
	}
	return c.Tuning.Clock()
}

// absenceGrace is how long a lead must have been absent before its row becomes a
// tombstone, where no delete callback came.
const absenceGrace = time.Minute

func (c Config) grace() time.Duration {
	if c.Tuning.Grace == 0 {
		return absenceGrace
	}
	return c.Tuning.Grace
}

// scaled is how long to wait, which tests and demonstrations shorten.
func (c Config) scaled(wait time.Duration) time.Duration {
	return wait / time.Duration(max(1, c.Tuning.TimeScale))
}

// CallbackURL is where Bitrix24 is to send events; "" where it cannot reach us.
func (c Config) CallbackURL() string {
	if c.PublicURL == "" {
		return ""
	}
	return c.PublicURL + leads.CallbackPath
}

// RedirectURL is where a log-in comes back; "" where Bitrix24 cannot reach us.
func (c Config) RedirectURL() string {
	if c.PublicURL == "" {
		return ""
	}
	return c.PublicURL + leads.RedirectPath
}

// OAuth is the conversation with authorization servers as the settings' application.
func (c Config) OAuth() *bitrix24.OAuth {
	return &bitrix24.OAuth{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret, Trust: c.Trust, HTTP: bitrix24.NewHTTP(), Now: c.Now,
	}
}

// Location is the time zone of the settings. One that nobody knows is the machine's; `leadsync doctor` reports it.
func (c Config) Location() *time.Location {
	if zone, err := time.LoadLocation(c.Zone); err == nil && c.Zone != "" {
		return zone
	}
	return time.Local
}

// TimeOfDay is a time of day in a zone, the machine's where it comes from a setting.
type TimeOfDay struct {
	hour, minute int
	zone         *time.Location
}

// String is the time as a setting has it.
func (c TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", c.hour, c.minute) }

// stateKey signs the state of log-ins. It comes from the secret key, which all replicas
// share, and is none of its uses; nil without one.
func (c Config) stateKey() []byte {
	if c.SecretKey == nil {
		return nil
	}
	key, err := hkdf.Key(sha256.New, c.SecretKey, nil, "leadsync oauth state v1", sha256.Size)
	if err != nil {
		return nil // impossible for one hash of output
	}
	return key
}

// Next is the first moment after t that the clock shows this time.
func (c TimeOfDay) Next(t time.Time) time.Time {
	t = t.In(c.zone) // what was read from SQL is in UTC
	due := time.Date(t.Year(), t.Month(), t.Day(), c.hour, c.minute, 0, 0, t.Location())
	if !due.After(t) {
		due = time.Date(t.Year(), t.Month(), t.Day()+1, c.hour, c.minute, 0, 0, t.Location())
	}
	return due
}
