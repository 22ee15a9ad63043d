package setup_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/handlers/language"
	"leadsync/setup"
)

const formerMember = "a223c6b3710f85df22e9377d6c4f7553"

// withWebhook is the settings file of an installation that has a webhook, in a file of its own where byFile says so.
func withWebhook(t *testing.T, byFile bool) string {
	t.Helper()
	dir := t.TempDir()
	file, webhook := filepath.Join(dir, "leadsync.env"), "LEADSYNC_B24_WEBHOOK_URL=https://old.bitrix24.ru/rest/1/s/\n"
	if byFile {
		secret := filepath.Join(dir, "webhook")
		if err := os.WriteFile(secret, []byte("https://old.bitrix24.ru/rest/1/s/\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		webhook = "LEADSYNC_B24_WEBHOOK_URL_FILE=" + secret + "\n"
	}
	text := "LEADSYNC_SECRET_KEY=" + usedKey + "\nLEADSYNC_DATA_DIR=" + filepath.Join(dir, "data") + "\n" + webhook + "LEADSYNC_B24_APPLICATION_TOKEN=old-token\nLEADSYNC_B24_MEMBER_ID=" + formerMember + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestATokenBelongsToThePortalOfItsWebhook(t *testing.T) {
	const same, anew = "(not shown; Enter: the same as before)", "as Bitrix24 shows it"
	for name, test := range map[string]struct {
		answers       [][2]string // after those about database and address
		token, member string
	}{
		"another webhook of the portal": {[][2]string{{"whole inbound webhook", "https://OLD.bitrix24.ru/rest/1/new/"}, {same, ""}}, "old-token", formerMember},
		"another token of the portal":   {[][2]string{{"whole inbound webhook", "https://old.bitrix24.ru/rest/1/new/"}, {same, "-"}, {same, "new"}}, "new", formerMember},
		"another portal":                {[][2]string{{"whole inbound webhook", "https://new.bitrix24.ru/rest/1/s/"}, {anew, ""}, {anew, "-"}, {anew, "new"}}, "new", ""},
		"another portal after a wrong answer": {[][2]string{
			{"whole inbound webhook", "https://old.bitrix24.ru/rest/down/s/"}, {same, ""}, {"Keep this answer", "n"}, {"The inbound webhook", "-"}, {"The inbound webhook", "https://new.bitrix24.ru/rest/1/s/"}, {anew, "new"},
		}, "new", ""},
		"a webhook after a wrong one": {[][2]string{
			{"whole inbound webhook", "https://new.bitrix24.ru/rest/down/s/"}, {anew, "new"}, {"Keep this answer", "n"}, {"The inbound webhook", "https://new.bitrix24.ru/rest/1/s/"},
		}, "new", ""},
		"Enter alone after a wrong one": {[][2]string{
			{"whole inbound webhook", "https://new.bitrix24.ru/rest/down/s/"}, {anew, "new"}, {"Keep this answer", "n"}, {"The inbound webhook", ""}, {"The inbound webhook", "https://new.bitrix24.ru/rest/1/s/"},
		}, "new", ""},
	} {
		for _, byFile := range []bool{false, true} {
			p := &person{t: t, answers: append([][2]string{{"SQL Server", "sqlite"}, {"Address", ""}}, test.answers...)}
			value, out, err := set(t, setup.Config{Output: withWebhook(t, byFile), Force: true, Person: p})
			if err != nil || len(p.answers) > 0 || strings.Contains(out, "was that of old.bitrix24.ru") != (test.member == "") || strings.Contains(out, "old-token") {
				t.Fatalf("%s: %v, left %v\n%s", name, err, p.answers, out)
			}
			want(t, value, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": test.token, "LEADSYNC_B24_MEMBER_ID": test.member})
		}
	}
}

func TestScriptsDoNotKeepAnotherPortalsToken(t *testing.T) {
	const another = "https://new.bitrix24.ru/rest/1/s/"
	file := withWebhook(t, false)
	_, out, err := set(t, setup.Config{Output: file, Force: true, Given: setup.Answers{Webhook: another}})
	if !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), "LEADSYNC_B24_APPLICATION_TOKEN: missing") || !strings.Contains(out, "token was that of old.bitrix24.ru, and is not kept") {
		t.Errorf("%v\n%s", err, out)
	}
	for name, test := range map[string]struct {
		given         setup.Answers
		token, member string
	}{
		"the same portal":   {setup.Answers{Webhook: "https://old.bitrix24.ru/rest/1/new/"}, "old-token", formerMember},
		"with its token":    {setup.Answers{Webhook: another, WebhookToken: "new"}, "new", ""},
		"with --set":        {setup.Answers{Webhook: another, Others: map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": "new"}}, "new", ""},
		"with its portal's": {setup.Answers{Webhook: another, WebhookToken: "new", MemberID: strings.Repeat("b", 32)}, "new", strings.Repeat("b", 32)},
	} {
		value, out, err := set(t, setup.Config{Output: withWebhook(t, false), Force: true, Given: test.given})
		if err != nil || strings.Contains(out, "token was that of") {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": test.token, "LEADSYNC_B24_MEMBER_ID": test.member})
	}
}

// A flag's token is that of the flag's webhook, and goes with it.
func TestAFlagsTokenStaysWithItsWebhook(t *testing.T) {
	const (
		down, another = "https://a.bitrix24.ru/rest/down/hunter2/", "https://b.bitrix24.ru/rest/1/s/"
		asked, anew   = "The inbound webhook", "as Bitrix24 shows it"
	)
	byFile := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(byFile, []byte("flag\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	others := func(pairs ...string) map[string]string {
		set := map[string]string{"LEADSYNC_B24_MEMBER_ID": formerMember}
		for i := 0; i < len(pairs); i += 2 {
			set[pairs[i]] = pairs[i+1]
		}
		return set
	}
	fail := [2]string{"Keep this answer", "n"}
	for name, test := range map[string]struct {
		given         setup.Answers
		answers       [][2]string
		token, member string
		of            string // the portal whose token is dropped
	}{
		"another host": {setup.Answers{Webhook: down, WebhookToken: "flag", MemberID: formerMember}, [][2]string{fail, {asked, another}, {anew, "typed"}}, "typed", "", "a.bitrix24.ru"},
		"the same host": {
			setup.Answers{Webhook: down, WebhookToken: "flag", MemberID: formerMember},
			[][2]string{fail, {asked, ""}, {asked, "https://A.bitrix24.ru/rest/1/s/"}},
			"flag", formerMember, "",
		},
		"no webhook first": {
			setup.Answers{Webhook: down, WebhookToken: "flag", MemberID: formerMember},
			[][2]string{fail, {asked, "b.bitrix24.ru"}, {asked, "https://a.bitrix24.ru/rest/1/s/"}},
			"flag", formerMember, "",
		},
		"without https":     {setup.Answers{Webhook: "a.bitrix24.ru/rest/down/hunter2/", WebhookToken: "flag"}, [][2]string{{asked, another}, {anew, "typed"}}, "typed", "", "a.bitrix24.ru"},
		"--set":             {setup.Answers{Webhook: down, Others: others("LEADSYNC_B24_APPLICATION_TOKEN", "flag")}, [][2]string{fail, {asked, another}, {anew, "typed"}}, "typed", "", "a.bitrix24.ru"},
		"--set with a file": {setup.Answers{Webhook: down, Others: others("LEADSYNC_B24_APPLICATION_TOKEN_FILE", byFile)}, [][2]string{fail, {asked, another}, {anew, "typed"}}, "typed", "", "a.bitrix24.ru"},
		"--set of both": {
			setup.Answers{Others: others("LEADSYNC_B24_WEBHOOK_URL", down, "LEADSYNC_B24_APPLICATION_TOKEN", "flag")},
			[][2]string{{"whole inbound webhook", another}, {anew, "typed"}},
			"typed", "", "a.bitrix24.ru",
		},
		"a token alone": {setup.Answers{WebhookToken: "flag", MemberID: formerMember}, [][2]string{{"whole inbound webhook", another}}, "flag", formerMember, ""},
	} {
		file := withWebhook(t, false)
		test.given.Database = "sqlite"
		p := &person{t: t, answers: append([][2]string{{"Address", ""}}, test.answers...)}
		value, out, err := set(t, setup.Config{Output: file, Force: true, Person: p, Given: test.given})
		if err != nil || len(p.answers) > 0 || strings.Contains(out, "hunter2") {
			t.Fatalf("%s: %v, left %v\n%s", name, err, p.answers, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": test.token, "LEADSYNC_B24_MEMBER_ID": test.member})
		if said := "token was that of " + test.of + ", and is not kept\n"; strings.Contains(out, said) != (test.of != "") {
			t.Errorf("%s: want %q: %t in\n%s", name, said, test.of != "", out)
		}
	}
}

// --set puts another webhook in the place of the former file's, which a person or a script then keeps.
func TestASetWebhookDoesNotKeepAnotherPortalsToken(t *testing.T) {
	const of = "token was that of old.bitrix24.ru, and is not kept"
	another := filepath.Join(t.TempDir(), "another")
	if err := os.WriteFile(another, []byte("https://new.bitrix24.ru/rest/1/s/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"LEADSYNC_B24_WEBHOOK_URL": "https://new.bitrix24.ru/rest/1/s/", "LEADSYNC_B24_WEBHOOK_URL_FILE": another} {
		given := setup.Answers{Database: "sqlite", Others: map[string]string{name: value}}
		_, out, err := set(t, setup.Config{Output: withWebhook(t, true), Force: true, Given: given})
		if !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), "LEADSYNC_B24_APPLICATION_TOKEN: missing") || !strings.Contains(out, of) {
			t.Errorf("%s, a script: %v\n%s", name, err, out)
		}
		p := &person{t: t, answers: [][2]string{{"Address", ""}, {"as in the former file", ""}, {"as Bitrix24 shows it", "typed"}}}
		got, out, err := set(t, setup.Config{Output: withWebhook(t, true), Force: true, Given: given, Person: p})
		if err != nil || !strings.Contains(out, of) {
			t.Fatalf("%s, a person: %v\n%s", name, err, out)
		}
		want(t, got, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": "typed", "LEADSYNC_B24_MEMBER_ID": ""})
	}
}

// Whatever portal the application is for, what goes is named, and where it still is.
func TestAnApplicationTakesTheWebhooksPlace(t *testing.T) {
	const token, member = "LEADSYNC_B24_APPLICATION_TOKEN, ", "LEADSYNC_B24_MEMBER_ID"
	for _, byFile := range []bool{false, true} {
		names := "LEADSYNC_B24_WEBHOOK_URL, " + token + member
		if byFile {
			names = "LEADSYNC_B24_WEBHOOK_URL_FILE, " + token + member
		}
		const english = "  an application takes the place of the webhook of old.bitrix24.ru: leadsync reads leads by OAuth as soon as the application is installed\n  not in the new file: %s; the former file keeps their values\n"
		const russian = "  вместо вебхука портала old.bitrix24.ru теперь приложение: leadsync читает лиды по OAuth, как только приложение установлено\n  в новом файле нет: %s; их значения остаются в прежнем файле\n"
		for name, test := range map[string]struct {
			cfg     setup.Config
			portals string
			said    string
		}{
			"another portal":  {setup.Config{Given: setup.Answers{Portal: "new.bitrix24.ru"}}, "new.bitrix24.ru", english},
			"the same portal": {setup.Config{Given: setup.Answers{Portal: "old.bitrix24.ru"}}, "old.bitrix24.ru", english},
			"any portal":      {setup.Config{Given: setup.Answers{ClientID: "local.1", ClientSecret: "s"}}, "", english},
			"a person": {setup.Config{
				Given: setup.Answers{Database: "sqlite"}, Language: language.Russian, Person: &person{t: t, answers: [][2]string{{"Адрес", ""}, {"Адрес портала", "old.bitrix24.ru"}}},
			}, "old.bitrix24.ru", russian},
		} {
			file := withWebhook(t, byFile)
			test.cfg.Output, test.cfg.Force = file, true
			value, out, err := set(t, test.cfg)
			if err != nil || !strings.Contains(out, fmt.Sprintf(test.said, names)) || strings.Contains(out, "/rest/") || strings.Contains(out, "old-token") || strings.Contains(out, "was that of") {
				t.Fatalf("%s: %v\n%s", name, err, out)
			}
			want(t, value, map[string]string{"LEADSYNC_B24_PORTALS": test.portals, "LEADSYNC_B24_WEBHOOK_URL": "", "LEADSYNC_B24_APPLICATION_TOKEN": "", "LEADSYNC_B24_MEMBER_ID": ""})
			if former, err := os.ReadFile(file + ".old"); err != nil || !strings.Contains(string(former), "LEADSYNC_B24_APPLICATION_TOKEN=old-token\n") {
				t.Errorf("%s: the former file does not keep the values: %v", name, err)
			}
		}
	}
}

// A dropped token is missing, which is no fault of the file that it was in.
func TestAMissingTokenIsNotLookedForInItsFormerFile(t *testing.T) {
	file, token := withWebhook(t, false), filepath.Join(t.TempDir(), "token")
	text, err := os.ReadFile(file)
	if err == nil {
		err = errors.Join(os.WriteFile(token, []byte("old-token\n"), 0o600),
			os.WriteFile(file, []byte(strings.Replace(string(text), "APPLICATION_TOKEN=old-token", "APPLICATION_TOKEN_FILE="+token, 1)), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	_, out, err := set(t, setup.Config{Output: file, Force: true, Given: setup.Answers{Webhook: "https://new.bitrix24.ru/rest/1/s/"}})
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(out, "was that of old.bitrix24.ru") {
		t.Errorf("%v\n%s", err, out)
	}
}

// --set may bring the token or the member_id of the webhook that a flag brings.
func TestATokenBySetBelongsToTheWebhookOfTheFlag(t *testing.T) {
	value, out, err := set(t, setup.Config{Given: setup.Answers{
		Database: "sqlite", Webhook: "https://new.bitrix24.ru/rest/1/s/",
		Others: map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": "new", "LEADSYNC_B24_MEMBER_ID": formerMember},
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, value, map[string]string{
		"LEADSYNC_B24_WEBHOOK_URL": "https://new.bitrix24.ru/rest/1/s/", "LEADSYNC_B24_APPLICATION_TOKEN": "new", "LEADSYNC_B24_MEMBER_ID": formerMember,
	})
}

// A token that the service cannot read is asked for again, and not the webhook beside it.
func TestATokenThatCannotBeReadIsAskedForAgain(t *testing.T) {
	const webhook = "https://p.bitrix24.ru/rest/1/s/"
	answers := [][2]string{{"SQL Server", "sqlite"}, {"Address", ""}, {"whole inbound webhook", webhook}}
	for name, test := range map[string]struct {
		given   setup.Answers
		answers [][2]string
	}{
		"typed":  {setup.Answers{DataDir: "data"}, [][2]string{{"as Bitrix24 shows it", ","}, {"outgoing webhook's token", "token"}}},
		"a flag": {setup.Answers{DataDir: "data", WebhookToken: ","}, [][2]string{{"outgoing webhook's token", "token"}}},
	} {
		p := &person{t: t, answers: append(slices.Clone(answers), test.answers...)}
		value, out, err := set(t, setup.Config{Person: p, Given: test.given})
		if err != nil || strings.Count(out, "LEADSYNC_B24_APPLICATION_TOKEN: not a list of tokens") != 1 {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_APPLICATION_TOKEN": "token", "LEADSYNC_B24_WEBHOOK_URL": webhook})
	}
}

// Flags that no answer can mend are refused before a person is asked.
func TestFlagsOfAPortalAreReadFirst(t *testing.T) {
	for want, given := range map[string]setup.Answers{
		"LEADSYNC_B24_APPLICATION_TOKEN: not a list": {Webhook: "https://p.bitrix24.ru/rest/1/s/", WebhookToken: ","},
		"LEADSYNC_B24_PORTALS: an entry is an":       {Portal: "our portal"},
		"LEADSYNC_B24_MEMBER_ID: not a member id":    {Webhook: "https://p.bitrix24.ru/rest/1/s/", WebhookToken: "t", MemberID: "no id"},
	} {
		if _, out, err := set(t, setup.Config{Person: &person{t: t}, Given: given}); !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q\n%s", err, want, out)
		}
	}
	if _, out, err := set(t, setup.Config{Given: setup.Answers{WebhookToken: "t"}}); !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), "LEADSYNC_B24_WEBHOOK_URL: missing") {
		t.Errorf("a token alone: %v\n%s", err, out)
	}
}

// A webhook in a file of its own needs no former file, and its token may be a flag.
func TestAWebhookBySetTakesTheTokenOfTheFlag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "webhook")
	if err := os.WriteFile(file, []byte("https://p.bitrix24.ru/rest/1/s/\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	given := setup.Answers{Database: "sqlite", PublicURL: "https://l.example.com", WebhookToken: "t", MemberID: formerMember, Others: map[string]string{"LEADSYNC_B24_WEBHOOK_URL_FILE": file}}
	for _, person := range []setup.Terminal{nil, &person{t: t, answers: [][2]string{{"The portal's address", ""}}}} {
		value, out, err := set(t, setup.Config{Given: given, Person: person})
		if err != nil || strings.Contains(out, "Local application") {
			t.Fatalf("%v\n%s", err, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_WEBHOOK_URL": "https://p.bitrix24.ru/rest/1/s/", "LEADSYNC_B24_APPLICATION_TOKEN": "t", "LEADSYNC_B24_MEMBER_ID": formerMember})
	}
}

// A webhook in capitals is refused as one: its secret must not be taken for the path of a portal's address.
func TestAWebhookInCapitalsIsNoPortal(t *testing.T) {
	p := &person{t: t, answers: [][2]string{
		{"SQL Server", "sqlite"},
		{"Address", ""},
		{"whole inbound webhook", "HTTPS://P.BITRIX24.RU/REST/1/HUNTER2/"},
		{"The inbound webhook", "https://p.bitrix24.ru/rest/1/s/"},
		{"as Bitrix24 shows it", "token"},
	}}
	value, out, err := set(t, setup.Config{Person: p, Given: setup.Answers{DataDir: "data"}})
	if err != nil || !strings.Contains(out, "LEADSYNC_B24_WEBHOOK_URL: not an inbound webhook") || strings.Contains(out, "HUNTER2") {
		t.Fatalf("%v\n%s", err, out)
	}
	want(t, value, map[string]string{"LEADSYNC_B24_WEBHOOK_URL": "https://p.bitrix24.ru/rest/1/s/", "LEADSYNC_B24_PORTALS": ""})
}
