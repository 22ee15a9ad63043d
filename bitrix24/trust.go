package bitrix24

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ErrUntrusted says that an address is not one that secrets may be sent to.
var ErrUntrusted = errors.New("address is not trusted")

// authServers are Bitrix24's own authorization servers: international and Russian.
// Source: docs/bitrix24.md 1.1.
var authServers = []string{"oauth.bitrix.info", "oauth.bitrix24.tech"}

// Trust decides which addresses may be spoken to. Addresses come in callbacks that
// anybody can send, so they are only ever chosen from, never believed.
type Trust struct {
	// Insecure lists host:port pairs that may be spoken to over plain HTTP and trusted
	// as authorization servers: the emulator.
	Insecure []string
}

// AuthServer returns the authorization server's base address for what a callback or a
// redirect names: a REST endpoint (https://oauth.bitrix.info/rest/) or a bare host.
func (t Trust) AuthServer(named string) (string, error) {
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
	if !slices.Contains(authServers, u.Host) && !slices.Contains(t.Insecure, u.Host) {
		return "", fmt.Errorf("%w: %q is none of Bitrix24's authorization servers (%s)",
			ErrUntrusted, u.Host, strings.Join(authServers, ", "))
	}
	return u.Scheme + "://" + u.Host, nil
}

// Endpoint checks an address that leads will be read from: https, or the emulator. It
// returns it with one slash at its end.
func (t Trust) Endpoint(raw string) (string, error) {
	u, err := t.parse(raw)
	if err != nil {
		return "", err
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.Path, "/") + "/", nil
}

func (t Trust) parse(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return nil, fmt.Errorf("%w: not an absolute URL", ErrUntrusted)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !slices.Contains(t.Insecure, u.Host)) {
		return nil, fmt.Errorf("%w: %s is not https (for an emulator name %s in LEADSYNC_B24_INSECURE_HOSTS)",
			ErrUntrusted, u.Scheme+"://"+u.Host, u.Host)
	}
	return u, nil
}
