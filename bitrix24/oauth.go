package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"leadsync/leads"
)

// OAuth talks to Bitrix24's authorization servers as one application. It sends secrets in
// bodies, never in URLs, and only to servers that Trust allows.
type OAuth struct {
	ClientID     string
	ClientSecret leads.Secret
	Trust        Trust
	HTTP         *http.Client
	Now          func() time.Time
}

// As returns an OAuth for another application; "" returns o itself.
func (o *OAuth) As(clientID string, secret leads.Secret) *OAuth {
	if clientID == "" {
		return o
	}
	other := *o
	other.ClientID, other.ClientSecret = clientID, secret
	return &other
}

const formType = "application/x-www-form-urlencoded"

// Pair is what an authorization server issues: tokens, and the portal they are for.
// Source: docs/bitrix24.md 1.4.
type Pair struct {
	leads.Grant

	ClientEndpoint string
	ServerEndpoint string
}

// Exchange turns the code of a redirect into tokens. A code can be used once, within 30 s.
// server is the redirect's server_domain. The error is *Error if the server refused.
func (o *OAuth) Exchange(ctx context.Context, server, code string) (Pair, error) {
	return o.grant(ctx, server, "authorization_code", url.Values{"code": {code}})
}

// Refresh turns a refresh token into a new pair. The old one must not be used again. The
// error is *Error if the server refused.
func (o *OAuth) Refresh(ctx context.Context, server string, token leads.Secret) (Pair, error) {
	return o.grant(ctx, server, "refresh_token", url.Values{"refresh_token": {token.Reveal()}})
}

func (o *OAuth) grant(ctx context.Context, server, kind string, form url.Values) (Pair, error) {
	base, err := o.Trust.AuthServer(server)
	if err != nil {
		return Pair{}, err
	}
	form.Set("grant_type", kind)
	form.Set("client_id", o.ClientID)
	form.Set("client_secret", o.ClientSecret.Reveal())
	r, err := post(ctx, o.HTTP, request{
		url: base + "/oauth/token/", contentType: formType, body: []byte(form.Encode()),
		secrets: []leads.Secret{o.ClientSecret, leads.Secret(form.Get("refresh_token")), leads.Secret(form.Get("code"))},
	})
	if err != nil {
		return Pair{}, fmt.Errorf("%s at %s: %w", kind, base, err)
	}
	raw, err := findObject(r.body, "access_token", "error")
	if err != nil {
		return Pair{}, aboutNoLead(r.told(garbled(kind, r.status, err.Error())))
	}
	var body struct {
		Error          json.RawMessage `json:"error"`
		Description    lenientText     `json:"error_description"`
		AccessToken    lenientText     `json:"access_token"`
		RefreshToken   lenientText     `json:"refresh_token"`
		ExpiresIn      lenientFloat    `json:"expires_in"`
		Scope          lenientText     `json:"scope"`
		MemberID       lenientText     `json:"member_id"`
		UserID         lenientFloat    `json:"user_id"`
		ClientEndpoint lenientText     `json:"client_endpoint"`
		ServerEndpoint lenientText     `json:"server_endpoint"`
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return Pair{}, aboutNoLead(r.told(garbled(kind, r.status, "the answer is not a JSON object")))
	}
	// A pair is taken whatever stands in error beside it: the server has spent the old one.
	if body.AccessToken == "" || body.RefreshToken == "" {
		if isEmpty(body.Error) {
			return Pair{}, aboutNoLead(r.told(garbled(kind, r.status, "the answer has no tokens")))
		}
		code, description := said(body.Error, body.Description)
		return Pair{}, aboutNoLead(r.told(newError(kind, r.status, code, description)))
	}
	return Pair{
		Grant: leads.Grant{
			MemberID: memberID(string(body.MemberID)), AccessToken: leads.Secret(body.AccessToken),
			RefreshToken: leads.Secret(body.RefreshToken), ExpiresAt: o.Now().Add(lifeOf(float64(body.ExpiresIn))),
			Scope: string(body.Scope), UserID: int64(body.UserID), ClientID: o.ClientID,
		},
		ClientEndpoint: string(body.ClientEndpoint), ServerEndpoint: string(body.ServerEndpoint),
	}, nil
}

// tokenLife is how long an access token is valid where the answer does not say so, or says
// something impossible: the documented hour (docs/bitrix24.md 1.4). A life that was taken
// too long would cost one refused request, nothing more.
const tokenLife = time.Hour

// longestLife is the longest life of an access token that is believed.
const longestLife = 365 * 24 * time.Hour

// lifeOf is how long a token with that expires_in is valid.
func lifeOf(seconds float64) time.Duration {
	if seconds <= 0 || seconds > longestLife.Seconds() {
		return tokenLife
	}
	return time.Duration(seconds * float64(time.Second))
}

// Installation is what the authorization server says about an access token: to which portal,
// application and user it belongs.
// Source: docs/bitrix24.md 1.14.
type Installation struct {
	ClientID       string
	UserID         int64
	Scope          string
	MemberID       string
	ClientEndpoint string
	Installed      bool
}

// AppInfo asks the authorization server about an access token. Use it to verify an
// installation: anybody can post one.
func (o *OAuth) AppInfo(ctx context.Context, server string, token leads.Secret) (Installation, error) {
	const method = "app.info"
	base, err := o.Trust.AuthServer(server)
	if err != nil {
		return Installation{}, err
	}
	form := url.Values{"auth": {token.Reveal()}}
	r, err := post(ctx, o.HTTP, request{url: base + "/rest/app.info", contentType: formType, body: []byte(form.Encode()), secrets: []leads.Secret{token}})
	if err != nil {
		return Installation{}, fmt.Errorf("%s at %s: %w", method, base, err)
	}
	answer, err := decodeAnswer(method, r)
	if err != nil {
		return Installation{}, err
	}
	var body struct {
		ClientID lenientText     `json:"client_id"`
		UserID   lenientFloat    `json:"user_id"`
		Scope    any             `json:"scope"`
		Install  json.RawMessage `json:"install"`
	}
	var install struct {
		Installed      lenientBool `json:"installed"`
		MemberID       lenientText `json:"member_id"`
		ClientEndpoint lenientText `json:"client_endpoint"`
	}
	if err := json.Unmarshal(answer.Result, &body); err != nil {
		return Installation{}, garbled(method, r.status, "the answer is not one to app.info")
	}
	if !isEmpty(body.Install) { // PHP writes an empty map as a list
		if err := json.Unmarshal(body.Install, &install); err != nil {
			return Installation{}, garbled(method, r.status, "the answer is not one to app.info")
		}
	}
	scope, _ := body.Scope.(string) // only displayed; some servers send a list
	return Installation{
		ClientID: string(body.ClientID), UserID: int64(body.UserID), Scope: scope, MemberID: memberID(string(install.MemberID)),
		ClientEndpoint: string(install.ClientEndpoint), Installed: bool(install.Installed),
	}, nil
}

// aboutNoLead changes the error of an authorization server that would blame a lead: what the
// server does not understand today, or what a proxy before it refuses, is tried again later.
func aboutNoLead(e *Error) *Error {
	switch e.Reaction {
	case Never, NoAccess, NotFound:
		e.Reaction = Repeat
	default: // it is about the tokens or the server already
	}
	return e
}
