package service

import (
	"errors"
	"strings"
	"testing"
)

// A password that is not encoded makes its user the host, and what follows would be left out.
func TestAddressesOfNATSAreWholeAddresses(t *testing.T) {
	for address, valid := range map[string]bool{
		"nats://h:4222": true, "nats://h:4222/": true, "nats://h:4222 , tls://i": true, "nats://u:hun%23ter2@h": true, "nats://u:hun@ter2@h": true,
		"nats://u:12#hunter2@h:4222": false, "nats://u:12/hunter2@h:4222": false, "nats://u:12?hunter2@h:4222": false, "ws://h:4222": false, "h:4222": false,
	} {
		e := &environment{lookup: func(name string) (string, bool) { return address, name == "LEADSYNC_NATS_URL" }}
		readNATSURL(e, "LEADSYNC_NATS_URL")
		if err := errors.Join(e.faults...); (err == nil) != valid || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
