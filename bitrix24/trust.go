package bitrix24

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ErrUntrusted says that no secret may be sent to an address.
var ErrUntrusted = errors.New("address is not trusted")

// authServers are Bitrix24's authorization servers, the international and the Russian one.
// Source: docs/bitrix24.md 1.1.
var authServers = []string{"oauth.bitrix.info", "oauth.bitrix24.tech"}

// Trust decides which addresses may be called. Addresses come in callbacks, which anybody
// can send, so each must be one of the known servers or an https address.
type Trust struct {
	// Insecure lists the host:port pairs that may be called over plain HTTP and are trusted
	// as authorization servers: those of an emulator.
	Insecure []string
	// AuthHosts lists further authorization servers, as host or host:port, called over https.
	AuthHosts []string
}

// AuthServer returns the base address of the authorization server that a callback or a
// redirect names, as a REST endpoint (https://oauth.bitrix.info/rest/) or as a bare host.
// The error is ErrUntrusted.
func (t Trust) AuthServer(named string) (string, error) {
	if named = strings.TrimSpace(named); named == "" {
		return "", fmt.Errorf("%w: no authorization server is named", ErrUntrusted)
	}
	if !strings.Contains(named, "://") {
		scheme := "https://"
		if slices.Contains(t.Insecure, named) {
			scheme = "http://"
		}
		named = scheme + named
	}
	u, err := t.parse(named)
	if err != nil {
		return "", err
	}
	if !t.isAuthServer(u) {
		return "", fmt.Errorf("%w: %q is not a known authorization server of Bitrix24, want %s (to trust this one, add it to LEADSYNC_B24_AUTH_HOSTS)",
			ErrUntrusted, u.Host, strings.Join(authServers, " or "))
	}
	return u.Scheme + "://" + u.Host, nil
}

func (t Trust) isAuthServer(u *url.URL) bool {
	same := func(host string) bool { return strings.EqualFold(host, strings.TrimSuffix(u.Host, ":443")) }
	return slices.Contains(t.Insecure, u.Host) ||
		u.Scheme == "https" && (slices.ContainsFunc(authServers, same) || slices.ContainsFunc(t.AuthHosts, same))
}

// Endpoint checks an address that leads will be read from, which must be https or an
// emulator, and returns it in one spelling: a portal's host in small letters, without the port that
// https has anyway, and with one slash at the end. Portals are known, and allowed, by their hosts; an
// emulator's stays as Insecure lists it. The error is ErrUntrusted.
func (t Trust) Endpoint(raw string) (string, error) {
	u, err := t.parse(raw)
	if err != nil {
		return "", err
	}
	host := u.Host
	if u.Scheme == "https" {
		host = strings.TrimSuffix(strings.TrimSuffix(strings.ToLower(host), ":443"), ".")
	}
	return u.Scheme + "://" + host + strings.TrimRight(u.Path, "/") + "/", nil
}

func (t Trust) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: want an absolute URL without a user name", ErrUntrusted)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !slices.Contains(t.Insecure, u.Host)) {
		return nil, fmt.Errorf("%w: %s is not https (for an emulator, add %s to LEADSYNC_B24_INSECURE_HOSTS)",
			ErrUntrusted, u.Scheme+"://"+u.Host, u.Host)
	}
	return u, nil
}
