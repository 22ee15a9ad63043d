package setup

import (
	"strings"
	"testing"
)

func TestWhatComesNextFitsWhatIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		owner     string
		answers   map[string]string
		want, not string
	}{
		"root":                 {"leadsync", nil, "  sudo -u leadsync leadsync doctor\n", "  leadsync "},
		"another user":         {"", nil, "  leadsync doctor\n", "sudo"},
		"no public address":    {"", nil, "set LEADSYNC_PUBLIC_URL", "save the form"},
		"no client id":         {"", map[string]string{publicURL: "https://l.example.com"}, "put client_id and client_secret", "set LEADSYNC_PUBLIC_URL"},
		"client id and secret": {"", map[string]string{publicURL: "https://l.example.com", clientID: "local.1", clientSecret: "s"}, "save the form", "client_id"},
		"a secret in a file":   {"", map[string]string{publicURL: "https://l.example.com", clientID: "local.1", clientSecret + "_FILE": "/s"}, "save the form", "client_id"},
		"a webhook":            {"", map[string]string{webhookURL: "https://p.bitrix24.ru/rest/1/s/"}, "doctor", "save the form"},
	} {
		var out strings.Builder
		next{cfg: Config{Owner: c.owner, Standard: true}, draft: &draft{answers: c.answers, takeOver: true, person: dialogue{out: &out}}}.say()
		_, said, _ := strings.Cut(out.String(), "Next:\n")
		if !strings.Contains(said, c.want) || strings.Contains(said, c.not) {
			t.Errorf("%s: want %q and not %q in\n%s", name, c.want, c.not, said)
		}
	}
}
