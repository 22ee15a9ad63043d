package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// collectOutput records what the service answers to anybody, and the present tokens.
func (h *harness) collectOutput() {
	h.t.Helper()
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		response, err := http.Get(h.serve.admin() + path)
		if err != nil {
			return // it was killed again
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return
		}
		h.output.Write(body)
	}
	info := h.portal.Info()
	grants, err := h.db.Grants(h.t.Context(), info.MemberID)
	if err != nil {
		return // the database is away
	}
	for _, g := range grants {
		h.secrets["access token"+g.AccessToken.Reveal()] = g.AccessToken.Reveal()
		h.secrets["refresh token"+g.RefreshToken.Reveal()] = g.RefreshToken.Reveal()
	}
}

// wantNoSecrets fails the test if a token, a secret, a phone number, a mail address or a name
// occurs in what the processes have logged or answered.
func (h *harness) wantNoSecrets() {
	h.t.Helper()
	info := h.portal.Info()
	h.secrets["client secret"], h.secrets["application token"] = info.ClientSecret, info.ApplicationToken
	h.secrets["webhook"], h.secrets["webhook's token"] = info.Webhook, info.WebhookApplicationToken
	for _, raw := range h.portal.Leads() {
		h.noteSecrets(raw)
	}
	for _, c := range []*child{h.serve, h.nats} {
		if c == nil {
			continue
		}
		log, err := os.ReadFile(c.log)
		if err != nil {
			h.t.Fatal(err)
		}
		h.output.Write(log)
	}
	said := strings.ReplaceAll(h.output.String(), `\\`, `\`) // JSON within JSON
	for what, secret := range h.secrets {
		if at := strings.Index(said, secret); at >= 0 {
			h.t.Errorf("a %s was shown: …%s…", strings.TrimSuffix(what, secret), strings.ReplaceAll(said[max(0, at-200):at], secret, "…"))
		}
	}
	h.t.Logf("%d secrets looked for in %d KB of logs, metrics and readiness", len(h.secrets), len(said)>>10)
	if len(h.secrets) < 100 || !strings.Contains(said, info.MemberID) {
		h.t.Error("too few secrets, or an empty output")
	}
}

// noteSecrets records the personal data of a lead.
func (h *harness) noteSecrets(raw json.RawMessage) {
	h.t.Helper()
	var card struct {
		Name   string `json:"NAME"`
		Second string `json:"SECOND_NAME"`
		Last   string `json:"LAST_NAME"`
		Phone  []struct {
			Value string `json:"VALUE"`
		} `json:"PHONE"`
		Email []struct {
			Value string `json:"VALUE"`
		} `json:"EMAIL"`
	}
	if err := json.Unmarshal(raw, &card); err != nil {
		h.t.Fatal(err)
	}
	note := func(what, value string) {
		if utf8.RuneCountInString(value) >= 4 { // shorter ones occur by chance
			h.secrets[what+value] = value
			escaped := strings.Trim(strconv.QuoteToASCII(value), `"`)
			h.secrets[what+escaped] = escaped // as in the portal's JSON
		}
	}
	note("name", card.Name)
	note("name", card.Second)
	note("name", card.Last)
	for _, phone := range card.Phone {
		note("phone", phone.Value)
	}
	for _, email := range card.Email {
		note("mail address", email.Value)
	}
}
