package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadsync/setup"
)

// A webhook leaves nothing of the application in whose place it comes, but what came with it.
func TestAWebhookTakesTheApplicationsPlace(t *testing.T) {
	const webhook = "https://new.bitrix24.ru/rest/1/s/"
	gone := map[string]string{"LEADSYNC_B24_CLIENT_ID": "", "LEADSYNC_B24_CLIENT_SECRET": "", "LEADSYNC_B24_PORTALS": "", "LEADSYNC_B24_WEBHOOK_URL": webhook, "LEADSYNC_B24_APPLICATION_TOKEN": "t"}
	kept := map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2", "LEADSYNC_B24_CLIENT_SECRET": "s2", "LEADSYNC_B24_PORTALS": "new.bitrix24.ru", "LEADSYNC_B24_WEBHOOK_URL": webhook}
	for name, test := range map[string]struct {
		given   setup.Answers
		answers [][2]string
		values  map[string]string
	}{
		"a person":       {setup.Answers{}, [][2]string{{"the database of the former file", ""}, {"Address", ""}, {"as in the former file", webhook}, {"as Bitrix24 shows it", "t"}}, gone},
		"a script":       {setup.Answers{Webhook: webhook, WebhookToken: "t"}, nil, gone},
		"--set":          {setup.Answers{WebhookToken: "t", Others: map[string]string{"LEADSYNC_B24_WEBHOOK_URL": webhook}}, nil, gone},
		"beside another": {setup.Answers{Portal: "new.bitrix24.ru", Webhook: webhook, WebhookToken: "t", Others: map[string]string{"LEADSYNC_B24_CLIENT_ID": "local.2", "LEADSYNC_B24_CLIENT_SECRET": "s2"}}, nil, kept},
	} {
		file, _ := used(t)
		cfg := setup.Config{Output: file, Force: true, Given: test.given}
		if test.answers != nil {
			cfg.Person = &person{t: t, answers: test.answers}
		}
		value, out, err := set(t, cfg)
		if err != nil || !strings.Contains(out, "takes the application's place; not kept: LEADSYNC_B24_") == (name != "beside another") {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want(t, value, test.values)
	}
}

// What one flag asks for is not left out because of another.
func TestFlagsOfAWebhookAndAnApplicationAreRefused(t *testing.T) {
	const webhook = "https://p.bitrix24.ru/rest/1/hunter2/"
	for name, test := range map[string]struct {
		given setup.Answers
		want  string
	}{
		"another portal":      {setup.Answers{Webhook: webhook, WebhookToken: "t", Portal: "q.bitrix24.ru"}, "--portal: not the portal of the webhook, want p.bitrix24.ru or no --portal"},
		"an unknown id":       {setup.Answers{Webhook: webhook, WebhookToken: "t", Portal: formerMember}, "--portal: not the portal"},
		"a webhook by --set":  {setup.Answers{WebhookToken: "t", Portal: "q.bitrix24.ru", Others: map[string]string{"LEADSYNC_B24_WEBHOOK_URL": webhook}}, "--portal: not the portal"},
		"an application, too": {setup.Answers{Webhook: webhook, WebhookToken: "t", ClientID: "local.1", ClientSecret: "s"}, "--client-id, --client-secret: set beside a webhook"},
		"a token alone":       {setup.Answers{WebhookToken: "t", Portal: "p.bitrix24.ru"}, "--webhook-token, --member-id: set beside --portal"},
		"a member_id alone":   {setup.Answers{MemberID: formerMember, ClientID: "local.1"}, "--webhook-token, --member-id: set beside --portal"},
	} {
		for _, terminal := range []setup.Terminal{nil, &person{t: t}} { // who is not asked
			_, out, err := set(t, setup.Config{Output: withWebhook(t, false), Force: true, Given: test.given, Person: terminal})
			if !errors.Is(err, setup.ErrAnswer) || !strings.Contains(err.Error(), test.want) || strings.Contains(out+err.Error(), "hunter2") {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
	for name, given := range map[string]setup.Answers{
		"the same host": {Webhook: webhook, WebhookToken: "t", Portal: "https://P.bitrix24.ru/crm/"},
		"its member_id": {Webhook: webhook, WebhookToken: "t", Portal: formerMember, MemberID: formerMember},
		"by --set":      {WebhookToken: "t", Portal: "p.bitrix24.ru", Others: map[string]string{"LEADSYNC_B24_WEBHOOK_URL": webhook}},
	} {
		value, out, err := set(t, setup.Config{Given: given})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		want(t, value, map[string]string{"LEADSYNC_B24_WEBHOOK_URL": webhook, "LEADSYNC_B24_APPLICATION_TOKEN": "t"})
	}
}

// A flag's token is of no use to an application that a person chooses, and is not dropped without a word.
func TestAFlagsTokenIsNotDroppedInSilence(t *testing.T) {
	for name, file := range map[string]string{"a former webhook": withWebhook(t, false), "a new file": ""} {
		p := &person{t: t, answers: [][2]string{{"Address", ""}, {"The portal's address", "new.bitrix24.ru"}}}
		value, out, err := set(t, setup.Config{Output: file, Force: true, Person: p, Given: setup.Answers{Database: "sqlite", WebhookToken: "flag", MemberID: formerMember}})
		if err != nil || len(p.answers) > 0 {
			t.Fatalf("%s: %v, left %v\n%s", name, err, p.answers, out)
		}
		for _, setting := range []string{"LEADSYNC_B24_APPLICATION_TOKEN", "LEADSYNC_B24_MEMBER_ID"} {
			if !strings.Contains(out, setting+" belongs to a webhook, and is not kept") || value(setting) != "" {
				t.Errorf("%s: %s is %q\n%s", name, setting, value(setting), out)
			}
		}
	}
}

// Enter means the former file's database, also where --set has named one that does not work.
func TestEnterMeansTheFormerDatabaseInEveryForm(t *testing.T) {
	dir := t.TempDir()
	file, address, down := filepath.Join(dir, "leadsync.env"), filepath.Join(dir, "address"), filepath.Join(dir, "down")
	for name, text := range map[string]string{
		file: "LEADSYNC_DATABASE_URL_FILE=" + address + "\n", address: "sqlserver://sa:p@h:1433?database=d\n", down: "sqlserver://sa:p@down:1433?database=d\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range map[string]string{"LEADSYNC_DATABASE_URL": "sqlserver://sa:p@down:1433?database=d", "LEADSYNC_DATABASE_URL_FILE": down} {
		p := &person{t: t, answers: [][2]string{{"Keep this answer", "n"}, {"the database of the former file", ""}, {"Address", ""}, {"The portal's address", ""}}}
		_, out, err := set(t, setup.Config{Output: file, Force: true, Person: p, Given: setup.Answers{Others: map[string]string{name: value}}})
		if err != nil || len(p.answers) > 0 {
			t.Fatalf("%s: %v, left %v\n%s", name, err, p.answers, out)
		}
		if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "LEADSYNC_DATABASE_URL_FILE="+address+"\n") || strings.Contains(string(text), "down") {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}
