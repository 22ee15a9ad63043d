package service

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"leadsync/leads"
)

// readAdmin reads how the operators' face is set up.
func readAdmin(e *environment) Admin {
	a := Admin{
		Addr:          readAdminAddress(e, "LEADSYNC_ADMIN_ADDR"),
		PublicAPI:     e.onOff("LEADSYNC_PUBLIC_API"),
		LocalToken:    e.choice("LEADSYNC_ADMIN_LOCAL_TOKEN", "required", "off") == "required",
		OperatorToken: e.apiToken("LEADSYNC_OPERATOR_TOKEN"),
		CardToken:     e.apiToken("LEADSYNC_CARD_TOKEN"),
		TrustHeader:   e.text("LEADSYNC_ADMIN_TRUST_HEADER"),
		Operators:     e.list("LEADSYNC_ADMIN_OPERATORS"),
	}
	if strings.ContainsFunc(a.TrustHeader, func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z') }) {
		e.fault("LEADSYNC_ADMIN_TRUST_HEADER", "not a name of a header", "the header in which the reverse proxy names the person who logged in, such as X-Remote-User")
	}
	switch {
	case a.TrustHeader == "" && len(a.Operators) > 0:
		e.fault("LEADSYNC_ADMIN_OPERATORS", "set without LEADSYNC_ADMIN_TRUST_HEADER", "it only beside that: it names people whom a reverse proxy has logged in")
	case a.TrustHeader != "" && !isLocal(a.Addr):
		e.fault("LEADSYNC_ADMIN_TRUST_HEADER", "set while others can reach LEADSYNC_ADMIN_ADDR, who could send that header themselves", "LEADSYNC_ADMIN_ADDR on this machine, such as 127.0.0.1:8081 or unix:/run/leadsync/admin.sock")
	}
	return a
}

// readAdminAddress reads host:port, a unix socket, or off, which is "".
func readAdminAddress(e *environment, name string) string {
	value := e.text(name)
	if value == "off" {
		return ""
	}
	if path, ok := strings.CutPrefix(value, unixScheme); ok {
		if !filepath.IsAbs(path) {
			e.fault(name, "not the path of a socket", "unix: and a whole path, such as unix:/run/leadsync/admin.sock")
		}
		return value
	}
	return e.address(name)
}

// isLocal tells addresses that only this machine can reach; that of a name nobody knows yet.
func isLocal(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if strings.HasPrefix(addr, unixScheme) || err != nil { // what is no address has been reported
		return true
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// checkTokensDiffer refuses a token that would have two rights.
func checkTokensDiffer(e *environment, cfg Config) {
	names := map[leads.Secret]string{}
	for _, token := range []struct {
		name  string
		value leads.Secret
	}{
		{"LEADSYNC_API_TOKEN", cfg.APIToken},
		{"LEADSYNC_OPERATOR_TOKEN", cfg.Admin.OperatorToken},
		{"LEADSYNC_CARD_TOKEN", cfg.Admin.CardToken},
	} {
		if other, known := names[token.value]; known && token.value != "" {
			e.fault(token.name, "the same as "+other, "a token of its own: each opens something else")
		}
		names[token.value] = token.name
	}
}
