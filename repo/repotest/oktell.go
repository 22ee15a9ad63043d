package repotest

import (
	"context"
	"database/sql"
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	mssql "github.com/microsoft/go-mssqldb"
)

// oktellScript creates the tables of the call centre, from its own documentation.
//
//go:embed testdata/oktell.sql
var oktellScript string

// oktellTables are the tables of the script, each with its columns.
var oktellTables = map[string][]string{
	"bitrix_leads": {
		"sql_ADDRESS", "sql_ADDRESS_2", "sql_ADDRESS_CITY", "sql_ADDRESS_COUNTRY", "sql_ADDRESS_COUNTRY_CODE",
		"sql_ADDRESS_POSTAL_CODE", "sql_ADDRESS_PROVINCE", "sql_ADDRESS_REGION", "sql_ASSIGNED_BY_ID", "sql_BIRTHDATE",
		"sql_COMMENTS", "sql_COMPANY_ID", "sql_COMPANY_TITLE", "sql_CONTACT_ID", "sql_CREATED_BY_ID", "sql_CURRENCY_ID",
		"sql_DATE_CLOSED", "sql_DATE_CREATE", "sql_DATE_MODIFY", "sql_ID", "sql_LAST_NAME", "sql_MODIFY_BY_ID", "sql_NAME",
		"sql_OPENED", "sql_OPPORTUNITY", "sql_ORIGIN_ID", "sql_ORIGINATOR_ID", "sql_POST", "sql_SECOND_NAME",
		"sql_SOURCE_DESCRIPTION", "sql_SOURCE_ID", "sql_STATUS_DESCRIPTION", "sql_STATUS_ID", "sql_TITLE",
	},
	"bitrix_lead_contacts":     {"sql_LEAD_ID", "sql_CONTACT_ID", "sql_VALUE_TYPE", "sql_VALUE", "sql_TYPE_ID"},
	"bitrix_lead_solution":     {"sql_LEAD_ID", "sql_solution"},
	"bitrix_import_lead_error": {"sql_ID", "sql_error", "sql_full_lead_info", "sql_date_error"},
	"bitrix_lead_runtime":      {"lead_get_by_id_dt", "lead_list_dt"},
	"bitrix_oauth": {
		"access_token", "expires_in", "scope", "user_id", "refresh_token", "domain", "member_id", "redirect_uri", "client_id",
		"client_secret", "dateexec", "code",
	},
}

// Oktell creates the tables of the call centre in an empty database and inserts that many
// leads. Some leads have two or three rows, some values are NULL or contain quotes, and
// some contacts belong to leads that do not exist.
func Oktell(tb testing.TB, url string, leads int) {
	tb.Helper()
	raw := openRaw(tb, url)
	onSQLite := strings.HasPrefix(url, "sqlite:")
	script := oktellScript
	if onSQLite {
		script = oktellForSQLite(script)
	}
	for statement := range strings.SplitSeq(script, "\nGO\n") {
		if _, err := raw.ExecContext(tb.Context(), statement); err != nil {
			tb.Fatalf("%v: %s", err, statement)
		}
	}
	rows := oktellRows(leads)
	for table, columns := range oktellTables {
		fill := fillSQLServer
		if onSQLite {
			fill = fillSQLite
		}
		if err := fill(tb.Context(), raw, table, columns, rows[table]); err != nil {
			tb.Fatalf("fill %s: %v", table, err)
		}
	}
}

var (
	oktellComment = regexp.MustCompile(`(?m)^SET .*$|^GO$`)
	oktellKey     = regexp.MustCompile(`,\n(CONSTRAINT \[\w+\] )?PRIMARY KEY CLUSTERED \(\s*\[Id\] ASC\s*\)WITH .*`)
	oktellText    = regexp.MustCompile(`\[(nvarchar|ntext|datetime)\](\(\d+\))?`)
)

// oktellForSQLite translates the script to SQLite. No call centre has such a database; it lets
// the same test run on both.
func oktellForSQLite(script string) string {
	script = oktellComment.ReplaceAllString(script, "")
	script = oktellKey.ReplaceAllString(script, "\n);")
	script = oktellText.ReplaceAllString(script, "TEXT")
	return strings.NewReplacer("[dbo].", "", "[int] IDENTITY(1,1) NOT NULL", "INTEGER PRIMARY KEY AUTOINCREMENT", "[int]", "INTEGER").Replace(script)
}

// oktellRows returns the rows of each table; nil is NULL.
func oktellRows(leads int) map[string][][]any {
	rows := map[string][][]any{
		"bitrix_lead_runtime": {{"2026-11-20T10:00:00", "2026-11-20T09:30:00"}},
		"bitrix_oauth": {{
			"old-access", "3600", "crm", "41", "old-refresh", "oktell.bitrix24.ru", nil, nil, "local.55", "old-secret", "2026-11-20T09:00:00", "old-code",
		}},
	}
	add := func(table string, row ...any) { rows[table] = append(rows[table], row) }
	contact := 0
	for id := 1; id <= leads; id++ {
		for nth, at := range oktellDates(id) {
			add("bitrix_leads", oktellLead(id, nth, at)...)
		}
		for range id % 4 {
			contact++
			add("bitrix_lead_contacts", id, strconv.Itoa(contact), "WORK", fmt.Sprintf("+7 (343) %03d-67-%02d (доб. %d)", id%1000, contact%100, id), "PHONE")
		}
		switch id % 25 {
		case 3:
			add("bitrix_lead_contacts", id+leads, strconv.Itoa(contact), "WORK", "orphan@example.org", "EMAIL")
		case 4:
			add("bitrix_lead_contacts", nil, nil, nil, nil, nil)
		case 5, 6, 7:
			add("bitrix_lead_solution", id, "решение № "+strconv.Itoa(id))
		case 8:
			add("bitrix_lead_solution", id+leads, nil)
		case 9:
			add("bitrix_import_lead_error", strconv.Itoa(id), "Incorrect syntax near 's", `{"ID":"9","TITLE":"it's"}`, "2026-11-01T10:00:00")
		}
	}
	return rows
}

// oktellDates returns when each row of a lead was modified; most leads have one row.
func oktellDates(id int) []any {
	day := func(n int) any { return fmt.Sprintf("2026-%02d-%02dT%02d:%02d:00", 1+n%9, 1+n%28, n%24, n%60) }
	switch {
	case id%10 == 0:
		return []any{"2026-10-05T10:00:00", day(id), nil} // the first is the newest
	case id%15 == 7:
		return []any{day(id), day(id)} // equally old: the row inserted later counts
	case id%50 == 11:
		return []any{nil, nil}
	case id%20 == 13:
		return []any{nil}
	default:
		return []any{day(id)}
	}
}

// oktellLead is the nth row of a lead in bitrix_leads.
func oktellLead(id, nth int, modified any) []any {
	row := make([]any, len(oktellTables["bitrix_leads"]))
	for i, name := range oktellTables["bitrix_leads"] {
		switch {
		case name == "sql_ID":
			row[i] = id
		case name == "sql_DATE_MODIFY":
			row[i] = modified
		case strings.HasPrefix(name, "sql_DATE"), name == "sql_BIRTHDATE":
			if id%3 > 0 {
				row[i] = fmt.Sprintf("2015-05-%02dT00:%02d:16", 1+id%28, i)
			}
		case name == "sql_TITLE":
			row[i] = fmt.Sprintf(`Заявка "%d" \ it's; -- 🙂 %d`, id, nth)
		case name == "sql_COMMENTS" && id%500 == 1:
			row[i] = strings.Repeat("длинный комментарий 'x' ", 4000)
		case (id+i)%5 > 0:
			row[i] = fmt.Sprintf("%s %d", strings.ToLower(name), id)
		}
	}
	return row
}

func fillSQLite(ctx context.Context, raw *sql.DB, table string, columns []string, rows [][]any) error {
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	//nolint:gosec // the statement is a constant of the tests
	insert, err := tx.PrepareContext(ctx, "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+") VALUES (?"+strings.Repeat(", ?", len(columns)-1)+")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range rows {
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// fillSQLServer copies into a temporary table first, because bulk copy does not support ntext.
func fillSQLServer(ctx context.Context, raw *sql.DB, table string, columns []string, rows [][]any) error {
	tx, err := raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "CREATE TABLE #fill (place int, "+strings.Join(columns, " nvarchar(max), ")+" nvarchar(max))"); err != nil {
		return err
	}
	if err := copyTexts(ctx, tx, columns, rows); err != nil {
		return err
	}
	chosen := slices.Clone(columns)
	for i, name := range chosen {
		switch {
		case name == "sql_LEAD_ID", name == "sql_ID" && table == "bitrix_leads":
			chosen[i] = "CONVERT(int, " + name + ")"
		case oktellIsDate(name):
			chosen[i] = "CONVERT(datetime2(0), " + name + ", 126)"
		}
	}
	//nolint:gosec // the statement is a constant of the tests
	if _, err := tx.ExecContext(ctx, "INSERT INTO dbo."+table+" ("+strings.Join(columns, ", ")+") SELECT "+strings.Join(chosen, ", ")+" FROM #fill ORDER BY place"); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DROP TABLE #fill"); err != nil {
		return err
	}
	return tx.Commit()
}

func oktellIsDate(column string) bool {
	return strings.HasPrefix(column, "sql_DATE") || strings.HasPrefix(column, "sql_date") || column == "sql_BIRTHDATE" ||
		strings.HasSuffix(column, "_dt") || column == "dateexec"
}

// copyTexts inserts numbered rows into #fill.
func copyTexts(ctx context.Context, tx *sql.Tx, columns []string, rows [][]any) error {
	bulk, err := tx.PrepareContext(ctx, mssql.CopyIn("#fill", mssql.BulkOptions{}, slices.Insert(slices.Clone(columns), 0, "place")...))
	if err != nil {
		return err
	}
	defer bulk.Close()
	for i, row := range rows {
		texts := []any{i}
		for _, value := range row {
			if value != nil {
				value = fmt.Sprint(value)
			}
			texts = append(texts, value)
		}
		if _, err := bulk.ExecContext(ctx, texts...); err != nil {
			return err
		}
	}
	_, err = bulk.ExecContext(ctx)
	return err
}

// oktellMore is how many leads are inserted one by one; more are copies of them.
const oktellMore = 20_000

// OktellMany is Oktell for very many leads, a multiple of 20,000.
func OktellMany(tb testing.TB, url string, leads int) {
	tb.Helper()
	Oktell(tb, url, oktellMore)
	raw := openRaw(tb, url)
	for after := oktellMore; after < leads; after += oktellMore {
		for _, table := range []string{"bitrix_leads", "bitrix_lead_contacts", "bitrix_lead_solution"} {
			columns := oktellTables[table]
			key := "sql_LEAD_ID"
			if table == "bitrix_leads" {
				key = "sql_ID"
			}
			values := strings.ReplaceAll(strings.Join(columns, ", "), key, fmt.Sprintf("%s + %d", key, after))
			//nolint:gosec // the statement is made of constants of the tests
			copies := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s WHERE %s <= %d", table, strings.Join(columns, ", "), values, table, key, oktellMore)
			if _, err := raw.ExecContext(tb.Context(), copies); err != nil {
				tb.Fatal(err)
			}
		}
	}
}
