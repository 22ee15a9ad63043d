package setup

import (
	"strings"
	"testing"
)

func TestWhatComesNextFitsWhatIsKnown(t *testing.T) {
	const public, id, secret = "LEADSYNC_PUBLIC_URL", "LEADSYNC_B24_CLIENT_ID", "LEADSYNC_B24_CLIENT_SECRET"
	for name, c := range map[string]struct {
		owner     string
		answers   map[string]string
		want, not string
	}{
		"root":                 {"leadsync", nil, "  sudo -u leadsync leadsync doctor\n", "  leadsync "},
		"another user":         {"", nil, "  leadsync doctor\n", "sudo"},
		"no public address":    {"", nil, "set LEADSYNC_PUBLIC_URL", "save the form"},
		"no client id":         {"", map[string]string{public: "https://l.example.com"}, "put client_id and client_secret", "set LEADSYNC_PUBLIC_URL"},
		"client id and secret": {"", map[string]string{public: "https://l.example.com", id: "local.1", secret: "s"}, "save the form", "client_id"},
		"a secret in a file":   {"", map[string]string{public: "https://l.example.com", id: "local.1", secret + "_FILE": "/s"}, "save the form", "client_id"},
		"a webhook":            {"", map[string]string{webhookURL: "https://p.bitrix24.ru/rest/1/s/"}, "doctor", "save the form"},
	} {
		var out strings.Builder
		s := &setup{Config: Config{Out: &out, Owner: c.owner, Standard: true}, answers: c.answers, takeOver: true}
		s.next()
		_, next, _ := strings.Cut(out.String(), "Next:\n")
		if !strings.Contains(next, c.want) || strings.Contains(next, c.not) {
			t.Errorf("%s: want %q and not %q in\n%s", name, c.want, c.not, next)
		}
	}
}
