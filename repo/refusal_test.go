package repo // tests whom an error is blamed on, which is not exported

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	mssql "github.com/microsoft/go-mssqldb"

	"leadsync/leads"
)

func TestOnlyListedErrorsBlameALead(t *testing.T) {
	for _, c := range []struct {
		err  mssql.Error
		want fault
	}{
		{mssql.Error{Number: 8152, Class: 16}, faultData},
		{mssql.Error{Number: 2628, Class: 16}, faultData},
		{mssql.Error{Number: 241, Class: 16}, faultData},
		{mssql.Error{Number: 242, Class: 16}, faultData},
		{mssql.Error{Number: 245, Class: 16}, faultData},
		{mssql.Error{Number: 515, Class: 16}, faultData},
		{mssql.Error{Number: 547, Class: 16}, faultData},
		{mssql.Error{Number: 13609, Class: 16}, faultData},
		{mssql.Error{Number: 8115, Class: 16, Message: "Arithmetic overflow error converting nvarchar to data type numeric."}, faultData},
		{mssql.Error{Number: 8115, Class: 16, Message: "Arithmetic overflow error converting IDENTITY to data type int."}, faultOther},
		{mssql.Error{Number: 3609, Class: 16}, faultOther},  // a trigger
		{mssql.Error{Number: 50000, Class: 16}, faultOther}, // a customer's RAISERROR
		{mssql.Error{Number: 468, Class: 16}, faultOther},   // collations
		{mssql.Error{Number: 1934, Class: 16}, faultOther},  // SET options
		{mssql.Error{Number: 257, Class: 16}, faultOther},   // types of a statement
		{mssql.Error{Number: 102, Class: 15}, faultOther},
		{mssql.Error{Number: 77777, Class: 16}, faultOther}, // unknown
		{mssql.Error{Number: 0}, faultOther},                // the driver: the server has ended the transaction
		{mssql.Error{Number: 601, Class: 12}, faultBusy},    // rows moved
		{mssql.Error{Number: 3908, Class: 16}, faultDown},   // emergency mode
		{mssql.Error{Number: 978, Class: 14}, faultDown},    // a secondary replica
		{mssql.Error{Number: 18487, Class: 14}, faultDown},  // the password has expired
		{mssql.Error{Number: 229, Class: 14}, faultRights},
		{mssql.Error{Number: 230, Class: 14}, faultRights},
		{mssql.Error{Number: 262, Class: 14}, faultRights},
		{mssql.Error{Number: 9002, Class: 17}, faultDown},
		{mssql.Error{Number: 3906, Class: 16}, faultDown},
		{mssql.Error{Number: 824, Class: 24}, faultBroken},
	} {
		if got := classifySQLServer(c.err); got != c.want {
			t.Errorf("%d %q: fault %d, want %d", c.err.Number, c.err.Message, got, c.want)
		}
	}
}

// likeSQLServer is a SQLite mirror that refuses a lead whose title is a number with that error
// of SQL Server.
func likeSQLServer(t *testing.T) *DB {
	t.Helper()
	db, err := Open(t.Context(), Config{URL: "sqlite:" + filepath.Join(t.TempDir(), "mirror.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const refuse = "CREATE TRIGGER refuse BEFORE INSERT ON bitrix_leads WHEN NEW.sql_TITLE GLOB '[0-9]*' BEGIN SELECT RAISE(ABORT, 'refused') WHERE NEW.sql_TITLE = '%'; END"
	for _, number := range []string{"8152", "547", "3609", "229", "9002", "50001"} {
		statement := strings.NewReplacer("TRIGGER refuse", "TRIGGER refuse"+number, "'refused'", "'number "+number+"'", "'%'", "'"+number+"'").Replace(refuse)
		if _, err := db.write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	own := db.dialect.classify
	translate := func(err error) (mssql.Error, bool) {
		hit := regexp.MustCompile(`number (\d+)`).FindStringSubmatch(err.Error())
		if hit == nil {
			return mssql.Error{}, false
		}
		n, _ := strconv.Atoi(hit[1])
		return mssql.Error{Number: int32(n), Class: 16}, true
	}
	db.dialect.classify = func(err error) fault {
		if e, ok := translate(err); ok {
			return classifySQLServer(e)
		}
		return own(err)
	}
	db.dialect.number = func(err error) int32 { e, _ := translate(err); return e.Number }
	return db
}

func TestWhoIsBlamed(t *testing.T) {
	for _, c := range []struct {
		name, titles string // of the leads 1, 2, …
		failed       string // the leads that are marked
		want         error  // nil where Apply succeeds; errors.ErrUnsupported for any
	}{
		{"one bad lead among good ones", "a 8152 c d", "2", nil},
		{"a bad lead alone", "8152", "1", nil},
		{"all bad, each in its own way", "8152 547 8152", "1 2 3", nil},
		{"all refused alike", "8152 8152 8152", "", errAlike},
		{"two refused alike", "547 547", "", errAlike},
		{"a trigger rolls back", "a 3609 c", "", errors.ErrUnsupported},
		{"a customer's error", "a 50001 c", "", errors.ErrUnsupported},
		{"a right is lost", "a 229 c", "", ErrRights},
		{"the log is full", "a 9002 c", "", ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db := likeSQLServer(t)
			var batch []leads.Snapshot
			for i, title := range strings.Fields(c.titles) {
				lead, err := leads.Parse([]byte(`{"ID":"` + strconv.Itoa(i+1) + `","TITLE":"` + title + `"}`))
				if err != nil {
					t.Fatal(err)
				}
				batch = append(batch, leads.Snapshot{Ref: leads.Ref{MemberID: "m", LeadID: lead.ID}, Ticket: 1, Lead: lead})
			}
			outcomes, err := db.Apply(t.Context(), batch)
			var failed []string
			for _, o := range outcomes {
				if o.Verdict == leads.Failed {
					failed = append(failed, strconv.FormatInt(o.LeadID, 10))
				}
			}
			if got := strings.Join(failed, " "); got != c.failed {
				t.Errorf("marked: %q, want %q", got, c.failed)
			}
			if (err == nil) != (c.want == nil) || !errors.Is(c.want, errors.ErrUnsupported) && !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			problem := db.Problem()
			if want := c.want != nil; strings.HasPrefix(problem, "leads cannot be written since 20") != want {
				t.Errorf("the database's problem is %q", problem)
			}
			if c.want == nil {
				return
			}
			if n, err := db.CountLeads(t.Context(), "m"); n != 0 || err != nil {
				t.Errorf("%d leads were written, %v: the batch was split", n, err)
			}
			good := batch[0]
			good.Lead, _ = leads.Parse([]byte(`{"ID":"1","TITLE":"good"}`))
			if _, err := db.Apply(t.Context(), []leads.Snapshot{good}); err != nil || db.Problem() != "" {
				t.Errorf("after a success: %v, %q", err, db.Problem())
			}
		})
	}
}

func TestErrorsSayTheCause(t *testing.T) {
	db := &DB{dialect: sqlServerDialect()}
	for _, c := range []struct {
		err  mssql.Error
		want []string
	}{
		{mssql.Error{Number: 9002, Class: 17, Message: "The transaction log for database 'x' is full."}, []string{"back it up", "9002", "'x'"}},
		{mssql.Error{Number: 3609, Class: 16, Message: "The transaction ended in the trigger.", ProcName: "customers"}, []string{"trigger rolled", "customers", "3609"}},
		{mssql.Error{Number: 50001, Class: 16, Message: "not on Thursdays", ProcName: "customers"}, []string{"customers", "not on Thursdays", "50001"}},
		{mssql.Error{Number: 229, Class: 14, Message: "The INSERT permission was denied on the object 'bitrix_leads'"}, []string{"lacks a right", "grants.sql", "bitrix_leads", "229"}},
	} {
		text := db.dialect.cause(c.err).Error()
		if db.classify(c.err) == faultRights {
			text = db.explain(t.Context(), c.err).Error()
		}
		for _, part := range c.want {
			if !strings.Contains(text, part) {
				t.Errorf("%q does not say %q", text, part)
			}
		}
	}
}

// SQL Server quotes what it refuses, which may be a person's name or number.
func TestErrorsQuoteNoValues(t *testing.T) {
	db := &DB{dialect: sqlServerDialect()}
	for number, c := range map[int32]struct{ message, want string }{
		2628: {"String or binary data would be truncated in table 'x.dbo.bitrix_leads', column 'sql_name'. Truncated value: 'Иван (secret)\n secret'.", "column 'sql_name'. Truncated value: …"},
		2627: {"Violation of UNIQUE KEY constraint 'uq_phone'. Cannot insert duplicate key in object 'dbo.bitrix_leads'. The duplicate key value is (secret (secret), 1).", "'uq_phone'. Cannot insert duplicate key in object 'dbo.bitrix_leads'. The duplicate key value is …"},
		2601: {"Cannot insert duplicate key row in object 'dbo.t' with unique index 'ix'. The duplicate key value is (secret).", "'ix'. The duplicate key value is …"},
		245:  {"Conversion failed when converting the nvarchar value 'sec'ret' to data type int.", "the nvarchar value … to data type int."},
		248:  {"The conversion of the nvarchar value '79991234567' overflowed an int column.", "value … overflowed an int column."},
		220:  {"Arithmetic overflow error for data type smallint, value = 79991234567.", "smallint, value = …"},
		547:  {`The INSERT statement conflicted with the CHECK constraint "ck". The conflict occurred in database "d", table "dbo.t", column 'c'.`, `column 'c'.`},
	} {
		err := db.dialect.cause(fmt.Errorf("write: %w", mssql.Error{Number: number, Class: 16, Message: c.message}))
		if text := err.Error(); !strings.HasSuffix(text, c.want) && !strings.Contains(text, c.want) || strings.Contains(text, "secret") || strings.Contains(text, "7999") {
			t.Errorf("%d: %s", number, text)
		}
		if numberOf(err) != number {
			t.Errorf("%d is lost", number)
		}
	}
}

func TestBlockersInWords(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	person := blocker{visible: true, session: 53, login: `CC\ivan`, host: "PC-17", program: "Management Studio", status: "sleeping", transactions: 1, held: 3600, idle: 3500}
	waits, works, unseen := person, person, blocker{session: 53}
	waits.waitsFor = 60
	works.status = "running"
	for _, c := range []struct {
		name string
		b    blocker
		want []string
	}{
		{"a forgotten transaction", person, []string{"session 53", `CC\ivan`, "PC-17", "Management Studio", "since 2026-11-26T09:00:00Z", "done nothing since 2026-11-26T09:01:40Z", "commit or roll back", "KILL 53"}},
		{"one that waits itself", waits, []string{"session 53", "session 60"}},
		{"one at work", works, []string{"at work", "KILL 53"}},
		{"a login that may not see", unseen, []string{"VIEW SERVER STATE"}},
		{"nobody", blocker{visible: true}, nil},
	} {
		words := c.b.words(now)
		for _, part := range c.want {
			if !strings.Contains(words, part) {
				t.Errorf("%s: %q does not say %q", c.name, words, part)
			}
		}
		if c.want == nil && words != "" {
			t.Errorf("%s: %q", c.name, words)
		}
	}
}

func TestMigrationsWaitForLocksAndTheServiceDoesNot(t *testing.T) {
	service := serviceContract(limitsOf(0))
	if !strings.Contains(service, "SET LOCK_TIMEOUT 30000;") || !strings.Contains(migrationContract, "SET LOCK_TIMEOUT -1;") {
		t.Errorf("lock time-outs:\n%s\n%s", service, migrationContract)
	}
	for _, text := range []string{service, migrationContract} {
		if strings.Index(text, "SET LANGUAGE") > strings.Index(text, "SET DATEFORMAT") {
			t.Error("the language is set after the order of dates, which it changes")
		}
		for statement := range strings.SplitSeq(strings.TrimSuffix(text, ";"), ";") {
			if !strings.HasPrefix(statement, "SET ") {
				t.Errorf("%q: a session's contract only sets", statement)
			}
		}
	}
	if limited, cancel := (limits{}).within(context.Background()); limited.Done() != nil {
		t.Error("SQLite has a limit")
	} else {
		cancel()
	}
}
