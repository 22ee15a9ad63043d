package service

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
)

func TestPortalsShowTellsTheProblem(t *testing.T) {
	since := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	var text strings.Builder
	report := PortalReport{Problem: "the webhook lacks the permission CRM", ProblemAt: &since}
	if err := report.WriteText(&text); err != nil || !strings.Contains(text.String(), report.Problem+", since "+stamp(since)) {
		t.Errorf("shown %s, %v", text.String(), err)
	}
	body, err := json.Marshal(report)
	if err != nil || !strings.Contains(string(body), `"problem":"`+report.Problem+`","problem_since":"2026-11-26T10:00:00Z"`) {
		t.Errorf("shown %s, %v", body, err)
	}
}

// What is not known yet of a portal is said, instead of an empty line.
func TestAPortalThatWasJustAddedIsReported(t *testing.T) {
	var text strings.Builder
	if err := (PortalReport{PortalView: ViewPortal(leads.Portal{MemberID: "abc", Domain: "company.bitrix24.com", State: leads.PortalActive})}).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"endpoint   not known yet", "tokens     none", "events     not looked up yet", "owner      none yet", "last pass  none yet"} {
		if !strings.Contains(text.String(), "\n  "+want) {
			t.Errorf("%q is missing in:\n%s", want, text.String())
		}
	}
}

// What is said of a portal to add is checked before anything is opened; it is a mistake of whoever says it.
func TestNewPortalsAreChecked(t *testing.T) {
	const member = "A223C6B3710F85DF22E9377D6C4F7553"
	for name, test := range map[string]struct {
		portal NewPortal
		want   string // "" is that it is right
	}{
		"an application":        {NewPortal{MemberID: member, Domain: "Company.bitrix24.com"}, ""},
		"an address for a host": {NewPortal{MemberID: member, Domain: "company.bitrix24.com/crm"}, "--domain takes"},
		"no member id":          {NewPortal{MemberID: "a.b", Domain: "company.bitrix24.com"}, "--member-id takes"},
		"both ways":             {NewPortal{MemberID: member, Domain: "company.bitrix24.com", Token: "t"}, "not by both"},
		"half an application":   {NewPortal{MemberID: member, ClientID: "local.1"}, "belong together"},
		"no webhook":            {NewPortal{MemberID: member}, "--webhook takes"},
		"no token":              {NewPortal{MemberID: member, Webhook: "https://company.bitrix24.com/rest/1/s3cr3t/"}, "--token takes"},
	} {
		portal, err := test.portal.Check(t.Context(), Config{})
		switch {
		case test.want == "" && (err != nil || portal.Domain != "company.bitrix24.com" || portal.MemberID != strings.ToLower(member) || portal.State != leads.PortalNeedsAuthorization):
			t.Errorf("%s: %+v, %v", name, portal, err)
		case test.want != "" && (!errors.As(err, new(UsageError)) || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v lacks %s", name, err, test.want)
		}
	}
}

// A portal is named by its member_id, its host, or an address in a browser; what it has to say is a list.
func TestPortalsAreFoundAndListed(t *testing.T) {
	db, member := emptyMirror(t)
	for _, name := range []string{member, strings.ToUpper(member), "company.bitrix24.com", "https://company.bitrix24.com/crm/lead/"} {
		if p, err := FindPortal(t.Context(), db, name); err != nil || p.MemberID != member {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
	if _, err := FindPortal(t.Context(), db, "other.bitrix24.com"); !errors.As(err, new(UsageError)) {
		t.Error(err)
	}
	list, err := ListPortals(t.Context(), db)
	var text strings.Builder
	if err := errors.Join(err, list.WriteText(&text)); err != nil || text.String() != member+"   application  active               company.bitrix24.com\n" {
		t.Errorf("%v: %q", err, text.String())
	}
	if _, err := PassFindings(t.Context(), db, "nonsense", 1); !errors.As(err, new(UsageError)) {
		t.Errorf("a pass that is none: %v", err)
	}
	if history, err := PassHistory(t.Context(), db, "", 1); err != nil || len(history.Runs) != 0 {
		t.Errorf("%+v, %v", history, err)
	}
}
