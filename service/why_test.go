package service

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadsync/journal"
	"leadsync/leads"
)

// Where no journal can be asked, the timeline says why, and the database is asked anyway.
func TestWhyWithoutAJournal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keep time.Duration
		make func(dir string) error
		says string
	}{
		{"it is off", 0, nil, "LEADSYNC_JOURNAL_KEEP is off"},
		{"another machine's", time.Hour, nil, "there is no journal in"},
		{"another user's", time.Hour, func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "cannot be read"},
	} {
		cfg := Config{DataDir: t.TempDir(), JournalKeep: c.keep}
		if c.make != nil {
			if err := c.make(filepath.Join(cfg.DataDir, "journal")); err != nil {
				t.Fatal(err)
			}
		}
		if _, says := lookUp(t.Context(), cfg, journal.Query{MemberID: "m", LeadID: 17}); !strings.Contains(says, c.says) {
			t.Errorf("%s: %q, want %q", c.name, says, c.says)
		}
	}
}

// What was wrong when a lead must have been created is asked for, however long ago that is.
func TestWhyAsksForTheTimeOfTheLead(t *testing.T) {
	t.Parallel()
	db, member := emptyMirror(t)
	epoch, err := db.RaiseEpoch(t.Context(), member, "test")
	if err != nil {
		t.Fatal(err)
	}
	tickets, now := leads.NewTickets(epoch), time.Now()
	ago := func(days int) time.Time { return now.Add(-time.Duration(days) * day).Truncate(time.Second) }
	for id, days := range map[int64]int{16: 37, 18: 35} {
		lead := parsed(t, fmt.Sprintf(`{"ID":"%d","DATE_CREATE":%q,"DATE_MODIFY":%[2]q}`, id, ago(days).Format(time.RFC3339)))
		snap := leads.Snapshot{Ref: leads.Ref{MemberID: member, LeadID: id}, Ticket: tickets.Draw(), ReadAt: now, Cause: leads.CauseImport, Lead: lead}
		if _, err := db.Apply(t.Context(), []leads.Snapshot{snap}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.AddIncident(t.Context(), leads.Incident{MemberID: member, Kind: leads.IncidentDown, From: ago(36), To: ago(36).Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	cfg := Config{DataDir: t.TempDir(), Keep: 90 * day}
	told, err := Why(t.Context(), db, cfg, leads.Portal{MemberID: member}, 17, Span{Since: now.Add(-7 * day)})
	if err != nil {
		t.Fatal(err)
	}
	if text := told.In(time.UTC); !strings.Contains(text, "Perhaps this is why: no leadsync process served the portal from") || len(told.Moments) > 0 {
		t.Errorf("an outage of that time is not told, or as a moment:\n%s", text)
	}
	cfg.Keep = 30 * day
	if told, err = Why(t.Context(), db, cfg, leads.Portal{MemberID: member}, 17, Span{Since: now.Add(-7 * day)}); err != nil || !strings.Contains(told.In(time.UTC), "are not known any more") {
		t.Errorf("what is no longer kept is denied: %v\n%s", err, told.In(time.UTC))
	}
}

// A stop loses no refusals: the journal has those of the last minute, too.
func TestAStopWritesRefusalsDown(t *testing.T) {
	t.TempDir() // it is removed after what follows
	var p *pages
	var member string
	t.Cleanup(func() { // the service has ended
		r, err := journal.Look(context.Background(), journalDir(p.service.Backend.Config), journal.Query{MemberID: member, LeadID: 1, To: time.Now().Add(time.Hour)})
		refused := int64(0)
		for _, e := range r.Entries {
			if e.Kind == journal.Refused {
				refused += e.Count
			}
		}
		if err != nil || refused != 3 {
			t.Errorf("%d refusals in %+v, %v", refused, r.Entries, err)
		}
	})
	p = openPages(t, 1)
	member = p.portal.Info().MemberID
	p.portal.Install(p.service.Address()+"/bitrix24/events", p.service.Address()+"/bitrix24/oauth/callback")
	p.until("the portal is known", func() bool {
		_, ok, err := p.service.Backend.DB.Portal(t.Context(), member)
		return err == nil && ok
	})
	p.until("everything is ready", func() bool { return len(p.service.ready.problems(t.Context())) == 0 }) // before, forgeries are kept on disk
	forged := url.Values{"event": {"ONCRMLEADUPDATE"}, "data[FIELDS][ID]": {"1"}, "auth[member_id]": {member}, "auth[application_token]": {"forged"}}
	for range 3 {
		p.answer(http.PostForm(p.service.Address()+leads.CallbackPath, forged))
	}
}
