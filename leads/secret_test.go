package leads_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"leadsync/leads"
)

// A secret must stay hidden however it is printed and whatever contains it. (Except as the key
// of a map, where encoding/json uses the string itself.)
func TestSecretsDoNotShow(t *testing.T) {
	const secret = "hunter2"
	grant := leads.Grant{MemberID: "m", AccessToken: secret, RefreshToken: secret}
	portal := leads.Portal{MemberID: "m", WebhookURL: secret}
	for _, value := range []any{
		leads.Secret(secret), &grant, grant, portal,
		[]leads.Secret{secret},
		map[string]leads.Secret{"a": secret},
		struct{ S any }{leads.Secret(secret)},
		fmt.Errorf("refused: %v", leads.Secret(secret)),
	} {
		for _, shown := range []string{
			fmt.Sprint(value), fmt.Sprintf("%+v", value), fmt.Sprintf("%#v", value), fmt.Sprintf("%s", value), fmt.Sprintf("%q", value),
			marshalled(t, value), logged(value, false), logged(value, true),
		} {
			if strings.Contains(shown, secret) {
				t.Errorf("%T shows as %s", value, shown)
			}
		}
	}
	if got := fmt.Sprint(leads.Secret(secret)); got != "[redacted]" {
		t.Errorf("prints %q", got)
	}
	if got := leads.Secret("").String(); got != "" {
		t.Errorf("nothing prints %q", got)
	}
	if got := leads.Secret(secret).Reveal(); got != secret {
		t.Errorf("reveals %q", got)
	}
	if text, err := xml.Marshal(leads.Secret(secret)); err != nil || strings.Contains(string(text), secret) {
		t.Errorf("XML: %s, %v", text, err)
	}
}

func marshalled(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func logged(value any, asJSON bool) string {
	var b bytes.Buffer
	var handler slog.Handler = slog.NewTextHandler(&b, nil)
	if asJSON {
		handler = slog.NewJSONHandler(&b, nil)
	}
	slog.New(handler).Info("shown", "value", value)
	return b.String()
}

func TestTokensAreRecognised(t *testing.T) {
	p := leads.Portal{TokenHash: leads.HashToken("token")}
	for token, want := range map[leads.Secret]bool{"token": true, "Token": false, "": false, "token ": false} {
		if got := p.Recognises(token); got != want {
			t.Errorf("%q: %v", token.Reveal(), got)
		}
	}
	several := leads.Portal{TokenHash: leads.HashTokens(" b,a,, b ,c")}
	for token, want := range map[leads.Secret]bool{"a": true, "b": true, "c": true, "d": false, "": false, " ": false, "a,b": false} {
		if got := several.Recognises(token); got != want {
			t.Errorf("of several, %q: %v", token.Reveal(), got)
		}
	}
	if several.RecognisesHash(several.TokenHash) || several.RecognisesHash("") {
		t.Error("the list of hashes is taken for a hash")
	}
	if leads.HashTokens("c,b,a") != several.TokenHash || leads.HashTokens("a") != leads.HashToken("a") || leads.HashTokens(" ,") != "" {
		t.Error("a list of tokens has several hashes")
	}
	unknown := leads.Portal{TokenHash: ""}
	if unknown.Recognises("") || unknown.Recognises("token") {
		t.Error("a portal without a token recognises one")
	}
}
