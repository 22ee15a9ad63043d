package setup_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
