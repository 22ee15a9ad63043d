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

// overhear keeps what the service tells anybody who asks, and the tokens of the moment.
func (d *drill) overhear() {
	d.t.Helper()
	for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
		response, err := http.Get(d.url + path)
		if err != nil {
			return // it was killed again
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return
		}
		d.heard.Write(body)
	}
	info := d.portal.Info()
	grants, err := d.db.Grants(d.t.Context(), info.MemberID)
	if err != nil {
		return // the database is away
	}
	for _, g := range grants {
		d.secrets["access token"+g.AccessToken.Reveal()] = g.AccessToken.Reveal()
		d.secrets["refresh token"+g.RefreshToken.Reveal()] = g.RefreshToken.Reveal()
	}
}

// discreet fails the test if a token, a secret, a phone number, a mail address or a name
// occurs in anything that the processes have said.
func (d *drill) discreet() {
	d.t.Helper()
	info := d.portal.Info()
	d.secrets["client secret"], d.secrets["application token"] = info.ClientSecret, info.ApplicationToken
	d.secrets["webhook"], d.secrets["webhook's token"] = info.Webhook, info.WebhookApplicationToken
	for _, raw := range d.portal.Leads() {
		d.confide(raw)
	}
	for _, c := range []*child{d.serve, d.nats} {
		if c == nil {
			continue
		}
		log, err := os.ReadFile(c.log)
		if err != nil {
			d.t.Fatal(err)
		}
		d.heard.Write(log)
	}
	said := strings.ReplaceAll(d.heard.String(), `\\`, `\`) // JSON within JSON
	for what, secret := range d.secrets {
		if at := strings.Index(said, secret); at >= 0 {
			d.t.Errorf("a %s was told: …%s…", strings.TrimSuffix(what, secret), strings.ReplaceAll(said[max(0, at-200):at], secret, "…"))
		}
	}
	d.t.Logf("%d secrets looked for in %d KB of logs, metrics and readiness", len(d.secrets), len(said)>>10)
	if len(d.secrets) < 100 || !strings.Contains(said, info.MemberID) {
		d.t.Error("nothing was looked for, or nowhere")
	}
}

// confide notes what is private of a lead.
func (d *drill) confide(raw json.RawMessage) {
	d.t.Helper()
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
		d.t.Fatal(err)
	}
	note := func(what, value string) {
		if utf8.RuneCountInString(value) >= 4 { // shorter ones occur by chance
			d.secrets[what+value] = value
			escaped := strings.Trim(strconv.QuoteToASCII(value), `"`)
			d.secrets[what+escaped] = escaped // as in the portal's JSON
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
