package service

import (
	"net"
	"net/url"
	"strconv"
	"strings"

	"leadsync/bitrix24"
	"leadsync/leads"
)

func readHosts(e *environment, name string) []string {
	hosts := e.list(name)
	for _, host := range hosts {
		if _, _, err := net.SplitHostPort(host); err != nil {
			e.fault(name, "an entry is not host:port", "a list such as 127.0.0.1:8924,127.0.0.1:8925")
		}
	}
	return hosts
}

// readPortals reads names of portals: member ids, or hosts as they stand in a browser.
func readPortals(e *environment, name string) []string {
	portals := e.list(name)
	for _, portal := range portals {
		if strings.ContainsAny(portal, "/? ") {
			e.fault(name, "an entry is an address", "the host alone, such as company.bitrix24.ru, or the member_id")
		}
	}
	return portals
}

// readAuthHosts reads names of hosts that are asked over https.
func readAuthHosts(e *environment, name string) []string {
	hosts := e.list(name)
	for i, host := range hosts {
		host = strings.ToLower(host)
		if u, err := url.Parse("https://" + host); err != nil || u.Host != host || !strings.Contains(host, ".") {
			e.fault(name, "an entry is not the name of a host", "a list such as oauth.bitrix24.info, without https:// and without a path")
		}
		hosts[i] = host
	}
	return hosts
}

// mostTokens is how many hashes of tokens the database keeps for a portal.
const mostTokens = 20

// readWebhookTokens reads the tokens of outgoing webhooks: each webhook has its own.
func readWebhookTokens(e *environment, name string) leads.Secret {
	value := leads.Secret(e.text(name))
	hashes := strings.Fields(leads.HashTokens(value))
	if (value != "" && len(hashes) == 0) || len(hashes) > mostTokens {
		e.fault(name, "not a list of tokens", "the token of each outgoing webhook, with commas between them, at most "+strconv.Itoa(mostTokens))
	}
	return value
}

func readPublicURL(e *environment, name string) string {
	value := strings.TrimRight(e.text(name), "/")
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err == nil && !strings.Contains(value, "://") {
		e.fault(name, "it does not say https://", "the whole address, such as https://leads.example.com")
		return ""
	}
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || !strings.Contains(u.Hostname(), ".") || u.RawQuery != "" || u.Fragment != "" {
		e.fault(name, "not an address that Bitrix24 can reach", "https://leads.example.com (the host needs a dot: Bitrix24 refuses localhost)")
		return value
	}
	for _, own := range leads.PublicPaths {
		if before, found := strings.CutSuffix(u.Path, own); found {
			e.fault(name, "it ends in leadsync's own path "+own, u.Scheme+"://"+u.Host+strings.TrimRight(before, "/")+" (leadsync adds its paths itself)")
		}
	}
	return value
}

func readWebhook(e *environment, name string, trust bitrix24.Trust) leads.Secret {
	value := e.text(name)
	if value == "" {
		return ""
	}
	endpoint, err := trust.Endpoint(value)
	if err != nil || !strings.Contains(endpoint, "/rest/") {
		e.fault(name, "not an inbound webhook", "https://portal.bitrix24.com/rest/<user>/<secret>/ (plain http only for hosts in LEADSYNC_B24_INSECURE_HOSTS)")
	}
	return leads.Secret(endpoint)
}

func readMemberID(e *environment, name string) string {
	value := e.text(name)
	if value != "" && !leads.ValidMemberID(value) {
		e.fault(name, "not a member id", "the 32 hex digits that Bitrix24 sends as member_id")
	}
	return value
}

func readSolutionField(e *environment, name string) string {
	value := e.text(name)
	if value != "" && (!strings.HasPrefix(value, "UF_CRM_") || !leads.ValidFieldName(value)) {
		e.fault(name, "not a custom field", "the code of a custom field of leads, in capital letters, such as UF_CRM_1387525788")
	}
	return value
}

func readRegion(e *environment, name string) string {
	value := e.text(name)
	if !leads.ValidPhoneRegion(value) {
		e.fault(name, "unknown country", "two capital letters, such as RU, KZ or BY")
	}
	return value
}
