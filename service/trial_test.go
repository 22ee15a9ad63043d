package service

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/leads/leadstest"
	"leadsync/repo"

	_ "modernc.org/sqlite" // the driver
)

func TestDatabasesAreTriedWithoutChangingThem(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{DataDir: dir, DatabaseURL: "sqlite:" + filepath.Join(dir, "leadsync.db")}
	found, takeOver := TryDatabase(t.Context(), cfg, leadstest.Silent())
	if !doctor.Healthy(found) || takeOver || !strings.Contains(found[0].Found, "creates "+dir) {
		t.Errorf("none: %+v, %v", found, takeOver)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("made: %v, %v", left, err)
	}
	db, err := sql.Open("sqlite", filepath.Join(dir, "leadsync.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE x (y)"); err != nil {
		t.Fatal(err)
	}
	if found, _ = TryDatabase(t.Context(), cfg, leadstest.Silent()); !doctor.Healthy(found) {
		t.Errorf("one of others: %+v", found)
	}
	var tables int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM sqlite_schema").Scan(&tables); err != nil || tables != 1 {
		t.Errorf("%d tables, %v", tables, err)
	}
	cfg.DatabaseURL = "sqlserver://sa:hunter2@127.0.0.1:1?database=d&dial+timeout=1"
	if found, _ = TryDatabase(t.Context(), cfg, leadstest.Silent()); doctor.Healthy(found) || strings.Contains(found[0].Found, "hunter2") {
		t.Errorf("one that is down: %+v", found)
	}
}

func TestSQLServerIsTried(t *testing.T) {
	address := os.Getenv("LEADSYNC_TEST_SQLSERVER_URL")
	if address == "" && os.Getenv("LEADSYNC_TEST_REQUIRE") != "" {
		t.Fatal("LEADSYNC_TEST_SQLSERVER_URL is not set")
	}
	if address == "" {
		t.Skip("LEADSYNC_TEST_SQLSERVER_URL is not set")
	}
	found, _ := TryDatabase(t.Context(), Config{DataDir: t.TempDir(), DatabaseURL: address}, leadstest.Silent())
	if !strings.Contains(found[0].Found, "it answers (sqlserver)") || len(found) < 2 {
		t.Errorf("%+v", found)
	}
}

// refusing is the address of a server that cannot encrypt, and refuses each login with these errors.
func refusing(t *testing.T, numbers ...uint32) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var tokens []byte
	for _, number := range numbers {
		// ERROR: number, state, class, then the message, the server, the procedure and the line.
		body := append(binary.LittleEndian.AppendUint32(nil, number), 1, 14, 1, 0, 'n', 0, 0, 0, 1, 0, 0, 0)
		tokens = append(binary.LittleEndian.AppendUint16(append(tokens, 0xaa), uint16(len(body))), body...)
	}
	tokens = append(tokens, 0xfd, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // DONE, with an error
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096))
			// The answer to PRELOGIN: a version of six bytes, and 2 for "encryption is not supported".
			_, _ = conn.Write([]byte{4, 1, 0, 26, 0, 0, 1, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 255, 16, 0, 0, 0, 0, 0, 2})
			if n, _ := conn.Read(make([]byte, 4096)); n > 0 && len(numbers) > 0 {
				_, _ = conn.Write(append([]byte{4, 1, 0, byte(8 + len(tokens)), 0, 0, 1, 0}, tokens...))
			}
			_ = conn.Close()
		}
	}()
	return listener.Addr().String()
}

// Who mistyped a password need not start a server that has just answered.
func TestAdviceIsThatOfTheCause(t *testing.T) {
	for name, test := range map[string]struct{ address, want, russian string }{
		"a refused login":        {refusing(t, 18456), "check user and password, and that the server allows SQL Server authentication", "проверьте логин и пароль"},
		"a missing database":     {refusing(t, 4060, 18456), "check the database's name;", "проверьте имя базы;"}, // as SQL Server answers
		"nobody answers there":   {"127.0.0.1:1", "check host and port, that the server runs", "запустите сервер; проверьте его имя и порт"},
		"another error of login": {refusing(t, 17806), "ask the server's administrator", "обратитесь к администратору сервера"},
	} {
		cfg := Config{DataDir: t.TempDir(), DatabaseURL: "sqlserver://sa:hunter2@" + test.address + "?database=d&encrypt=disable&dial+timeout=1"}
		tried, _ := TryDatabase(t.Context(), cfg, leadstest.Silent())
		for by, f := range map[string]doctor.Finding{"init": tried[0], "doctor": databaseOf(t, cfg)} {
			russian := language.Format(language.Russian, "sentence", f.Do)
			if answers := test.address != "127.0.0.1:1"; strings.Contains(f.Found, "mssql: ") || answers != strings.HasPrefix(f.Says, "n (") {
				t.Errorf("%s: %s: the server's words are not apart: %+v", name, by, f)
			}
			if f.Level != doctor.Fault || !strings.HasPrefix(f.Do, test.want) || strings.Contains(f.Found, test.want) || !strings.HasPrefix(russian, test.russian) {
				t.Errorf("%s: %s: %+v, in Russian %q", name, by, f, russian)
			}
		}
	}
}

// databaseOf is what doctor finds of a database that does not open, on the page of a service: that has started without it.
func databaseOf(t *testing.T, cfg Config) doctor.Finding {
	t.Helper()
	cfg.NATSURL, cfg.TolerateOutages = Embedded, true
	found := Examine(t.Context(), cfg, leadstest.Silent(), func(string) {})
	return found[len(found)-1]
}

// A server that cannot encrypt runs and can be reached: its address is not what is wrong.
func TestAServerWithoutEncryptionIsNamed(t *testing.T) {
	found, _ := TryDatabase(t.Context(), Config{DataDir: t.TempDir(), DatabaseURL: "sqlserver://sa:hunter2@" + refusing(t) + "?database=d"}, leadstest.Silent())
	if doctor.Healthy(found) || !strings.HasPrefix(found[0].Found, "the server does not support encryption: with encrypt=disable") || !strings.Contains(found[0].Do, "&encrypt=disable") {
		t.Errorf("%+v", found)
	}
	if f := databaseOf(t, Config{DataDir: t.TempDir(), DatabaseURL: "sqlserver://sa:hunter2@" + refusing(t) + "?database=d"}); f.Found != found[0].Found || f.Do != found[0].Do {
		t.Errorf("doctor: %+v", f)
	}
}

func TestAnAddressIsTriedBeforeTheStart(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer proxy.Close()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close() // nobody listens there any more
	for _, address := range []string{proxy.URL, closed.URL} {
		found := TryAddress(t.Context(), Config{PublicURL: address})
		if last := found[len(found)-1]; !doctor.Healthy(found) || last.Level != doctor.Unknown || !strings.Contains(last.Found, "does not run yet") {
			t.Errorf("%s: %+v", address, found)
		}
	}
}

func TestNoClientIDIsNoAnswerOfAServer(t *testing.T) {
	if err := clientCheck(Config{})(t.Context(), leads.Portal{}); !errors.Is(err, doctor.ErrNoClient) {
		t.Errorf("it is %v", err)
	}
}

func TestWebhooksAreTried(t *testing.T) {
	for answer, want := range map[string]doctor.Level{`{"result":["crm","user"]}`: doctor.OK, `{"result":["user"]}`: doctor.Fault, `{"error":"INVALID_CREDENTIALS"}`: doctor.Fault} {
		portal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if strings.Contains(answer, "error") {
				w.WriteHeader(http.StatusUnauthorized)
			}
			_, _ = w.Write([]byte(answer))
		}))
		found := TryWebhook(t.Context(), Config{WebhookURL: leads.Secret(portal.URL + "/rest/1/hunter2/")})
		portal.Close()
		if len(found) != 1 || found[0].Level != want || strings.Contains(found[0].Found, "hunter2") {
			t.Errorf("%s: %+v", answer, found)
		}
	}
}

// A new key cannot read what another installation has encrypted in the same database: init says so before the service starts.
func TestTokensOfAnotherInstallationAreNamed(t *testing.T) {
	file := "sqlite:" + filepath.Join(t.TempDir(), "leadsync.db")
	db, err := repo.Open(t.Context(), repo.Config{URL: file, SecretKey: make([]byte, 32)})
	if err == nil {
		_, err = db.Migrate(t.Context())
	}
	if err == nil {
		err = db.SavePortal(t.Context(), leads.Portal{MemberID: pairMember, State: leads.PortalActive})
	}
	if err == nil {
		err = errors.Join(db.SaveGrant(t.Context(), pair(1)), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	for other, want := range map[byte]bool{0: false, 1: true} {
		key := make([]byte, 32)
		key[0] = other
		found, _ := TryDatabase(t.Context(), Config{DataDir: t.TempDir(), DatabaseURL: file, SecretKey: key}, leadstest.Silent())
		named := slices.ContainsFunc(found, func(f doctor.Finding) bool {
			return f.Level == doctor.Warning && strings.Contains(f.Found, "another installation") && language.Format(language.Russian, "sentence", f.Do) != f.Do
		})
		if named != want || !doctor.Healthy(found) {
			t.Errorf("another key: %v; named: %v; %+v", want, named, found)
		}
	}
}
