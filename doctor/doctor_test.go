package doctor_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats.go"

	"leadsync/guide"

	"leadsync/bitrix24"
	"leadsync/doctor"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.FixedZone("MSK", 3*3600))

func clock() time.Time { return now }

// wantLevel wants a finding with these words of a level, and what to do where something is wrong.
func wantLevel(t *testing.T, name string, c doctor.Check, level doctor.Level, words string) {
	t.Helper()
	found := doctor.Run(t.Context(), []doctor.Check{c})
	hit := slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Level == level && strings.Contains(f.Found+" "+f.Do+" "+f.Says, words)
	})
	for _, f := range found {
		if f.Check == "" || f.Level == doctor.Fault && f.Found == "" || !explained(t, f) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if !hit || doctor.Healthy(found) != (level != doctor.Fault) {
		t.Errorf("%s: want %s with %q: %+v", name, level, words, found)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	well := doctor.Settings{PublicURL: "https://leads.example.com", SecretKey: true, Nightly: true, Alarms: true}
	for name, c := range map[string]struct {
		change func(*doctor.Settings)
		level  doctor.Level
		words  string
	}{
		"well":              {func(*doctor.Settings) {}, doctor.OK, "can be read"},
		"no public address": {func(s *doctor.Settings) { s.PublicURL = "" }, doctor.Fault, "LEADSYNC_PUBLIC_URL"},
		"no key":            {func(s *doctor.Settings) { s.SecretKey = false }, doctor.Warning, "LEADSYNC_SECRET_KEY"},
		"an open file":      {func(s *doctor.Settings) { s.Exposed = "/etc/leadsync.env" }, doctor.Warning, "chmod 600 /etc/leadsync.env"},
		"no pass":           {func(s *doctor.Settings) { s.Nightly = false }, doctor.Warning, "LEADSYNC_RECONCILE_AT"},
		"no alarms":         {func(s *doctor.Settings) { s.Alarms = false }, doctor.Warning, "LEADSYNC_ALERT_URL"},
	} {
		s := well
		c.change(&s)
		wantLevel(t, name, doctor.CheckSettings(s), c.level, c.words)
	}
}

func TestMachine(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	wantLevel(t, "no directory", doctor.CheckDirectory(dir), doctor.Warning, "does not exist")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	wantLevel(t, "a directory", doctor.CheckDirectory(dir), doctor.OK, "written")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	wantLevel(t, "an open directory", doctor.CheckDirectory(dir), doctor.Warning, "chmod 700")
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantLevel(t, "a file", doctor.CheckDirectory(file), doctor.Fault, "not a directory")
	for room, level := range map[int64]doctor.Level{10 << 20: doctor.Fault, 1 << 30: doctor.Warning, 10 << 30: doctor.OK, -1: doctor.Unknown} {
		wantLevel(t, "room", doctor.CheckRoom(dir, func(string) (int64, bool) { return room, room >= 0 }), level, "disk of "+dir)
	}
	wantLevel(t, "a pass", doctor.CheckZone(now, "Europe/Moscow"), doctor.OK, "+03:00")
	wantLevel(t, "a pass in UTC", doctor.CheckZone(now.UTC(), ""), doctor.Warning, "TZ")
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	wantLevel(t, "London in winter", doctor.CheckZone(now.In(london), "Europe/London"), doctor.OK, "GMT")
	wantLevel(t, "an unknown zone", doctor.CheckZone(now.UTC(), "Europe/Moskow"), doctor.Fault, "Europe/Moskow")
	wantLevel(t, "no pass", doctor.CheckZone(time.Time{}, ""), doctor.Warning, "LEADSYNC_RECONCILE_AT")
}

func TestPublicAddress(t *testing.T) {
	t.Parallel()
	status := http.StatusMethodNotAllowed
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.UserAgent() != leads.ExaminerAgent {
			t.Errorf("asked as %q: the service would count a callback gone astray", r.UserAgent())
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	defer target.Close()
	client := target.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	end := target.Certificate().NotAfter
	at := end.Add(-100 * 24 * time.Hour)
	well := doctor.Address{
		URL: target.URL, HTTP: client, Now: func() time.Time { return at },
		Resolve: func(context.Context, string) ([]net.IP, error) { return []net.IP{net.IPv4(203, 0, 113, 5)}, nil },
	}
	wantLevel(t, "well", doctor.CheckAddress(well), doctor.OK, "it answers")
	for status = range map[int]bool{http.StatusOK: true, http.StatusFound: true, http.StatusBadGateway: true, http.StatusNotFound: true, http.StatusUnauthorized: true} {
		wantLevel(t, http.StatusText(status), doctor.CheckAddress(well), doctor.Fault, "it ")
	}
	status = http.StatusMethodNotAllowed
	at = end.Add(-24 * time.Hour)
	wantLevel(t, "a certificate near its end", doctor.CheckAddress(well), doctor.Warning, "renew")
	for name, ended := range map[string]time.Time{"a certificate that has ended": time.Now().Add(-time.Hour)} {
		old := outdated(t, ended)
		expired := well
		expired.URL, expired.HTTP = old.URL, old.Client()
		wantLevel(t, name, doctor.CheckAddress(expired), doctor.Fault, "renew")
	}
	stranger := well
	stranger.HTTP = &http.Client{}
	wantLevel(t, "an unknown certificate", doctor.CheckAddress(stranger), doctor.Fault, "does not answer")
	transport, ok := target.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatalf("%T", target.Client().Transport)
	}
	anywhere := transport.Clone()
	anywhere.TLSClientConfig.InsecureSkipVerify = true // the certificate is not for these hosts
	anywhere.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", target.Listener.Addr().String())
	}
	for _, address := range []struct {
		host  string
		is    net.IP
		level doctor.Level
		words string
	}{
		{"leads.example.com", net.IPv4(192, 168, 0, 9), doctor.Warning, "leads.example.com is 192.168.0.9 here, an address of a private network"},
		{"leads.example.com", net.IPv4(203, 0, 113, 5), doctor.OK, "leads.example.com is 203.0.113.5 "},
		{"127.0.0.1", net.IPv4(127, 0, 0, 1), doctor.Warning, "127.0.0.1 is an address of a private network"},
		{"203.0.113.5", net.IPv4(203, 0, 113, 5), doctor.OK, "203.0.113.5 is a public address"},
	} {
		a := well
		a.URL, a.HTTP = "https://"+address.host, &http.Client{Transport: anywhere}
		a.Resolve = func(context.Context, string) ([]net.IP, error) { return []net.IP{address.is}, nil }
		wantLevel(t, address.host, doctor.CheckAddress(a), address.level, address.words)
	}
	nowhere := well
	nowhere.Resolve = func(context.Context, string) ([]net.IP, error) {
		return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
	}
	wantLevel(t, "no name", doctor.CheckAddress(nowhere), doctor.Fault, "no address in DNS")
	for _, err := range []error{&net.DNSError{Err: "i/o timeout", IsTimeout: true}, &net.DNSError{Err: "server misbehaving", IsTemporary: true}, context.DeadlineExceeded} {
		silent := well
		silent.Resolve = func(context.Context, string) ([]net.IP, error) { return nil, err }
		wantLevel(t, "a silent DNS server", doctor.CheckAddress(silent), doctor.Unknown, err.Error())
	}
	wantLevel(t, "none", doctor.CheckAddress(doctor.Address{}), doctor.Unknown, "there is none")
	early := well
	early.Early = true
	for status = range map[int]bool{http.StatusBadGateway: true, http.StatusServiceUnavailable: true} {
		wantLevel(t, "a proxy before the start", doctor.CheckAddress(early), doctor.Unknown, "does not run yet: leadsync doctor looks again after the start")
	}
	status = http.StatusNotFound
	wantLevel(t, "another program before the start", doctor.CheckAddress(early), doctor.Fault, "404")
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close() // nobody listens there any more
	early.URL = closed.URL
	wantLevel(t, "nobody before the start", doctor.CheckAddress(early), doctor.Unknown, "does not run yet")
	early.Early = false
	wantLevel(t, "nobody", doctor.CheckAddress(early), doctor.Fault, "does not answer")
}

// outdated is a server whose certificate ended then.
func outdated(t *testing.T, ended time.Time) *httptest.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: ended.AddDate(-1, 0, 0), NotAfter: ended, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestClock(t *testing.T) {
	t.Parallel()
	for skew, level := range map[time.Duration]doctor.Level{0: doctor.OK, -4 * time.Second: doctor.OK, 30 * time.Second: doctor.Warning, -time.Hour: doctor.Fault} {
		ask := func(context.Context) (time.Time, string, error) { return now.Add(skew), "portal", nil }
		wantLevel(t, skew.String(), doctor.CheckClock(clock, ask), level, "portal")
	}
	none := func(context.Context) (time.Time, string, error) { return time.Time{}, "", nil }
	wantLevel(t, "no portal", doctor.CheckClock(clock, none), doctor.Unknown, "no portal")
	silent := func(context.Context) (time.Time, string, error) { return time.Time{}, "", errors.New("timeout") }
	wantLevel(t, "a silent portal", doctor.CheckClock(clock, silent), doctor.Unknown, "timeout")
}

// database is one as a test wants it.
type database struct {
	down       error
	pending    []string
	conditions []repo.Condition
}

func (d database) Ping(context.Context) error                       { return d.down }
func (d database) Dialect() string                                  { return "sqlserver" }
func (d database) MigrationPlan(context.Context) ([]string, error)  { return d.pending, nil }
func (d database) Health(context.Context) ([]repo.Condition, error) { return d.conditions, nil }

func TestDatabase(t *testing.T) {
	t.Parallel()
	of := func(severity repo.Severity, found string) database {
		return database{conditions: []repo.Condition{{Check: "x", Severity: severity, Found: found, Do: "do this"}}}
	}
	wantLevel(t, "well", doctor.CheckDatabase(database{}), doctor.OK, "those of this version")
	wantLevel(t, "down", doctor.CheckDatabase(database{down: errors.New("refused")}), doctor.Fault, "refused")
	wantLevel(t, "old tables", doctor.CheckDatabase(database{pending: []string{"00017_x"}}), doctor.Fault, "leadsync migrate")
	lacks := of(repo.Stops, "the login lacks SELECT on dbo.bitrix_leads")
	lacks.conditions[0].Check = repo.CheckRights
	wantLevel(t, "a right to a table is missing", doctor.CheckDatabase(lacks), doctor.Fault, "lacks SELECT")
	lacks.pending = []string{"00001_adopt"}
	wantLevel(t, "no tables yet", doctor.CheckDatabase(lacks), doctor.Fault, "leadsync migrate")
	if found := fmt.Sprint(doctor.Run(t.Context(), []doctor.Check{doctor.CheckDatabase(lacks)})); strings.Contains(found, "lacks SELECT") || !strings.Contains(found, "unknown whether the login has the rights") {
		t.Errorf("of tables that do not exist: %s", found)
	}
	wantLevel(t, "a right is missing", doctor.CheckDatabase(of(repo.Stops, "lacks DELETE")), doctor.Fault, "do this")
	wantLevel(t, "readers wait", doctor.CheckDatabase(of(repo.Warns, "RCSI")), doctor.Warning, "do this")
	wantLevel(t, "a fact", doctor.CheckDatabase(of(repo.Tells, "version 16")), doctor.OK, "version 16")
	wantLevel(t, "the server's words alone", doctor.CheckDatabase(database{down: errors.New("mssql: no")}), doctor.Fault, "does not answer as it should")
	wantLevel(t, "not allowed to ask", doctor.CheckDatabase(of(repo.Tells, "not checked: permission")), doctor.Unknown, "permission")
}

func TestNATS(t *testing.T) {
	t.Parallel()
	idle, wanted := errors.New("idle"), 0
	check := func(embedded bool, state events.State, err error) doctor.Check {
		return doctor.CheckNATS(doctor.NATS{
			Embedded: embedded, Wanted: wanted, Idle: func(err error) bool { return errors.Is(err, idle) },
			State: func(context.Context) (events.State, error) { return state, err },
		})
	}
	of := func(version, cluster string, replicas, lagging int) events.State {
		return events.State{Version: version, Cluster: cluster, Streams: []events.StreamState{{Name: "LEADS", Replicas: replicas, Lagging: lagging}}}
	}
	well := of("2.15.2", "", 1, 0)
	wantLevel(t, "embedded", check(true, well, nil), doctor.OK, "on disk before")
	wantLevel(t, "no service", check(true, events.State{}, idle), doctor.OK, "does not run now")
	wantLevel(t, "an embedded server that does not answer", check(true, events.State{}, errors.New("refused")), doctor.Fault, "/readyz")
	wantLevel(t, "a server of its own", check(false, well, nil), doctor.Unknown, "sync_interval")
	wantLevel(t, "an old server", check(false, of("2.10.4", "", 1, 0), nil), doctor.Fault, "2.10.4")
	wantLevel(t, "one copy in a cluster", check(false, of("2.15.2", "c", 1, 0), nil), doctor.Warning, "LEADSYNC_NATS_REPLICAS=3")
	wanted = 3
	wantLevel(t, "one copy where three are wanted", check(false, well, nil), doctor.Warning, "LEADS (1)")
	wantLevel(t, "three copies", check(false, of("2.15.2", "c", 3, 0), nil), doctor.OK, "copies of each stream: 3")
	wantLevel(t, "a copy is behind", check(false, of("2.15.2", "c", 3, 1), nil), doctor.Warning, "behind")
	wantLevel(t, "not reached", check(false, events.State{}, errors.New("refused")), doctor.Fault, "refused")
	wantLevel(t, "what is not allowed", check(false, events.State{}, fmt.Errorf("look: %w: %w", &events.DeniedError{What: `Publish to "$KV.x"`}, context.DeadlineExceeded)), doctor.Fault, "all rights")
	wantLevel(t, "no JetStream", check(false, events.State{}, fmt.Errorf("look: %w", nats.ErrNoResponders)), doctor.Fault, "switch JetStream on")
	wantLevel(t, "a file of the log-in", check(false, events.State{}, guide.At(guide.Settings, errors.New("LEADSYNC_NATS_CA: no"))), doctor.Fault, "LEADSYNC_NATS_CA")
	wantLevel(t, "small messages", check(false, events.State{}, guide.At(guide.NATSLogIn, errors.New("raise max_payload"))), doctor.Fault, "raise max_payload")
	wantLevel(t, "a stranger's stream", check(false, events.State{}, &events.ForeignError{Stream: "LEADS", Subjects: []string{"crm.>", "x"}}), doctor.Fault, "(subjects: crm.>, x) was not made by leadsync")
	missing := check(false, events.State{}, fmt.Errorf("%w (LEADS is missing)", events.ErrNoStreams))
	wantLevel(t, "no streams", missing, doctor.Warning, "no streams of leadsync yet start `leadsync serve`")
	wantLevel(t, "the stream that is missing", missing, doctor.Warning, "LEADS is missing")
}

// activePortal is one whose addresses are Bitrix24's.
func activePortal(memberID, domain string) leads.Portal {
	return leads.Portal{MemberID: memberID, Domain: domain, State: leads.PortalActive, ClientEndpoint: "https://" + domain + "/rest/", ServerEndpoint: "https://oauth.bitrix.info/rest/"}
}

// trust is that of settings which name no further server.
var trust = bitrix24.Trust{}

// store has one portal.
type store struct {
	portals  []leads.Portal
	standing leads.Standing
	grants   []leads.Grant
	failed   error // of reading the grants
}

func (s store) Portals(context.Context) ([]leads.Portal, error) { return s.portals, nil }
func (s store) Standing(context.Context, string) (leads.Standing, bool, error) {
	return s.standing, true, nil
}

func (s store) Grants(ctx context.Context, _ string) ([]leads.Grant, error) {
	return s.grants, errors.Join(s.failed, ctx.Err())
}

func TestPortals(t *testing.T) {
	t.Parallel()
	const handler = "https://leads.example.com/bitrix24/events"
	var bound []string
	for _, event := range bitrix24.Bound {
		bound = append(bound, string(event)+" "+handler)
	}
	for name, c := range map[string]struct {
		change  func(*store)
		answers map[string]string
		level   doctor.Level
		words   string
	}{
		"well":                          {nil, nil, doctor.OK, "an administrator's"},
		"no portal":                     {func(s *store) { s.portals = nil }, nil, doctor.Warning, "none is connected"},
		"tokens refused":                {func(s *store) { s.portals[0].State = leads.PortalNeedsAuthorization }, nil, doctor.Fault, "open"},
		"removed":                       {func(s *store) { s.portals[0].State = leads.PortalUninstalled }, nil, doctor.OK, "removed"},
		"a problem":                     {func(s *store) { s.standing.Problem = "OVERLOAD_LIMIT" }, nil, doctor.Fault, "OVERLOAD_LIMIT"},
		"served by nobody":              {func(s *store) { s.standing.BeatAt = now.Add(-time.Hour) }, nil, doctor.Warning, "serve"},
		"old knowledge":                 {func(s *store) { s.standing.BeatAt, s.standing.Problem = now.Add(-time.Hour), "OVERLOAD_LIMIT" }, nil, doctor.Warning, "its problem then: OVERLOAD_LIMIT"},
		"never served":                  {func(s *store) { s.standing.BeatAt = time.Time{} }, nil, doctor.Warning, "yet"},
		"old bindings":                  {func(s *store) { s.standing.BoundAt, s.standing.Bound = now.Add(-240*time.Hour), nil }, nil, doctor.Unknown, "since 2026-11-16 12:00 +03:00"},
		"bindings that nobody looks at": {func(s *store) { s.standing.BeatAt, s.standing.Bound = now.Add(-time.Hour), nil }, nil, doctor.Unknown, "which events are bound"},
		"an ended login":                {func(s *store) { s.grants[0].ExpiresAt = now.Add(-300 * 24 * time.Hour) }, nil, doctor.Fault, "log-in ended on"},
		"damaged tokens":                {func(s *store) { s.failed = errors.New("damaged") }, nil, doctor.Fault, "open"},
		"a lost database":               {func(s *store) { s.failed = leads.ErrUnavailable }, nil, doctor.Unknown, "did not give the tokens"},
		"an odd authority":              {nil, map[string]string{"client": "none"}, doctor.Unknown, "never issued"},
		"an event is missing":           {func(s *store) { s.standing.Bound = bound[1:] }, nil, doctor.Fault, "rebind"},
		"no offline queue":              {func(s *store) { s.standing.Bound = bound }, nil, doctor.Unknown, "offline"},
		"no tokens":                     {func(s *store) { s.grants = nil }, nil, doctor.Fault, "no tokens"},
		"an old login":                  {func(s *store) { s.grants[0].ExpiresAt = now.Add(-170 * 24 * time.Hour) }, nil, doctor.Warning, "log-in ends"},
		"its rights":                    {func(s *store) { s.grants[0].ExpiresAt = now.Add(-170 * 24 * time.Hour) }, nil, doctor.Unknown, "permissions, administrator and plan: not asked"},
		"an old token":                  {func(s *store) { s.grants[0].ExpiresAt = now.Add(-time.Hour) }, nil, doctor.Unknown, "expired"},
		"no permission":                 {nil, map[string]string{"scope": `["task"]`}, doctor.Fault, "CRM"},
		"silent":                        {nil, map[string]string{"scope": ""}, doctor.Fault, "does not answer"},
		"no administrator":              {nil, map[string]string{"user.admin": "false"}, doctor.Fault, "not an administrator's"},
		"an unknown client":             {nil, map[string]string{"client": "WRONG_CLIENT"}, doctor.Fault, "LEADSYNC_B24_CLIENT_ID"},
		"no client id":                  {nil, map[string]string{"client": "no id"}, doctor.Fault, "no client id is set"},
		"a wrong secret":                {nil, map[string]string{"client": "INVALID_CLIENT"}, doctor.Fault, "LEADSYNC_B24_CLIENT_SECRET"},
		"a right secret":                {nil, nil, doctor.OK, "client id and secret are right"},
		"no answer of theirs":           {nil, map[string]string{"client": ""}, doctor.Unknown, "client id and secret"},
		"a webhook":                     {func(s *store) { s.portals[0].WebhookURL, s.portals[0].TokenHash = "https://x/rest/1/s/", "h" }, nil, doctor.Unknown, "webhook"},
		"a webhook's token":             {func(s *store) { s.portals[0].WebhookURL = "https://x/rest/1/s/" }, nil, doctor.Fault, "LEADSYNC_B24_APPLICATION_TOKEN"},
	} {
		s := store{
			portals:  []leads.Portal{activePortal("m", "company.bitrix24.com")},
			standing: leads.Standing{Bound: append(slices.Clone(bound), "ONCRMLEADADD offline"), BoundAt: now, BeatAt: now},
			grants:   []leads.Grant{{MemberID: "m", AccessToken: "t", ExpiresAt: now.Add(time.Hour)}},
		}
		if c.change != nil {
			c.change(&s)
		}
		answers := map[string]string{"client": "INVALID_GRANT", "scope": `["crm","user"]`, "user.admin": "true", "app.info": `{"LICENSE":"ru_ent","LICENSE_FAMILY":"ent"}`}
		maps.Copy(answers, c.answers)
		call := func(_ context.Context, _ leads.Portal, _ leads.Secret, method string) (json.RawMessage, error) {
			if answers[method] == "" {
				return nil, errors.New("timeout")
			}
			return json.RawMessage(answers[method]), nil
		}
		try := func(context.Context, leads.Portal) error {
			switch answers["client"] {
			case "":
				return errors.New("timeout")
			case "none":
				return nil
			case "no id":
				return doctor.ErrNoClient
			}
			return &bitrix24.Error{Code: answers["client"]}
		}
		wantLevel(t, name, doctor.CheckPortals(doctor.Portals{Store: s, CallbackURL: handler, PublicURL: "https://leads.example.com", Trust: trust, Now: clock, Call: call, Client: try}), c.level, c.words)
		if c.change == nil && c.answers == nil {
			nowhere := doctor.CheckPortals(doctor.Portals{Store: s, Trust: trust, Now: clock, Call: call, Client: try})
			wantLevel(t, "no public address", nowhere, doctor.Fault, "LEADSYNC_PUBLIC_URL is not set")
		}
	}
}

// Of portals that do not answer nothing is known, and the others have their time all the same.
func TestSilentPortalsTakeNoTimeFromOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := store{standing: leads.Standing{BeatAt: now}, grants: []leads.Grant{{AccessToken: "t", ExpiresAt: now.Add(time.Hour)}}}
		for i := range 10 {
			s.portals = append(s.portals, activePortal(strconv.Itoa(i), fmt.Sprintf("p%d.bitrix24.com", i)))
		}
		call := func(ctx context.Context, p leads.Portal, _ leads.Secret, method string) (json.RawMessage, error) {
			if p.MemberID < "6" {
				<-ctx.Done()
			}
			return json.RawMessage(map[string]string{"scope": `["crm"]`, "user.admin": "true"}[method]), ctx.Err()
		}
		p := doctor.Portals{Store: s, Now: clock, Call: call, Client: func(ctx context.Context, _ leads.Portal) error { return &bitrix24.Error{Code: "INVALID_GRANT"} }}
		began := time.Now()
		found := doctor.Run(t.Context(), []doctor.Check{doctor.CheckPortals(p)})
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
		for _, portal := range s.portals {
			words := map[bool]string{true: "no answer from the portal", false: "has given the permission CRM"}[portal.MemberID < "6"]
			if !slices.ContainsFunc(found, func(f doctor.Finding) bool {
				return strings.HasPrefix(f.Found, portal.Domain) && strings.Contains(f.Found, words)
			}) {
				t.Errorf("%s: nothing with %q", portal.Domain, words)
			}
		}
		for _, f := range found {
			if f.Level == doctor.Fault {
				t.Errorf("a fault of a portal that was not looked at: %+v", f)
			}
		}
	})
}

// What was not looked at because the examination was stopped is unknown, whatever the check says.
func TestAStoppedExaminationFindsNoFaults(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	d := database{down: errors.New("the database hangs")}
	p := doctor.Portals{Store: store{portals: []leads.Portal{{Domain: "company.bitrix24.com", State: leads.PortalActive}}}, Now: clock}
	found := doctor.Run(ctx, []doctor.Check{doctor.CheckClock(clock, func(context.Context) (time.Time, string, error) { stop(); return now.Add(time.Hour), "portal", nil }), doctor.CheckDatabase(d), doctor.CheckPortals(p)})
	for _, f := range found {
		if f.Level != doctor.Unknown {
			t.Errorf("found %+v", f)
		}
	}
	if len(found) != 3 {
		t.Errorf("found %+v", found)
	}
}

// hangs waits until its time is over, as who never answers has it.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// slow is a database that answers until it is asked for one thing.
type slow struct {
	store
	at string
}

func (s slow) silence(ctx context.Context, at string) error {
	if s.at == at {
		return hangs(ctx)
	}
	return ctx.Err()
}

func (s slow) Portals(ctx context.Context) ([]leads.Portal, error) {
	return s.portals, s.silence(ctx, "portals")
}

func (s slow) Standing(ctx context.Context, _ string) (leads.Standing, bool, error) {
	return s.standing, true, s.silence(ctx, "standing")
}

func (s slow) Grants(ctx context.Context, _ string) ([]leads.Grant, error) {
	return s.grants, s.silence(ctx, "grants")
}

func (s slow) Ping(ctx context.Context) error { return s.silence(ctx, "ping") }
func (slow) Dialect() string                  { return "sqlserver" }
func (s slow) MigrationPlan(ctx context.Context) ([]string, error) {
	return nil, s.silence(ctx, "plan")
}

func (s slow) Health(ctx context.Context) ([]repo.Condition, error) {
	return nil, s.silence(ctx, "health")
}

// Where time runs out, the one who did not answer is named, and nobody else.
func TestWhoDidNotAnswerIsNamed(t *testing.T) {
	t.Parallel()
	const answered = "it answers, and has given the permission CRM"
	for _, c := range []struct {
		silent string
		want   []string // words of findings
	}{
		{"portals", []string{"which there are: no answer from the database within 20s"}},
		{"standing", []string{"what its owner has noted: no answer from the database within 10s"}},
		{"client", []string{"client id and secret are right: no answer from the authorization server within 10s", answered}},
		{"grants", []string{"administrator and plan: not asked: no answer from the database within 10s", "client id and secret are right"}},
		{"scope", []string{"which permissions it has given: no answer from the portal within 10s", "administrator and plan: not asked"}},
		{"user.admin", []string{"an administrator's: no answer from the portal within 10s", "plan ru_ent"}},
		{"app.info", []string{"its plan: no answer from the portal within 10s", "the tokens are an administrator's"}},
		{"ping", []string{"no answer from the database within 20s"}},
		{"plan", []string{"no answer from the database within 20s", "statistics: not asked: no answer from the database within 20s"}},
		{"health", []string{"no answer from the database within 20s", "the tables are those of this version"}},
		{"dns", []string{"whether it answers: no answer from DNS within 10s"}},
		{"address", []string{"no answer from leads.example.com within 20s"}},
		{"clock", []string{"no answer from company.bitrix24.com within 10s"}},
		{"nats", []string{"no answer from NATS within 20s"}},
	} {
		t.Run(c.silent, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				found := doctor.Run(t.Context(), checksOf(c.silent))
				for _, words := range c.want {
					if !slices.ContainsFunc(found, func(f doctor.Finding) bool { return strings.Contains(f.Found, words) }) {
						t.Errorf("%s is silent: nothing with %q in %+v", c.silent, words, found)
					}
				}
				for _, f := range found {
					if strings.Contains(f.Found, "deadline") || strings.Contains(f.Found, "the database") && !slices.Contains([]string{"portals", "standing", "grants", "ping", "plan", "health"}, c.silent) {
						t.Errorf("%s is silent: %+v", c.silent, f)
					}
				}
			})
		})
	}
}

// checksOf are checks of an installation in which one part never answers.
func checksOf(silent string) []doctor.Check {
	db := slow{store{
		portals:  []leads.Portal{activePortal("m", "company.bitrix24.com")},
		standing: leads.Standing{BeatAt: now}, grants: []leads.Grant{{AccessToken: "t", ExpiresAt: now.Add(time.Hour)}},
	}, silent}
	answers := map[string]string{"scope": `["crm"]`, "user.admin": "true", "app.info": `{"LICENSE":"ru_ent"}`}
	call := func(ctx context.Context, _ leads.Portal, _ leads.Secret, method string) (json.RawMessage, error) {
		return json.RawMessage(answers[method]), db.silence(ctx, method)
	}
	client := func(ctx context.Context, _ leads.Portal) error {
		return cmp.Or(db.silence(ctx, "client"), error(&bitrix24.Error{Code: "INVALID_GRANT"}))
	}
	resolve := func(ctx context.Context, _ string) ([]net.IP, error) {
		return []net.IP{net.IPv4(8, 8, 8, 8)}, db.silence(ctx, "dns")
	}
	ask := func(ctx context.Context) (at time.Time, who string, err error) {
		return now, "company.bitrix24.com", doctor.Ask(ctx, "company.bitrix24.com", func(ctx context.Context) error { return db.silence(ctx, "clock") })
	}
	return []doctor.Check{
		doctor.CheckPortals(doctor.Portals{Store: db, Now: clock, Call: call, Client: client}), doctor.CheckDatabase(db), doctor.CheckClock(clock, ask),
		doctor.CheckAddress(doctor.Address{URL: "https://leads.example.com", Resolve: resolve, HTTP: &http.Client{Transport: silentTransport{db}}, Now: clock}),
		doctor.CheckNATS(doctor.NATS{Idle: func(error) bool { return false }, State: func(ctx context.Context) (events.State, error) { return events.State{}, db.silence(ctx, "nats") }}),
	}
}

// silentTransport answers nothing, or as leadsync does.
type silentTransport struct{ db slow }

// RoundTrip implements http.RoundTripper.
func (t silentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.db.silence(r.Context(), "address"); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusMethodNotAllowed, Body: http.NoBody}, nil
}
