package handlers_test

import (
	"net/http"
	"testing"

	"leadsync/handlers"
	"leadsync/portals"
)

func TestEveryReasonHasAnAnswer(t *testing.T) {
	for reason := portals.Accepted; reason.String() != ""; reason++ {
		if !handlers.Answers(reason) {
			t.Errorf("%s has no status", reason)
		}
		if status := handlers.StatusOf(reason); (status == http.StatusOK) != (handlers.PlainOf(reason) == "") && reason != portals.ApplicationPage {
			t.Errorf("%s is answered %d and %q", reason, status, handlers.PlainOf(reason))
		}
	}
	// Strangers do not learn which portals are connected.
	for _, reason := range []portals.Reason{portals.WrongToken, portals.TokenNotLearnt} {
		if handlers.PlainOf(reason) != handlers.PlainOf(portals.UnknownPortal) || handlers.StatusOf(reason) != handlers.StatusOf(portals.UnknownPortal) {
			t.Errorf("%s differs from an unknown portal", reason)
		}
	}
	if status := handlers.StatusOf(-1); status != http.StatusInternalServerError {
		t.Errorf("something that is not a reason is answered %d", status)
	}
}
