package portals_test

import (
	"testing"

	"leadsync/portals"
)

// People write a host as they see it, with the port of https or as a full name.
func TestAllowedHostsHaveManySpellings(t *testing.T) {
	list := portals.AllowList{"Firm.example.com:443", "other.example.com.", "own.example.com:8443"}
	for host, want := range map[string]bool{
		"firm.example.com": true, "firm.example.com:443": true, "other.example.com": true, "own.example.com:8443": true,
		"own.example.com": false, "example.com": false, "firm.example.com:8443": false,
	} {
		if got := list.Names(host); got != want {
			t.Errorf("%s: %v, want %v", host, got, want)
		}
	}
}
