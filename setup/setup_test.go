package setup_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/leads/leadstest"
	"leadsync/service"
	"leadsync/settings"
	"leadsync/setup"
)

// person answers questions in their order. Each answer names words of the question that it is for.
type person struct {
	t       *testing.T
	answers [][2]string
	hidden  []string // the questions whose answers were not shown
	screen  io.Writer
}

func (p *person) Ask(_ context.Context, question string) (string, error) {
	fmt.Fprintln(p.screen, question) // the answer is not repeated: the program must not say it
	if len(p.answers) == 0 {
		p.t.Errorf("nobody expects the question %q", question)
		return "", io.EOF
	}
	next := p.answers[0]
	if !strings.Contains(question, next[0]) {
		p.t.Errorf("the question is %q, want one with %q", question, next[0])
		return "", io.EOF
	}
	p.answers = p.answers[1:]
	return next[1] + "\n", nil
}

func (p *person) AskSecret(ctx context.Context, question string) (string, error) {
	p.hidden = append(p.hidden, question)
	answer, err := p.Ask(ctx, question)
	return strings.TrimSuffix(answer, "\n"), err
}

// trials are tried without a network: a database or an address whose name has the word works not.
func trials(tried *[]string) setup.Trials {
	look := func(check, value, word string) []doctor.Finding {
		*tried = append(*tried, value)
		if word != "" && strings.Contains(value, word) {
			return []doctor.Finding{{Check: check, Level: doctor.Fault, Found: "it does not answer: " + word}}
		}
		return []doctor.Finding{{Check: check, Level: doctor.OK, Found: "it answers"}}
	}
	return setup.Trials{
		Database: func(_ context.Context, cfg service.Config) ([]doctor.Finding, bool) {
			if strings.Contains(cfg.DatabaseURL, "selfsigned") && !strings.Contains(cfg.DatabaseURL, "TrustServerCertificate=true") {
				return look("database", cfg.DatabaseURL+" certificate", "certificate"), false
			}
			if strings.Contains(cfg.DatabaseURL, "cleartext") && !strings.Contains(cfg.DatabaseURL, "encrypt=disable") {
				const unable = "the server does not support encryption"
				found := look("database", unable, unable)
				found[0].Do = "give the whole address"
				return found, false
			}
			return look("database", cfg.DatabaseURL, "down"), strings.Contains(cfg.DatabaseURL, "oktell")
		},
		Address: func(_ context.Context, cfg service.Config) []doctor.Finding {
			return look("public address", cfg.PublicURL, "down")
		},
		Webhook: func(_ context.Context, cfg service.Config) []doctor.Finding {
			return look("webhook", cfg.WebhookURL.Reveal(), "down")
		},
		Data: func(service.Config, string) error { return nil },
	}
}

// set runs a set-up and returns the file's values.
func set(t *testing.T, cfg setup.Config) (value func(string) string, out string, err error) {
	t.Helper()
	var text leadstest.Log
	cfg.Out, cfg.Program = &text, "leadsync"
	if p, ok := cfg.Person.(*person); ok {
		p.screen = &text
	}
	defer func() { wantOneBlankLine(t, out) }()
	if cfg.Output == "" {
		cfg.Output = filepath.Join(t.TempDir(), "new", "leadsync.env")
	}
	if cfg.Trials.Database == nil {
		cfg.Trials = trials(&[]string{})
	}
	if err = setup.Run(t.Context(), cfg); err != nil {
		return nil, text.String(), err
	}
	values, err := settings.Read(settings.Sources{File: cfg.Output})
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) string { v, _ := values.Lookup(name); return v }, text.String(), nil
}

// wantOneBlankLine wants no more between two paragraphs, whatever way led there.
func wantOneBlankLine(t *testing.T, out string) {
	t.Helper()
	if strings.Contains(out, "\n\n\n") {
		t.Errorf("two blank lines, want one:\n%s", out)
	}
}

// The form stands above a question, above the end, or in the middle of it.
func TestParagraphsStandApartByOneLine(t *testing.T) {
	given := setup.Answers{Database: "sqlite", PublicURL: "https://l.example.com"}
	whole := given
	whole.ClientID, whole.ClientSecret = "local.1", "s"
	for _, lang := range []string{language.English, language.Russian} {
		for way, cfg := range map[string]setup.Config{
			"a script": {Given: given}, "no address": {Given: setup.Answers{Database: "sqlite"}}, "a person whom nothing is asked": {Given: whole, Person: &person{t: t}},
			"a person": {Given: given, Person: &person{t: t, answers: [][2]string{{"company.bitrix24.ru", ""}, {"client_id", ""}}}},
		} {
			cfg.Language = lang
			_, out, err := set(t, cfg) // which looks for more lines
			next := language.Say(lang, "\nNext:")
			if before, _, ok := strings.Cut(out, "\n"+next); err != nil || !ok || way == "a person" && !strings.Contains(before, "\n\nclient_id") {
				t.Errorf("%s, %s: %v\n%s", lang, way, err, out)
			}
		}
	}
}

func want(t *testing.T, value func(string) string, settings map[string]string) {
	t.Helper()
	for name, want := range settings {
		if got := value(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestAPersonIsAskedUntilAnswersWork(t *testing.T) {
	p := &person{t: t, answers: [][2]string{
		{"or all in one: sqlserver://", "Server=down;Database=crm;User Id=leadsync;Password=hunter2"}, // from another program
		{"SQL Server: its host", "down"},
		{"Name of the database", "crm"},
		{"Login", "leadsync"},
		{"Its password", "p"},
		{"Keep this answer? [y/N]", "host"}, // the right answer to another question
		{"Keep this answer? [y/N]", ""},
		{"or sqlite (Enter: down)", `host\SQLEXPRESS`},
		{"Name of the database (Enter: crm)", "oktell"},
		{"Login (Enter: leadsync)", ""},
		{"Its password", "pa$$w/rd#'1"},
		{"Address at which Bitrix24", "https://localhost"}, // refused without a trial
		{"Address at which Bitrix24", "https://down.example.com/"},
		{"Keep this answer? [y/N]", "yes"},
		{"The portal's address", "https://company.bitrix24.ru/crm/"},
		{"client_id", "local.1"},
		{"client_secret", ""},
		{"client_secret", "hunter2"},
	}}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	data, err := filepath.Abs("data")
	if err != nil {
		t.Fatal(err)
	}
	want(t, value, map[string]string{
		"LEADSYNC_DATABASE_URL": "sqlserver://leadsync:pa$$w%2Frd%23%271@host/SQLEXPRESS?database=oktell", "LEADSYNC_PUBLIC_URL": "https://down.example.com/",
		"LEADSYNC_B24_PORTALS": "company.bitrix24.ru", "LEADSYNC_B24_CLIENT_ID": "local.1", "LEADSYNC_B24_CLIENT_SECRET": "hunter2", "LEADSYNC_DATA_DIR": data,
	})
	if len(value("LEADSYNC_SECRET_KEY")) != 44 {
		t.Error("there is no key")
	}
	if len(p.answers) > 0 || len(p.hidden) != 4 {
		t.Errorf("left %v; hidden %v", p.answers, p.hidden)
	}
	for _, words := range []string{
		"handler path               https://down.example.com/bitrix24/oauth/callback", "https://down.example.com/bitrix24/events\n",
		"leadsync migrate --plan", "leadsync serve --config", "LEADSYNC_PUBLIC_URL: not an address that Bitrix24 can reach",
	} {
		if !strings.Contains(out, words) {
			t.Errorf("%q is missing in\n%s", words, out)
		}
	}
	if strings.Contains(out, "hunter2") || strings.Contains(out, value("LEADSYNC_SECRET_KEY")) {
		t.Errorf("a secret is shown:\n%s", out)
	}
}

// All that was answered before would be lost if the portal were refused at the end.
func TestAPortalThatIsNoneIsAskedForAgain(t *testing.T) {
	p := &person{t: t, answers: [][2]string{
		{"SQL Server", "sqlite"}, {"Address", ""}, {"The portal's address", "our portal"}, {"The portal's address", "company.bitrix24.ru/crm/lead/"}, // and not the client_id, which there cannot be without an address
	}}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil || len(p.answers) > 0 || !strings.Contains(out, "LEADSYNC_B24_PORTALS: an entry is an address") || !strings.Contains(out, "its client_id is not asked for") {
		t.Fatalf("%v, left %v\n%s", err, p.answers, out)
	}
	want(t, value, map[string]string{"LEADSYNC_B24_PORTALS": "company.bitrix24.ru"})
}

func TestASelfSignedServerIsTrustedOnRequest(t *testing.T) {
	p := &person{t: t, answers: [][2]string{
		{"SQL Server", "selfsigned:1444"},
		{"базы", "crm"},
		{"Логин", "sa"},
		{"Пароль", "p"},
		{"Принимать любой", "да"},
		{"Адрес, по которому", ""},
		{"Адрес портала", "https://company.bitrix24.ru/rest/1/abc/"},
		{"Токен исходящего", "token-of-a-webhook"},
	}}
	value, out, err := set(t, setup.Config{Person: p, Language: language.Russian, Given: setup.Answers{DataDir: "data"}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, value, map[string]string{
		"LEADSYNC_DATABASE_URL":    "sqlserver://sa:p@selfsigned:1444?TrustServerCertificate=true&database=crm",
		"LEADSYNC_B24_WEBHOOK_URL": "https://company.bitrix24.ru/rest/1/abc/", "LEADSYNC_B24_APPLICATION_TOKEN": "token-of-a-webhook",
	})
	if len(p.answers) > 0 || !strings.Contains(out, "Дальше:") {
		t.Errorf("left %v:\n%s", p.answers, out)
	}
}

// The question says all that the advice would, and comes before what is asked about every fault.
func TestAServerThatCannotEncryptIsUsedOnRequest(t *testing.T) {
	for lang, questions := range map[string][5]string{
		language.English: {"Name of the database", "Login", "password", "Connect without encryption", "Keep this answer"},
		language.Russian: {"Имя базы", "Логин", "Пароль", "Подключаться без шифрования", "Оставить этот ответ"},
	} {
		for answer, want := range map[string]string{"y": "sqlserver://sa:p@cleartext:1433?database=crm&encrypt=disable", "": ""} {
			p := &person{t: t, answers: [][2]string{{"SQL Server", "cleartext"}, {questions[0], "crm"}, {questions[1], "sa"}, {questions[2], "p"}, {questions[3], answer}}}
			if answer == "" {
				p.answers = append(p.answers, [2]string{questions[4], "n"}, [2]string{"SQL Server", "sqlite"})
			}
			p.answers = append(p.answers, [][2]string{{"Bitrix24", ""}, {"bitrix24", ""}}...)
			if lang == language.Russian {
				p.answers[len(p.answers)-2][0] = "Адрес, по которому"
			}
			value, out, err := set(t, setup.Config{Person: p, Language: lang, Given: setup.Answers{DataDir: "data"}})
			if err != nil || len(p.answers) > 0 || value("LEADSYNC_DATABASE_URL") != want || strings.Contains(out, "give the whole address") {
				t.Errorf("%s, %q: %v, left %v, the database is %s\n%s", lang, answer, err, p.answers, value("LEADSYNC_DATABASE_URL"), out)
			}
		}
	}
}

// Another fault has the same server typed again, and not the question about its encryption answered again. Another server is another
// question, and an address that says how to connect is left as it is.
func TestAWayIsChosenOncePerServer(t *testing.T) {
	parts := func(host string) [][2]string {
		return [][2]string{{"SQL Server", host}, {"Name of the database", ""}, {"Login", "sa"}, {"password", "p"}}
	}
	again := [2]string{"Keep this answer", "n"}
	p := &person{t: t, answers: slices.Concat(
		parts("cleartext-down"), [][2]string{{"Connect without encryption", "y"}, again},
		parts("CLEARTEXT-down:1433"), [][2]string{again},
		[][2]string{{"SQL Server", "sqlserver://sa:p@cleartext-down?database=d&encrypt=true"}, {"Connect without encryption", "n"}, again},
		parts("cleartext-down:1444"), [][2]string{{"Connect without encryption", "n"}, again},
		[][2]string{{"SQL Server", "sqlserver://sa:p@cleartext-down?database=up"}, {"Keep this answer", "y"}, {"Address", ""}, {"The portal's address", ""}},
	)}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil || len(p.answers) > 0 || strings.Count(out, "  with encrypt=disable, as you answered for this server") != 2 {
		t.Fatalf("%v, left %v\n%s", err, p.answers, out)
	}
	want(t, value, map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:p@cleartext-down?database=up&encrypt=disable"})
}

// The driver takes parameters in any case, and refuses one that appears twice.
func TestAWayTakesThePlaceOfTheParameterHoweverThatIsWritten(t *testing.T) {
	p := &person{t: t, answers: [][2]string{
		{"SQL Server", "sqlserver://sa:p@cleartext-down?database=d"},
		{"Connect without encryption", "y"},
		{"Keep this answer", "n"},
		{"SQL Server", "sqlserver://sa:p@cleartext-down?database=up&Encrypt=true"},
		{"Connect without encryption", "y"},
		{"Keep this answer", "y"},
		{"Address", ""},
		{"The portal's address", ""},
	}}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil || len(p.answers) > 0 {
		t.Fatalf("%v, left %v\n%s", err, p.answers, out)
	}
	want(t, value, map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:p@cleartext-down?database=up&encrypt=disable"})
}

// The way that a person has chosen need not help: the same question again would never end.
func TestAWayThatDoesNotHelpIsOfferedOnce(t *testing.T) {
	cfg := setup.Config{Trials: trials(&[]string{}), Given: setup.Answers{DataDir: "data"}}
	cfg.Trials.Database = func(context.Context, service.Config) ([]doctor.Finding, bool) {
		return []doctor.Finding{{Check: "database", Level: doctor.Fault, Found: "x509: the certificate cannot be read"}}, false
	}
	p := &person{t: t, answers: [][2]string{{"SQL Server", "sqlserver://sa:p@h?database=d"}, {"Accept any", "y"}, {"Keep this answer", "y"}, {"Address", ""}, {"The portal's address", ""}}}
	cfg.Person = p
	value, out, err := set(t, cfg)
	if err != nil || len(p.answers) > 0 || value("LEADSYNC_DATABASE_URL") != "sqlserver://sa:p@h?TrustServerCertificate=true&database=d" {
		t.Errorf("%v, left %v\n%s", err, p.answers, out)
	}
}

// The fault itself is in English, as in the log.
func TestAWrongAnswerIsNamedInTheLanguageOfThePerson(t *testing.T) {
	p := &person{t: t, answers: [][2]string{{"SQL Server", "mysql://x"}, {"SQL Server", "sqlite"}, {"Адрес", ""}, {"Адрес портала", ""}}}
	_, out, err := set(t, setup.Config{Person: p, Language: language.Russian, Given: setup.Answers{DataDir: "data"}})
	if err != nil || !strings.Contains(out, "  неверный ответ:\nLEADSYNC_DATABASE_URL: not a database address") {
		t.Errorf("%v\n%s", err, out)
	}
	for given, want := range map[*setup.Answers]string{
		{Webhook: "https://p.bitrix24.ru/rest/1/s/", WebhookToken: "t", Portal: "q.bitrix24.ru"}: "неверный ответ:\n--portal: это не портал вебхука; нужен p.bitrix24.ru",
		{Database: "sqlserver://sa:p@down:1433?database=d"}:                                      "LEADSYNC_DATABASE_URL: не работает, ничего не записано",
	} {
		given.DataDir = "data"
		if _, _, err := set(t, setup.Config{Language: language.Russian, Given: *given}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestScriptsGetTheSameFile(t *testing.T) {
	var tried []string
	value, out, err := set(t, setup.Config{Trials: trials(&tried), Standard: true, Unit: true, Given: setup.Answers{
		DataDir: "/srv/leadsync", Database: "sqlserver://sa:p@h:1433?database=crm", PublicURL: "https://down.example.com", Portal: "company.bitrix24.ru",
		Others: map[string]string{"LEADSYNC_KEEP": "40d", "LEADSYNC_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, value, map[string]string{
		"LEADSYNC_DATABASE_URL": "sqlserver://sa:p@h:1433?database=crm", "LEADSYNC_PUBLIC_URL": "https://down.example.com", "LEADSYNC_B24_PORTALS": "company.bitrix24.ru", "LEADSYNC_KEEP": "40d",
		"LEADSYNC_SECRET_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "LEADSYNC_B24_CLIENT_ID": "",
	})
	if len(tried) != 2 || !strings.Contains(out, "systemctl enable --now leadsync") || !strings.Contains(out, "/bitrix24/oauth/callback") {
		t.Errorf("tried %v:\n%s", tried, out)
	}
	if value, out, err = set(t, setup.Config{Given: setup.Answers{DataDir: "data"}}); err != nil || value("LEADSYNC_DATABASE_URL") != "" {
		t.Errorf("defaults alone: %v\n%s", err, out)
	}
}

func TestWrongAnswersOfScriptsWriteNothing(t *testing.T) {
	for name, test := range map[string]struct {
		given setup.Answers
		want  string
		wrong bool // for ErrAnswer
	}{
		"a database that is down":   {setup.Answers{Database: "sqlserver://sa:hunter2@down:1433?database=d"}, "LEADSYNC_DATABASE_URL: does not work, nothing is written; --skip-checks", false},
		"no database":               {setup.Answers{Database: "mysql://hunter2"}, "LEADSYNC_DATABASE_URL: not a database address", true},
		"our own path":              {setup.Answers{PublicURL: "https://a.example.com/bitrix24/events"}, "LEADSYNC_PUBLIC_URL: it ends in leadsync's own path", true},
		"an id alone":               {setup.Answers{ClientID: "local.1"}, "LEADSYNC_B24_CLIENT_ID: set without", true},
		"a webhook without a token": {setup.Answers{Webhook: "https://p.bitrix24.ru/rest/1/hunter2/"}, "LEADSYNC_B24_APPLICATION_TOKEN: missing", true},
		"a webhook that is down":    {setup.Answers{Webhook: "https://down.bitrix24.ru/rest/1/hunter2/", WebhookToken: "t"}, "LEADSYNC_B24_WEBHOOK_URL: does not work", false},
		"an unknown setting":        {setup.Answers{Others: map[string]string{"LEADSYNC_KEEPS": "1"}}, "LEADSYNC_KEEPS: unknown setting, want LEADSYNC_KEEP", true},
		"a wrong setting":           {setup.Answers{Others: map[string]string{"LEADSYNC_KEEP": "1y"}}, "LEADSYNC_KEEP: not a time", true},
	} {
		dir := t.TempDir()
		test.given.DataDir = "data"
		_, out, err := set(t, setup.Config{Given: test.given, Output: filepath.Join(dir, "leadsync.env")})
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, setup.ErrAnswer) != test.wrong || strings.Contains(out+err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q\n%s", name, err, test.want, out)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: written %v, %v", name, left, err)
		}
	}
}

func TestAFileIsReplacedOnlyByForce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leadsync.env")
	if err := os.WriteFile(file, []byte("LEADSYNC_KEEP=31d\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg := setup.Config{Output: file, Given: setup.Answers{DataDir: "data"}, Person: &person{t: t}} // who must not be asked
	for lang, want := range map[string]string{
		language.English: file + ": there is a settings file already: choose another name with --output, or replace it with --force",
		language.Russian: file + ": файл настроек уже есть: задайте другое имя с --output или замените его с --force",
	} {
		cfg.Language = lang
		if _, _, err := set(t, cfg); !errors.Is(err, setup.ErrExists) || err.Error() != want {
			t.Errorf("without --force: %v", err)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "LEADSYNC_KEEP=31d\n" {
		t.Errorf("it has %q, %v", text, err)
	}
	cfg.Force, cfg.Person = true, nil
	value, _, err := set(t, cfg)
	if err != nil || value("LEADSYNC_SECRET_KEY") == "" || value("LEADSYNC_KEEP") != "31d" {
		t.Errorf("with --force: %v", err)
	}
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(file), ".*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A machine is often prepared before its database is.
func TestAnswersCanBeWrittenUntried(t *testing.T) {
	var tried []string
	given := setup.Answers{DataDir: "data", Database: "sqlserver://sa:p@down:1433?database=d", PublicURL: "https://down.example.com", Webhook: "https://down.bitrix24.ru/rest/1/s/", WebhookToken: "t"}
	value, out, err := set(t, setup.Config{Trials: trials(&tried), Untried: true, Given: given})
	if err != nil || len(tried) > 0 || value("LEADSYNC_DATABASE_URL") != given.Database || value("LEADSYNC_B24_WEBHOOK_URL") != given.Webhook {
		t.Errorf("%v, tried %v\n%s", err, tried, out)
	}
	given.Database = "mysql://x"
	if _, _, err := set(t, setup.Config{Untried: true, Given: given}); !errors.Is(err, setup.ErrAnswer) {
		t.Errorf("what is no address: %v", err)
	}
	p := &person{t: t, answers: [][2]string{{"SQL Server", "mysql://x"}, {"SQL Server", "sqlite"}, {"Address", "https://localhost"}, {"Address", "https://down.example.com"}, {"The portal's address", ""}, {"client_id", ""}}}
	if _, out, err = set(t, setup.Config{Trials: trials(&tried), Untried: true, Person: p, Given: setup.Answers{DataDir: "data"}}); err != nil || len(tried) > 0 || len(p.answers) > 0 {
		t.Errorf("a person: %v, tried %v, left %v\n%s", err, tried, p.answers, out)
	}
}

// A service could not work in a directory of another user, whatever it keeps there: that is said first.
func TestADataDirectoryOfAnotherUserIsRefused(t *testing.T) {
	taken := errors.New("it belongs to bob")
	tries := trials(&[]string{})
	tries.Data = func(cfg service.Config, user string) error {
		if strings.HasSuffix(cfg.DataDir, "bobs") && user == "leadsync" {
			return taken
		}
		return nil
	}
	for _, terminal := range []setup.Terminal{nil, &person{t: t}} { // who is not asked
		if _, out, err := set(t, setup.Config{Trials: tries, Owner: "leadsync", Person: terminal, Given: setup.Answers{DataDir: "bobs"}}); !errors.Is(err, taken) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if _, out, err := set(t, setup.Config{Trials: tries, Given: setup.Answers{DataDir: "bobs"}}); err != nil {
		t.Errorf("bob: %v\n%s", err, out)
	}
}

// A person who presses Ctrl-C, or whose terminal is closed, gets no file.
func TestAnInterruptionWritesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "leadsync.env")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := setup.Run(ctx, setup.Config{Output: file, Out: io.Discard, Person: interrupted{}, Given: setup.Answers{DataDir: "data"}, Trials: trials(&[]string{})})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is written: %v", err)
	}
}

type interrupted struct{}

func (interrupted) Ask(ctx context.Context, _ string) (string, error)       { return "", ctx.Err() }
func (interrupted) AskSecret(ctx context.Context, _ string) (string, error) { return "", ctx.Err() }

func TestLocaleChoosesTheLanguage(t *testing.T) {
	for locale, want := range map[string]string{"LANG=ru_RU.UTF-8": language.Russian, "LC_ALL=en_US.UTF-8": language.English, "LC_MESSAGES=ru": language.Russian, "LANG=C": language.English} {
		name, value, _ := strings.Cut(locale, "=")
		if got := setup.Locale(func(asked string) (string, bool) {
			if asked == "LANG" && name != "LANG" {
				return "ru_RU.UTF-8", true
			}
			return value, asked == name
		}); got != want {
			t.Errorf("%s: %s", locale, got)
		}
	}
}
