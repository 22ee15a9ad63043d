package leads_test

import (
	"errors"
	"fmt"
	"testing"

	"leadsync/leads"
)

func TestErrorsOfPortalsHaveAMeaning(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		want leads.Meaning
	}{
		{"none", nil, leads.CarryOn},
		{"unknown", errors.New("odd"), leads.TryLater},
		{"portal refuses everything", leads.ErrPortalRefuses, leads.TryLater},
		{"portal is blocked", leads.ErrStopped, leads.TryLater},
		{"tokens are dead", leads.ErrUnauthorized, leads.GiveUp},
		{"another owner", leads.ErrNotOwner, leads.GiveUp},
		{"unsettled pass", leads.ErrUnsettled, leads.GiveUp},
	} {
		if test.err != nil {
			test.err = fmt.Errorf("read: %w", test.err)
		}
		if got := leads.MeaningOf(test.err); got != test.want || leads.Final(test.err) != (test.want == leads.GiveUp) {
			t.Errorf("%s: meaning %d, want %d", test.name, got, test.want)
		}
	}
}
