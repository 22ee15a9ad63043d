package emulator

import "testing"

// What waits behind other callbacks is still delivered: nobody should install again.
func TestAnInstallationThatWaitsIsNotCalledUndelivered(t *testing.T) {
	const want = "http://s/events has not answered ONAPPINSTALL yet: GET /_portal/callbacks shows it when it has"
	if got := (outcome{err: errWaiting}).reason("ONAPPINSTALL", "http://s/events"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
