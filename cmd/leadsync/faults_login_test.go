package main

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// keepAuthorized does what an administrator does when the portal needs authorization: the service was
// killed while the answer with its new tokens was on its way. It stores the tokens of a log-in, without
// the pass that a real one starts.
func (h *harness) keepAuthorized() {
	h.t.Helper()
	member := h.portal.Info().MemberID
	portal, ok, err := h.db.Portal(h.t.Context(), member)
	if err != nil || !ok || portal.State != leads.PortalNeedsAuthorization {
		return // or the database is taken away
	}
	h.until("the portal is authorized again", func() bool {
		pair, err := h.logIn()
		return err == nil && h.db.SaveGrant(h.t.Context(), pair) == nil && h.db.SetPortalState(h.t.Context(), member, leads.PortalActive) == nil
	})
	h.authorized++
}

// logIn returns the tokens of a log-in at the portal.
func (h *harness) logIn() (leads.Grant, error) {
	info := h.portal.Info()
	oauth := &bitrix24.OAuth{
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret), HTTP: http.DefaultClient, Now: time.Now,
		Trust: bitrix24.Trust{Insecure: []string{host(info.Portal), host(info.OAuth)}},
	}
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, info.Portal+"/oauth/authorize/?client_id="+url.QueryEscape(info.ClientID), nil)
	if err != nil {
		return leads.Grant{}, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		return leads.Grant{}, err
	}
	defer resp.Body.Close()
	back, err := resp.Location()
	if err != nil {
		return leads.Grant{}, errors.New(resp.Status)
	}
	pair, err := oauth.Exchange(h.t.Context(), back.Query().Get("server_domain"), back.Query().Get("code"))
	return pair.Grant, err
}
