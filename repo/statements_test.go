package repo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"leadsync/leads"
	"leadsync/repo"
)

// mostTexts is how many different statements all writing may send. SQL Server compiles each of
// them once and keeps its plan.
const mostTexts = 64

// mostRoundTrips is how many round trips one edited lead may take, from BEGIN to COMMIT.
const mostRoundTrips = 10

func TestSQLiteSendsFewTexts(t *testing.T) {
	sendsFewTexts(t, "sqlite:"+filepath.Join(t.TempDir(), "mirror.db"))
}

// recorded opens a migrated and filled database whose calls are recorded.
func recorded(t *testing.T, url string) (*repo.DB, *recorder) {
	t.Helper()
	db, err := repo.Open(t.Context(), repo.Config{URL: url, SolutionField: "UF_CRM_A"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Refill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	calls := &recorder{}
	db, err = repo.OpenThrough(t.Context(), repo.Config{URL: url, SolutionField: "UF_CRM_A"}, calls.wrap)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, calls
}

// sendsFewTexts applies 2,000 reads of all shapes and counts the different texts, with the
// declarations of their parameters.
func sendsFewTexts(t *testing.T, url string) {
	t.Helper()
	db, calls := recorded(t, url)
	random := rand.New(rand.NewPCG(15, 2))
	tickets := leads.NewTickets(0)
	texts := map[string]int{}
	for applied := 0; applied < 2000; {
		size := 1
		if random.IntN(3) == 0 {
			size = 1 + random.IntN(120)
		}
		batch := make([]leads.Snapshot, size)
		for i := range batch {
			batch[i] = anyRead(t, random, tickets.Draw())
		}
		if _, err := db.Apply(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		applied += size
		for _, c := range calls.take() {
			if db.Dialect() == "sqlite" {
				c.declared = "" // it declares nothing
			}
			if c.what == "statement" {
				texts[c.text+"\n"+c.declared]++
			}
			if strings.HasPrefix(c.text, "INSERTBULK") {
				texts["columns for "+c.text]++ // which the driver asks for itself
			}
		}
	}
	if len(texts) > mostTexts {
		var list []string
		for text := range texts {
			list = append(list, fmt.Sprintf("%.300s", text))
		}
		slices.Sort(list)
		t.Errorf("%d texts, want at most %d, such as\n%s", len(texts), mostTexts, strings.Join(list[:20], "\n---\n"))
	}
	t.Logf("%d texts", len(texts))
}

// anyRead is a read of one of 400 leads: a card of any shape, an absence, or a deletion.
func anyRead(t *testing.T, random *rand.Rand, ticket leads.Ticket) leads.Snapshot {
	t.Helper()
	id := int64(1 + random.IntN(400))
	s := leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: id}, Ticket: ticket, Force: random.IntN(10) == 0}
	switch random.IntN(12) {
	case 0:
		s.Sight = leads.Absent
		return s
	case 1:
		s.Sight, s.Proven = leads.Absent, true
		return s
	case 2:
		s.Sight = leads.Denied
		return s
	}
	card := map[string]any{"ID": id}
	for _, f := range leads.Fields {
		switch random.IntN(4) {
		case 0:
			card[f.Name] = strings.Repeat("ж", random.IntN(300))
		case 1:
			if random.IntN(50) == 0 {
				card[f.Name] = strings.Repeat("x", 4000+random.IntN(3000))
			}
		}
	}
	card["DATE_CREATE"] = "2021-05-31T15:10:16+03:00"
	var phones []any
	for range random.IntN(4) {
		phones = append(phones, map[string]any{"ID": random.IntN(1000), "VALUE": fmt.Sprint("+7912345", 1000+random.IntN(9000)), "TYPE_ID": "PHONE"})
	}
	card["PHONE"] = phones
	for range random.IntN(6) {
		card[fmt.Sprint("UF_CRM_", string(rune('A'+random.IntN(6))))] = strings.Repeat(`"у`, random.IntN(100))
	}
	if random.IntN(30) == 0 {
		card["UF_CRM_A"] = strings.Repeat("long", 3000)
	}
	if random.IntN(30) == 0 {
		card["EMAIL"] = "not a list"
	}
	raw, err := json.Marshal(card)
	if err != nil {
		t.Fatal(err)
	}
	if s.Lead, err = leads.Parse(raw); err != nil {
		t.Fatal(err)
	}
	return s
}

// fewRoundTrips counts the round trips of one edited lead with a change in every table, from
// BEGIN to COMMIT, and wants no temporary table.
func fewRoundTrips(t *testing.T, url string) {
	t.Helper()
	db, calls := recorded(t, url)
	edit := func(ticket leads.Ticket, card string) []call {
		t.Helper()
		calls.take()
		outcomes, err := db.Apply(t.Context(), []leads.Snapshot{{Ref: leads.Ref{MemberID: "m", LeadID: 1}, Ticket: ticket, Lead: parsed(t, card)}})
		if err != nil || !outcomes[0].Wrote() {
			t.Fatalf("%+v, %v", outcomes, err)
		}
		return calls.take()
	}
	const phone = `[{"ID":"%d","VALUE":"+7 912 345-01-%d","TYPE_ID":"PHONE"}]`
	edit(1, `{"ID":"1","TITLE":"a","UF_CRM_A":"a","UF_CRM_B":"b","PHONE":`+fmt.Sprintf(phone, 1, 15)+`}`)
	for i, c := range []struct{ name, card string }{
		{"every table", `{"ID":"1","TITLE":"` + strings.Repeat("ж", 5000) + `","UF_CRM_A":"c\"\n","UF_CRM_B":"d","PHONE":` + fmt.Sprintf(phone, 2, 16) + `}`},
		{"the title", `{"ID":"1","TITLE":"b","UF_CRM_A":"c\"\n","UF_CRM_B":"d","PHONE":` + fmt.Sprintf(phone, 2, 16) + `}`},
	} {
		within, count := false, 0
		for _, call := range edit(leads.Ticket(i+2), c.card) {
			within = within || call.what == "begin"
			if strings.Contains(call.text, "CREATE TABLE") || strings.Contains(call.text, "INSERTBULK") {
				t.Errorf("%s: a temporary table: %.100s", c.name, call.text)
			}
			if within {
				count++
			}
			if call.what == "commit" {
				within = false
			}
		}
		if count < 3 || count > mostRoundTrips {
			t.Errorf("%s: %d round trips, want 3 to %d", c.name, count, mostRoundTrips)
		}
		t.Logf("%s: %d round trips", c.name, count)
	}
}

func TestSQLiteImportsDoNoMoreThanTheyMust(t *testing.T) {
	importsLean(t, "sqlite:"+filepath.Join(t.TempDir(), "mirror.db"))
}

// mostImportTrips is how many statements a batch of an import may take. Bulk copy of a table
// counts as one, but takes the driver four round trips.
const mostImportTrips = 14

// importsLean imports leads into an empty mirror. Nothing may look for what the side tables
// have of each of them, update rows, or send cards a second time for the outbox.
func importsLean(t *testing.T, url string) {
	t.Helper()
	db, calls := recorded(t, url)
	batch := make([]leads.Snapshot, 60)
	for i := range batch {
		id := int64(i + 1)
		batch[i] = read(t, 1, id, fmt.Sprintf(`"TITLE":"a <%d>","COMMENTS":"\u2028 \"ж\"","UF_CRM_B":"b","PHONE":[{"ID":"%d","VALUE":"+7 912 345-01-15","TYPE_ID":"PHONE"}]`, id, id))
	}
	apply := func() (statements int) {
		t.Helper()
		calls.take()
		outcomes, err := db.Apply(t.Context(), batch)
		if err != nil || outcomes[0].Verdict != leads.Inserted {
			t.Fatalf("%+v, %v", outcomes[0], err)
		}
		for _, c := range calls.take() {
			if c.what == "statement" {
				statements++
			}
			for name, unwanted := range map[string]string{
				"a look at the contacts of each lead": "c.sql_TYPE_ID, c.sql_VALUE_TYPE, c.sql_VALUE\nFROM",
				"an announcement beside its lead":     `"#stage_outbox"`,
				"the same, prepared":                  "INTO stage_outbox (",
			} {
				if strings.Contains(c.text, unwanted) {
					t.Errorf("%s: %.200s", name, c.text)
				}
			}
			if db.Dialect() == "sqlite" && strings.Contains(c.text, "UPDATE bitrix_leads") {
				t.Errorf("an update: %.100s", c.text)
			}
			for _, arg := range c.args {
				if arg.Name == "needed" && as[int64](arg.Value)&7 != 4 {
					t.Errorf("steps %b, want no completion, the first, no update, the second, and an insert, the third", arg.Value)
				}
			}
		}
		return statements
	}
	n := apply()
	t.Logf("%d statements", n)
	if db.Dialect() == "sqlserver" && n > mostImportTrips {
		t.Errorf("%d statements, want at most %d", n, mostImportTrips)
	}
	list, err := db.Outbox(t.Context(), len(batch))
	if err != nil || len(list) != len(batch) {
		t.Fatalf("%d announcements, %v", len(list), err)
	}
	for _, a := range list {
		if got, want := string(a.Change.Lead), string(batch[a.Change.LeadID-1].Lead.Raw); got != want || a.Change.Revision != 1 || a.Change.Kind != leads.Added {
			t.Errorf("announced %+v with %s, want the card %s", a.Change, got, want)
		}
	}
}

func TestRowsThatChangeBeforeTheLock(t *testing.T) {
	changedMeanwhile(t, "sqlite:"+filepath.Join(t.TempDir(), "mirror.db"))
}

// changedMeanwhile lets somebody else write a lead after Apply has read it and before it locks
// it. Apply must decide about the row as it is then.
func changedMeanwhile(t *testing.T, url string) {
	t.Helper()
	db, calls := recorded(t, url)
	other, err := repo.Open(t.Context(), repo.Config{URL: url, SolutionField: "UF_CRM_A"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	const phone = `,"PHONE":[{"ID":"1","VALUE":"+7 912 345-01-15","TYPE_ID":"PHONE"}]`
	for i, c := range []struct {
		name     string
		ticket   leads.Ticket
		write    func(id int64) error
		verdict  leads.Verdict
		revision int64
	}{
		{"a newer read", 5, func(id int64) error {
			_, err := other.Apply(t.Context(), []leads.Snapshot{read(t, 8, id, `"TITLE":"newer"`+phone)})
			return err
		}, leads.Older, 2},
		{"an older read", 9, func(id int64) error {
			_, err := other.Apply(t.Context(), []leads.Snapshot{read(t, 8, id, `"TITLE":"older"`+phone)})
			return err
		}, leads.Updated, 3},
		{"a higher revision without a read", 9, func(id int64) error {
			_, err := other.RaiseRevisions(t.Context(), "m", []leads.OnTopic{{LeadID: id, Revision: 40}})
			return err
		}, leads.Updated, 42},
		{"a deletion", 9, func(id int64) error {
			gone := read(t, 8, id, "")
			gone.Sight, gone.Proven = leads.Absent, true
			_, err := other.Apply(t.Context(), []leads.Snapshot{gone})
			return err
		}, leads.Inserted, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := int64(i + 1)
			if _, err := db.Apply(t.Context(), []leads.Snapshot{read(t, 1, id, `"TITLE":"first"`)}); err != nil {
				t.Fatal(err)
			}
			failed := errors.New("nothing was written meanwhile")
			calls.before = func() { failed = c.write(id) }
			edit := read(t, c.ticket, id, `"TITLE":"edit"`+phone)
			outcomes, err := db.Apply(t.Context(), []leads.Snapshot{edit})
			if err := errors.Join(err, failed); err != nil {
				t.Fatal(err)
			}
			if o := outcomes[0]; o.Verdict != c.verdict || o.Revision != c.revision {
				t.Errorf("%s at revision %d, want %s at %d", o.Verdict, o.Revision, c.verdict, c.revision)
			}
			row, _, err := db.Row(t.Context(), edit.Ref)
			if err != nil {
				t.Fatal(err)
			}
			if names := row.Differences(&edit.Lead); c.verdict != leads.Older && names != nil || row.Revision != c.revision || len(row.Contacts) != 1 {
				t.Errorf("the row differs in %v, has revision %d and the contacts %v", names, row.Revision, row.Contacts)
			}
		})
	}
}

// read is a read of a lead with these fields.
func read(t *testing.T, ticket leads.Ticket, id int64, fields string) leads.Snapshot {
	t.Helper()
	if fields != "" {
		fields = "," + fields
	}
	return leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: id}, Ticket: ticket, Lead: parsed(t, fmt.Sprintf(`{"ID":"%d"%s}`, id, fields))}
}

func parsed(t *testing.T, card string) leads.Lead {
	t.Helper()
	lead, err := leads.Parse([]byte(card))
	if err != nil {
		t.Fatal(err)
	}
	return lead
}
