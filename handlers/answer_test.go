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
	}
	if status := handlers.StatusOf(-1); status != http.StatusInternalServerError {
		t.Errorf("something that is not a reason is answered %d", status)
	}
}
