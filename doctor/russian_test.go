package doctor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/guide"

	"leadsync/bitrix24"
	"leadsync/doctor"
	"leadsync/events"
	"leadsync/handlers/console"
	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/repo"
)

// errOdd is an error that nobody has translated.
var errOdd = errors.New("the system was not amused")

// english are words that only English sentences have.
var english = regexp.MustCompile(`(?i)\b(?:the|was|were|and|or|of|by|for|not|is|its|has|from|since|because|cannot|if|to)\b`)

// wantRussian looks that all that is said of a finding is Russian; the error's own words may stand apart.
func wantRussian(t *testing.T, f doctor.Finding) {
	t.Helper()
	for _, text := range []string{f.Check, f.Found, f.Means, f.Do} {
		if said := console.RetoldPlain(language.Russian, text); english.MatchString(said) {
			t.Errorf("%q is told as %q", text, said)
		}
	}
}

// failing is a store and a database of which everything fails, or only the grants.
type failing struct {
	store
	err  error
	only string
}

func (f failing) of(what string) error {
	if f.only == "" || f.only == what {
		return f.err
	}
	return nil
}

func (f failing) Portals(context.Context) ([]leads.Portal, error) {
	return f.portals, f.of("portals")
}

func (f failing) Standing(context.Context, string) (leads.Standing, bool, error) {
	return f.standing, true, f.of("standing")
}

func (f failing) Grants(context.Context, string) ([]leads.Grant, error) {
	return f.grants, f.of("grants")
}
func (f failing) Ping(context.Context) error                      { return f.of("ping") }
func (failing) Dialect() string                                   { return "sqlserver" }
func (f failing) MigrationPlan(context.Context) ([]string, error) { return nil, f.of("plan") }
func (f failing) Health(context.Context) ([]repo.Condition, error) {
	return nil, f.of("health")
}

func (f failing) Preflight(context.Context) ([]repo.Condition, error) {
	return nil, f.of("preflight")
}

func failingStore(err error, only string) failing {
	return failing{store{
		portals: []leads.Portal{activePortal("m", "company.bitrix24.com")}, standing: leads.Standing{BeatAt: now},
		grants: []leads.Grant{{AccessToken: "t", ExpiresAt: now.Add(5 * time.Minute)}},
	}, err, only}
}

// failingTransport is one whose requests fail.
type failingTransport struct{ err error }

func (t failingTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, t.err }

// checksThatFail are all checks that pass an error on, each where err is what it gets.
func checksThatFail(t *testing.T, err error) (all map[string]doctor.Check) {
	t.Helper()
	all = map[string]doctor.Check{"preflight": doctor.CheckBeforeMigration(failingStore(err, ""))}
	for _, what := range []string{"ping", "plan", "health"} {
		all[what] = doctor.CheckDatabase(failingStore(err, what))
	}
	call := func(of string) func(context.Context, leads.Portal, leads.Secret, string) (json.RawMessage, error) {
		return func(_ context.Context, _ leads.Portal, _ leads.Secret, method string) (json.RawMessage, error) {
			if method == of {
				return nil, err
			}
			return json.RawMessage(map[string]string{"scope": `["crm"]`, "user.admin": "true", "app.info": `{"LICENSE":"ru_ent"}`}[method]), nil
		}
	}
	portals := func(only, method string, client error) doctor.Check {
		return doctor.CheckPortals(doctor.Portals{
			Store: failingStore(err, only), Now: clock, Call: call(method), PublicURL: "https://leads.example.com",
			Client: func(context.Context, leads.Portal) error { return client },
		})
	}
	for _, what := range []string{"portals", "standing", "grants"} {
		all[what] = portals(what, "", nil)
	}
	for _, method := range []string{"scope", "user.admin", "app.info"} {
		all[method] = portals("none", method, nil)
	}
	all["client"] = portals("none", "", err)
	address := func(resolve error) doctor.Check {
		return doctor.CheckAddress(doctor.Address{
			URL: "https://leads.example.com", Now: clock, HTTP: &http.Client{Transport: failingTransport{err}},
			Resolve: func(context.Context, string) ([]net.IP, error) { return []net.IP{net.IPv4(8, 8, 8, 8)}, resolve },
		})
	}
	all["DNS"], all["address"] = address(err), address(nil)
	all["clock"] = doctor.CheckClock(clock, func(context.Context) (at time.Time, who string, _ error) { return at, who, err })
	for name, embedded := range map[string]bool{"nats": false, "embedded": true} {
		all[name] = doctor.CheckNATS(doctor.NATS{Embedded: embedded, Idle: func(error) bool { return false }, State: func(context.Context) (events.State, error) { return events.State{}, err }})
	}
	return all
}

// An error that has no Russian stands apart from the sentence of each finding.
func TestErrorsStandApart(t *testing.T) {
	t.Parallel()
	for name, check := range checksThatFail(t, errOdd) {
		found := doctor.Run(t.Context(), []doctor.Check{check})
		if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return strings.Contains(f.Says, errOdd.Error()) }) {
			t.Errorf("%s: the error is nowhere: %+v", name, found)
		}
		for _, f := range found {
			wantRussian(t, f)
		}
	}
}

// Streams that are missing or somebody else's have all that is known of them, in Russian.
func TestStreamsAreToldInRussian(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"не разрешает пользователю": &events.DeniedError{What: "x"},
		"JetStream не отвечает":     nats.ErrNoResponders,
		"файл для входа":            guide.At(guide.Settings, errOdd),
		"но непригоден":             guide.At(guide.NATSLogIn, errOdd),
		"потоков leadsync":          fmt.Errorf("%w (LEADS is missing)", events.ErrNoStreams),
		"темы: crm.>, x":            &events.ForeignError{Stream: "LEADS", Subjects: []string{"crm.>", "x"}, Needed: "LEADS"},
	} {
		found := doctor.Run(t.Context(), []doctor.Check{checksThatFail(t, err)["nats"]})
		if len(found) != 1 || !strings.Contains(console.RetoldPlain(language.Russian, found[0].Found), want) || found[0].Do == "" {
			t.Errorf("%v: %+v", err, found)
		}
		wantRussian(t, found[0])
	}
}

// What nobody answers leadsync says itself, in Russian.
func TestSilenceIsToldInRussian(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	for name, check := range checksThatFail(t, doctor.Ask(ctx, "NATS", func(context.Context) error { stop(); return ctx.Err() })) {
		for _, f := range doctor.Run(t.Context(), []doctor.Check{check}) {
			if wantRussian(t, f); name != "address" && f.Says != "" { // net/http wraps it
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

// A portal that refuses all calls is told with who changes that where, and what Bitrix24 said stands apart.
func TestRefusalsAreToldInRussian(t *testing.T) {
	t.Parallel()
	refusal := &bitrix24.Error{Method: "scope", Code: "OVERLOAD_LIMIT", Description: "REST API is blocked", Advice: "portal company.bitrix24.com refuses every call: Bitrix24 has blocked the portal's REST API because of overload; ask Bitrix24's support to unblock it"}
	found := doctor.Run(t.Context(), []doctor.Check{checksThatFail(t, refusal)["scope"]})
	if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Level == doctor.Fault && strings.Contains(console.RetoldPlain(language.Russian, f.Found), "попросите поддержку") && f.Says == "scope: OVERLOAD_LIMIT: REST API is blocked"
	}) {
		t.Errorf("found %+v", found)
	}
	for _, f := range found {
		wantRussian(t, f)
	}
}

// A directory that cannot be used has the system's words apart.
func TestDirectoriesErrorsStandApart(t *testing.T) {
	t.Parallel()
	found := doctor.Run(t.Context(), []doctor.Check{doctor.CheckDirectory("a\x00b")})
	if len(found) != 1 || found[0].Says == "" {
		t.Errorf("found %+v", found)
	}
	wantRussian(t, found[0])
}

// Why a stored secret cannot be read is told in the reader's language, with what to do about it.
func TestStoredSecretsAreToldInRussian(t *testing.T) {
	t.Parallel()
	seal := func(key string) *repo.DB {
		db, err := repo.Open(t.Context(), repo.Config{URL: "sqlite:" + t.TempDir() + "/leads.db", SecretKey: []byte(key)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}
	theirs, ours, none := seal(strings.Repeat("a", 32)), seal(strings.Repeat("b", 32)), seal("")
	stored := theirs.Seal("token")
	for name, test := range map[string]struct {
		db       *repo.DB
		stored   string
		russian  string
		do       string
		portals  doctor.Level // where it is the portal's webhook
		headings string
	}{
		"another key": {ours, stored, "а задан ключ", "задайте в LEADSYNC_SECRET_KEY ключ", doctor.Fault, "stored-tokens"},
		"no key":      {none, stored, "а ключ не задан", "задайте в LEADSYNC_SECRET_KEY ключ", doctor.Fault, "stored-tokens"},
		"damaged":     {theirs, stored[:len(stored)-8], "повреждён", "откр", doctor.Unknown, "authorization"},
		"newer":       {theirs, "enc:v9:x", "эта версия не знает", "откр", doctor.Unknown, "authorization"},
	} {
		_, err := test.db.Unseal(test.stored)
		for _, only := range []string{"grants", "portals"} {
			found := doctor.Run(t.Context(), []doctor.Check{doctor.CheckPortals(doctor.Portals{
				Store: failingStore(errors.Join(err), only), Now: clock, PublicURL: "https://leads.example.com",
				Client: func(context.Context, leads.Portal) error { return &bitrix24.Error{Code: "INVALID_GRANT"} },
			})})
			for _, f := range found {
				wantRussian(t, f)
			}
			level := doctor.Fault
			if only == "portals" {
				level = test.portals
			}
			at := slices.IndexFunc(found, func(f doctor.Finding) bool {
				return f.Level == level && strings.Contains(console.RetoldPlain(language.Russian, f.Found), test.russian)
			})
			if at < 0 {
				t.Errorf("%s: of %s nothing with %q: %+v", name, only, test.russian, found)
			} else if do := console.RetoldPlain(language.Russian, found[at].Do); only == "grants" && (!strings.Contains(do, test.do) || !strings.Contains(found[at].See, test.headings)) {
				t.Errorf("%s: advised %q, see %q", name, do, found[at].See)
			}
		}
	}
}

// An address that serve does not trust is a finding, with the setting that would let it be trusted.
func TestUntrustedAddressesAreFound(t *testing.T) {
	t.Parallel()
	const emulator = "127.0.0.1:8924"
	for name, test := range map[string]struct {
		change func(*leads.Portal)
		trust  bitrix24.Trust
		want   []string // of the sentence, and of the advice
	}{
		"trusted":            {func(*leads.Portal) {}, trust, nil},
		"an emulator":        {func(p *leads.Portal) { p.ClientEndpoint = "http://" + emulator + "/rest/" }, trust, []string{"its address is not trusted: it is plain http at " + emulator, "add " + emulator + " to LEADSYNC_B24_INSECURE_HOSTS"}},
		"a trusted emulator": {func(p *leads.Portal) { p.ClientEndpoint = "http://" + emulator + "/rest/" }, bitrix24.Trust{Insecure: []string{emulator}}, nil},
		"its OAuth server":   {func(p *leads.Portal) { p.ServerEndpoint = "http://" + emulator + "/rest/" }, trust, []string{"its authorization server is not trusted: it is plain http at " + emulator, "LEADSYNC_B24_INSECURE_HOSTS"}},
		"another server":     {func(p *leads.Portal) { p.ServerEndpoint = "https://oauth.example.com/rest/" }, trust, []string{"its authorization server is not trusted: it is not Bitrix24's but oauth.example.com", "add oauth.example.com to LEADSYNC_B24_AUTH_HOSTS"}},
		"no address":         {func(p *leads.Portal) { p.ClientEndpoint = "" }, trust, []string{"its address is not trusted: what is stored is no address", "open"}},
	} {
		s := failingStore(nil, "none")
		test.change(&s.portals[0])
		untrusted := func(_ context.Context, p leads.Portal) error {
			_, err := test.trust.AuthServer(p.ServerEndpoint)
			return err
		}
		call := func(_ context.Context, p leads.Portal, _ leads.Secret, method string) (json.RawMessage, error) {
			_, err := test.trust.Endpoint(p.ClientEndpoint)
			return json.RawMessage(map[string]string{"scope": `["crm"]`, "user.admin": "true", "app.info": `{"LICENSE":"ru_ent"}`}[method]), err
		}
		found := doctor.Run(t.Context(), []doctor.Check{doctor.CheckPortals(doctor.Portals{Store: s, Trust: test.trust, Now: clock, Call: call, Client: untrusted, PublicURL: "https://leads.example.com"})})
		at := slices.IndexFunc(found, func(f doctor.Finding) bool { return strings.Contains(f.Found, "is not trusted: ") })
		if test.want == nil {
			if at >= 0 {
				t.Errorf("%s: %+v", name, found[at])
			}
			continue
		}
		if at < 0 || found[at].Level != doctor.Fault || !strings.Contains(found[at].Found, test.want[0]) || !strings.Contains(found[at].Do, test.want[1]) {
			t.Errorf("%s: %+v", name, found)
		}
		for _, f := range found {
			if wantRussian(t, f); f.Says != "" {
				t.Errorf("%s: said twice: %+v", name, f)
			}
		}
	}
}
