package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/bitrix24/emulator"
	"leadsync/doctor"
	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/service"
)

// examined runs doctor and reads what it prints.
func examined(t *testing.T, vars map[string]string) (code int, found []doctor.Finding) {
	t.Helper()
	var report struct {
		Healthy  bool
		Findings []doctor.Finding
	}
	code, stdout, stderr := command(t.Context(), t, vars, "doctor", "--json")
	if err := json.Unmarshal([]byte(stdout), &report); err != nil || report.Healthy != (code == exitOK) {
		t.Fatalf("exit %d, %v: %s%s", code, err, stdout, stderr)
	}
	return code, report.Findings
}

// finds tells whether doctor found this.
func finds(found []doctor.Finding, check string, level doctor.Level, words string) bool {
	return slices.ContainsFunc(found, func(f doctor.Finding) bool {
		return f.Check == check && f.Level == level && strings.Contains(f.Found+f.Do, words)
	})
}

// examination is an installation that a test breaks in one place after another.
type examination struct {
	t    *testing.T
	s    *testServer
	well map[string]bool // the lines of a healthy installation that are warnings all the same
}

// line is a finding without dates: the next nightly pass is on another day as soon as the clock, or one that is
// ten minutes ahead, has passed its time.
func line(f doctor.Finding) string {
	return f.Check + ": " + string(f.Level) + ": " + date.ReplaceAllString(f.Found, "")
}

var date = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)

// untilHealthy waits until nothing is a fault, and remembers what is a warning.
func (x *examination) untilHealthy(words string) {
	x.t.Helper()
	var found []doctor.Finding
	defer func() {
		if x.t.Failed() {
			x.t.Logf("%+v", found)
		}
	}()
	eventually(x.t, "all is well", func() bool {
		var code int
		code, found = examined(x.t, x.s.vars)
		return code == exitOK && finds(found, "portals", doctor.OK, words)
	})
	x.well = map[string]bool{}
	for _, f := range found {
		x.well[line(f)] = true
	}
}

// breaks wants that with these settings exactly these checks have become worse, the first with
// such a finding, and that each line that is worse says what to do.
func (x *examination) breaks(what string, more map[string]string, level doctor.Level, words string, checks ...string) {
	x.t.Helper()
	vars := maps.Clone(x.s.vars)
	maps.Copy(vars, more)
	code, found := examined(x.t, vars)
	x.worse(what, found, level, words, checks...)
	if (code == exitFailure) != (level == doctor.Fault) {
		x.t.Errorf("%s: exit %d", what, code)
	}
}

func (x *examination) worse(what string, found []doctor.Finding, level doctor.Level, words string, checks ...string) {
	x.t.Helper()
	if !finds(found, checks[0], level, words) {
		x.t.Errorf("%s: no %s of %s with %q: %+v", what, level, checks[0], words, found)
	}
	for _, f := range found {
		if f.Level == doctor.OK || f.Level == doctor.Unknown || x.well[line(f)] {
			continue
		}
		if !slices.Contains(checks, f.Check) {
			x.t.Errorf("%s: also worse: %+v", what, f)
		}
		if f.Do == "" && f.Check != "nats" { // an error of NATS says it itself
			x.t.Errorf("%s: nobody hears what to do: %+v", what, f)
		}
	}
}

// contents are all rows of the database, and the files of the data directory.
func (s *testServer) contents(t *testing.T) string {
	t.Helper()
	raw := s.rawDB(t)
	var text strings.Builder
	for _, table := range texts(t, raw, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
		text.WriteString(table[0] + "\n")
		for _, row := range texts(t, raw, "SELECT * FROM "+table[0]) {
			text.WriteString(strings.Join(row, "|") + "\n")
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(s.vars["LEADSYNC_DATA_DIR"], func(path string, _ fs.DirEntry, err error) error {
		text.WriteString(path + "\n")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// texts are the rows of a question.
func texts(t *testing.T, db *sql.DB, question string) (all [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), question)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			row[i] = v.String
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// Doctor finds a running service well, changes nothing, and finds what is broken: that, and nothing
// else.
func TestDoctorExaminesAnInstallation(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 20, Seed: 3})
	s := startServe(t, p, map[string]string{"LEADSYNC_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="})
	fresh := maps.Clone(s.vars)
	fresh["LEADSYNC_DATA_DIR"] = t.TempDir()
	if code, found := examined(t, fresh); code != exitOK || !finds(found, "database", doctor.Warning, "does not exist") {
		t.Errorf("before the first start, exit %d: %+v", code, found)
	}
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	db := s.mirror(t)
	s.untilImported(t, db)
	x := &examination{t: t, s: s}
	x.untilHealthy("served")
	_, found := examined(t, s.vars)
	for check, words := range map[string]string{
		"nats": "version", "database": "those of this version", "clock": "differs", "public address": "it answers", "portals": "administrator's", "settings": "can be read",
	} {
		if !finds(found, check, doctor.OK, words) {
			t.Errorf("%s is not found well: %+v", check, found)
		}
	}
	x.leavesTheOwnerAlone()
	x.settingsThatAreWrong()
	x.portalsThatAreBroken()
	if code := s.stop(); code != exitOK {
		t.Fatalf("serve ended with %d", code)
	}
	x.withoutTheService()
}

// leavesTheOwnerAlone: owner, number and tokens stay, and the portal is asked little.
func (x *examination) leavesTheOwnerAlone() {
	db, raw := x.s.mirror(x.t), x.s.rawDB(x.t)
	look := func() (leads.Standing, [][]string) {
		s, _, err := db.Standing(x.t.Context(), x.s.member())
		if err != nil {
			x.t.Fatal(err)
		}
		return s, texts(x.t, raw, "SELECT * FROM bitrix_oauth")
	}
	before, tokens := look()
	if code, _ := examined(x.t, x.s.vars); code != exitOK {
		x.t.Errorf("exit %d", code)
	}
	after, same := look()
	if before.Owner != after.Owner || before.Epoch != after.Epoch || after.Problem != "" || !reflect.DeepEqual(tokens, same) {
		x.t.Errorf("before %+v, after %+v; tokens changed: %v", before, after, !reflect.DeepEqual(tokens, same))
	}
}

func (x *examination) settingsThatAreWrong() {
	t := x.t
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer other.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	x.breaks("another program", map[string]string{"LEADSYNC_PUBLIC_URL": other.URL}, doctor.Fault, "it answers 200", "public address", "portals")
	other.Close()
	x.breaks("nobody answers", map[string]string{"LEADSYNC_PUBLIC_URL": other.URL}, doctor.Fault, "does not answer", "public address", "portals")
	x.breaks("a wrong secret", map[string]string{"LEADSYNC_B24_CLIENT_SECRET": "wrong"}, doctor.Fault, "LEADSYNC_B24_CLIENT_SECRET", "portals")
	x.breaks("an unknown zone", map[string]string{"TZ": "Europe/Moskow"}, doctor.Fault, "Europe/Moskow", "nightly pass")
	x.breaks("a file for a directory", map[string]string{
		"LEADSYNC_DATA_DIR": file, "LEADSYNC_DATABASE_URL": "sqlite:" + filepath.Join(x.s.vars["LEADSYNC_DATA_DIR"], "leadsync.db"),
	}, doctor.Fault, "not a directory", "data directory")
	x.breaks("no database server", map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:hunter2@127.0.0.1:1?database=oktell&dial+timeout=1"}, doctor.Fault, "check host and port", "database")
	x.breaks("another secret key", map[string]string{"LEADSYNC_SECRET_KEY": "ZDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}, doctor.Fault, "LEADSYNC_SECRET_KEY", "portals")
	x.natsThatIsWrong()
	cfg, err := service.ReadConfig(environmentOf(x.s.vars))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Tuning.Clock = func() time.Time { return time.Now().Add(10 * time.Minute) }
	x.worse("a clock ten minutes ahead", service.Examine(t.Context(), cfg, leadstest.Silent(), func(string) {}), doctor.Fault, "time server", "clock", "portals")
}

// natsThatIsWrong examines servers with a stranger's stream, and with one copy where three are wanted.
func (x *examination) natsThatIsWrong() {
	t := x.t
	ours, strange := eventstest.Run(t, eventstest.Options(t))[0], eventstest.Run(t, eventstest.Options(t))[0]
	nc, err := events.Connect(events.Server{URL: strange.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "LEADS", Subjects: []string{"sales.>"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	x.breaks("a stranger's stream", map[string]string{"LEADSYNC_NATS_URL": strange.ClientURL()}, doctor.Fault, "not made by leadsync", "nats")
	vars := map[string]string{"LEADSYNC_NATS_URL": ours.ClientURL()}
	x.breaks("no streams", vars, doctor.Warning, "no streams", "nats")
	bus := eventstest.Connect(t, func() (*nats.Conn, error) { return nats.Connect(ours.ClientURL()) })
	eventstest.Insist(t, func(ctx context.Context) error { return events.Setup(ctx, bus, 1) })
	x.breaks("well", vars, doctor.OK, "copies of each stream: 1", "nats")
	vars["LEADSYNC_NATS_REPLICAS"] = "3"
	x.breaks("one copy of three", vars, doctor.Warning, "LEADSYNC_NATS_REPLICAS", "nats")
}

func (x *examination) portalsThatAreBroken() {
	user, err := strconv.Atoi(texts(x.t, x.s.rawDB(x.t), "SELECT user_id FROM bitrix_oauth")[0][0])
	if err != nil {
		x.t.Fatal(err)
	}
	for words, faults := range map[string]emulator.Faults{
		"permission CRM is missing": {ScopeTaken: "crm"}, "not an administrator's": {Demoted: user},
	} {
		x.s.portal.SetFaults(faults)
		x.breaks(words, nil, doctor.Fault, words, "portals")
		x.s.portal.SetFaults(emulator.Faults{})
		x.untilHealthy("served")
	}
}

// withoutTheService changes nothing, and finds what is wrong in the database.
func (x *examination) withoutTheService() {
	t, s := x.t, x.s
	x.breaks("the service is stopped", nil, doctor.Fault, "start the service", "public address", "portals")
	before := s.contents(t)
	_, found := examined(t, s.vars)
	if after := s.contents(t); after != before || !finds(found, "nats", doctor.OK, "does not run now") {
		t.Errorf("before:\n%s\nafter:\n%s\n%+v", before, after, found)
	}
	for _, f := range found { // the service is stopped, and stays so
		x.well[line(f)] = true
	}
	s.exec(t, "UPDATE leadsync_portals SET bound_events = ''")
	s.exec(t, "UPDATE leadsync_owners SET beat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')") // what nobody has looked at for a minute is unknown
	x.breaks("bindings are missing", nil, doctor.Fault, "ONCRMLEADADD", "portals")
	s.exec(t, "UPDATE leadsync_portals SET state = 'needs_authorization'")
	x.breaks("tokens are refused", nil, doctor.Fault, "/bitrix24/oauth/start", "portals")
	s.exec(t, "DELETE FROM leadsync_migrations WHERE version_id = (SELECT MAX(version_id) FROM leadsync_migrations)")
	x.breaks("an older database", nil, doctor.Fault, "leadsync migrate", "database", "portals")
}

// A test message shows whether alarms arrive.
func TestDoctorSendsATestMessage(t *testing.T) {
	t.Parallel()
	got := make(chan map[string]any, 1)
	target := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m map[string]any
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		got <- m
	}))
	defer target.Close()
	vars := map[string]string{"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_ALERT_URL": target.URL}
	if code, stdout, stderr := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitOK || !strings.Contains(stdout, "accepted") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
	if m := <-got; m["status"] != "test" {
		t.Errorf("sent %v", m)
	}
	target.Close()
	if code, stdout, _ := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitFailure || !strings.Contains(stdout, "fault") {
		t.Errorf("nobody listens, exit %d: %s", code, stdout)
	}
	delete(vars, "LEADSYNC_ALERT_URL")
	if code, stdout, _ := command(t.Context(), t, vars, "doctor", "--test-alert"); code != exitFailure || !strings.Contains(stdout, "LEADSYNC_ALERT_URL") {
		t.Errorf("no channel, exit %d: %s", code, stdout)
	}
}
