package events_test

import (
	"testing"

	"leadsync/events"
)

func TestUnknownPortalEvents(t *testing.T) {
	for _, test := range []struct {
		event events.PortalEvent
		want  bool
	}{{events.Installed, true}, {events.Rebind, true}, {"oauth", true}, {"", false}, {"ONCRMLEADADD", false}, {"onappinstall", false}} {
		if got := test.event.Known(); got != test.want {
			t.Errorf("%q: %v", test.event, got)
		}
	}
}
