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

// OAuth talks to Bitrix24's authorization servers. Secrets go there in bodies, never in
// URLs, and only to servers that Trust allows.
type OAuth struct {
	ClientID     string
	ClientSecret leads.Secret
	Trust        Trust
	HTTP         *http.Client
	Now          func() time.Time
}

// Pair is what an authorization server gives: tokens, and the portal they are for.
// Source: facts 1.4.
type Pair struct {
	leads.Grant

	ClientEndpoint string
	ServerEndpoint string
}

// Exchange turns the code of a redirect into tokens; the code lives 30 s and once.
// server is the redirect's server_domain.
func (o *OAuth) Exchange(ctx context.Context, server, code string) (Pair, error) {
	return o.grant(ctx, server, "authorization_code", url.Values{"code": {code}})
}

// Refresh turns a refresh token into a new pair. The old one must not be used again.
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
	status, data, err := post(ctx, o.HTTP, base+"/oauth/token/", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return Pair{}, fmt.Errorf("%s at %s: %w", kind, base, err)
	}
	var body struct {
		Error          json.RawMessage `json:"error"`
		Description    string          `json:"error_description"`
		AccessToken    leads.Secret    `json:"access_token"`
		RefreshToken   leads.Secret    `json:"refresh_token"`
		ExpiresIn      int64           `json:"expires_in"`
		Scope          string          `json:"scope"`
		MemberID       string          `json:"member_id"`
		UserID         int64           `json:"user_id"`
		ClientEndpoint string          `json:"client_endpoint"`
		ServerEndpoint string          `json:"server_endpoint"`
	}
	if err := json.Unmarshal(data, &body); err != nil {
		return Pair{}, garbled(kind, status, "the answer is not JSON")
	}
	if body.Error != nil {
		return Pair{}, newError(kind, status, text(body.Error), body.Description)
	}
	if body.AccessToken == "" || body.RefreshToken == "" {
		return Pair{}, garbled(kind, status, "the answer has no tokens")
	}
	return Pair{
		Grant: leads.Grant{
			MemberID: body.MemberID, AccessToken: body.AccessToken, RefreshToken: body.RefreshToken,
			ExpiresAt: o.Now().Add(time.Duration(body.ExpiresIn) * time.Second),
			Scope:     body.Scope, UserID: body.UserID, ClientID: o.ClientID,
		},
		ClientEndpoint: body.ClientEndpoint, ServerEndpoint: body.ServerEndpoint,
	}, nil
}

// Installation is what the authorization server says of an access token: whose it is.
// Source: facts 1.14.
type Installation struct {
	ClientID       string
	UserID         int64
	Scope          string
	MemberID       string
	ClientEndpoint string
	Installed      bool
}

// AppInfo asks the authorization server about an access token. It is how an installation
// is verified: anybody can post one.
func (o *OAuth) AppInfo(ctx context.Context, server string, token leads.Secret) (Installation, error) {
	const method = "app.info"
	base, err := o.Trust.AuthServer(server)
	if err != nil {
		return Installation{}, err
	}
	form := url.Values{"auth": {token.Reveal()}}
	status, data, err := post(ctx, o.HTTP, base+"/rest/app.info", "application/x-www-form-urlencoded", []byte(form.Encode()))
	if err != nil {
		return Installation{}, fmt.Errorf("%s at %s: %w", method, base, err)
	}
	answer, err := decodeAnswer(method, status, data)
	if err != nil {
		return Installation{}, err
	}
	var body struct {
		ClientID string `json:"client_id"`
		UserID   int64  `json:"user_id"`
		Scope    any    `json:"scope"`
		Install  struct {
			Installed      bool   `json:"installed"`
			MemberID       string `json:"member_id"`
			ClientEndpoint string `json:"client_endpoint"`
		} `json:"install"`
	}
	if err := json.Unmarshal(answer.Result, &body); err != nil {
		return Installation{}, garbled(method, status, "the answer is not that of app.info")
	}
	scope, _ := body.Scope.(string) // for display only; some servers send a list
	return Installation{
		ClientID: body.ClientID, UserID: body.UserID, Scope: scope, MemberID: body.Install.MemberID,
		ClientEndpoint: body.Install.ClientEndpoint, Installed: body.Install.Installed,
	}, nil
}
