package repo_test

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/repo"
	"leadsync/repo/repotest"
)

var importLeads = flag.Int("import-leads", 0, "how many leads BenchmarkImport imports; 0 leaves it out")

// rowByRowLeads is the number of leads written one by one for comparison.
const rowByRowLeads = 2_000

// BenchmarkImport imports leads into an empty mirror, as the first pass does. For comparison
// it writes some leads one by one: the row, its contacts, phone numbers, custom fields and
// announcement in one transaction each, with prepared statements. Half of them are written
// before the import and half after it, so that a change in the machine's speed favours
// neither. On SQL Server the import must be at least 20 times as fast.
func BenchmarkImport(b *testing.B) {
	if *importLeads == 0 {
		b.Skip("takes minutes: run it with -import-leads=100000, or make bench-import")
	}
	b.Run("SQLite", func(b *testing.B) { benchmarkImport(b, repotest.SQLite(), "sqlite") })
	b.Run("SQLServer", func(b *testing.B) { benchmarkImport(b, sqlServer(b), "sqlserver") })
}

func benchmarkImport(b *testing.B, server repotest.Server, driver string) {
	b.Helper()
	url := server.URL(b)
	db, err := repo.Open(b.Context(), repo.Config{URL: url})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	raw, err := sql.Open(driver, strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = raw.Close() })
	one := &rowWriter{b: b, raw: raw, statements: map[string]*sql.Stmt{}}
	for b.Loop() {
		slow := one.write(10_000_000, rowByRowLeads/2)
		quick := importAll(b, db, *importLeads)
		slow += one.write(20_000_000, rowByRowLeads/2)
		imported := float64(*importLeads) / quick.Seconds()
		single := rowByRowLeads / slow.Seconds()
		b.ReportMetric(imported, "leads/s")
		b.ReportMetric(single, "row-by-row/s")
		b.ReportMetric(imported/single, "x-row-by-row")
		if driver == "sqlserver" && imported < 20*single {
			b.Errorf("an import writes %.0f leads/s, and row by row it is %.0f: that is not 20 times as fast", imported, single)
		}
	}
}

// importAll applies leads in batches of 1,000 and measures only Apply.
func importAll(b *testing.B, db *repo.DB, total int) (took time.Duration) {
	b.Helper()
	tickets := leads.NewTickets(0)
	for first := 1; first <= total; first += 1000 {
		batch := make([]leads.Snapshot, min(1000, total-first+1))
		for i := range batch {
			batch[i] = benchmarkCard(b, tickets.Draw(), int64(first+i), 0)
		}
		began := time.Now()
		mustApply(b, db, batch)
		took += time.Since(began)
	}
	return took
}

// rowWriter writes leads one by one.
type rowWriter struct {
	b          *testing.B
	raw        *sql.DB
	statements map[string]*sql.Stmt
}

func (w *rowWriter) write(first int64, count int) (took time.Duration) {
	w.b.Helper()
	for i := range count {
		s := benchmarkCard(w.b, 1, first+int64(i), 0)
		began := time.Now()
		if err := w.one(w.b.Context(), &s); err != nil {
			w.b.Fatal(err)
		}
		took += time.Since(began)
	}
	return took
}

func (w *rowWriter) one(ctx context.Context, s *leads.Snapshot) error {
	tx, err := w.raw.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	values := map[string]any{
		"member_id": s.MemberID, "sql_ID": s.LeadID, "read_ticket": int64(s.Ticket), "revision": 1, "row_hash": s.Lead.Hash(), "raw_json": string(s.Lead.Raw),
	}
	for i, f := range leads.Fields {
		if value := f.Column(s.Lead.Values[i]); value != "" {
			values["sql_"+f.Name] = value
		} else {
			values["sql_"+f.Name] = sql.NullString{}
		}
	}
	there, err := w.exec(ctx, tx, "update", updateRow(), values)
	if err == nil && there == 0 {
		_, err = w.exec(ctx, tx, "insert", insertRow("bitrix_leads", leadNames()), values)
	}
	if err != nil {
		return err
	}
	lead := map[string]any{"member_id": s.MemberID, "lead_id": s.LeadID}
	if _, err := w.exec(ctx, tx, "contacts", "DELETE FROM bitrix_lead_contacts WHERE member_id = @member_id AND sql_LEAD_ID = @lead_id", lead); err != nil {
		return err
	}
	if _, err := w.exec(ctx, tx, "fields", "DELETE FROM leadsync_lead_fields WHERE member_id = @member_id AND lead_id = @lead_id", lead); err != nil {
		return err
	}
	if _, err := w.exec(ctx, tx, "phones", "DELETE FROM leadsync_phones WHERE member_id = @member_id AND lead_id = @lead_id", lead); err != nil {
		return err
	}
	contactNames := []string{"member_id", "sql_LEAD_ID", "sql_CONTACT_ID", "sql_VALUE_TYPE", "sql_VALUE", "sql_TYPE_ID"}
	for _, c := range s.Lead.Contacts {
		if _, err := w.exec(ctx, tx, "contact", insertRow("bitrix_lead_contacts", contactNames), map[string]any{
			"member_id": s.MemberID, "sql_LEAD_ID": s.LeadID, "sql_CONTACT_ID": c.ID, "sql_VALUE_TYPE": c.ValueType, "sql_VALUE": c.Value, "sql_TYPE_ID": c.TypeID,
		}); err != nil {
			return err
		}
	}
	phoneNames := []string{"member_id", "lead_id", "digits10", "position", "contact_id", "repeated", "closed"}
	for i, k := range s.Lead.Phones("RU") {
		if _, err := w.exec(ctx, tx, "phone", insertRow("leadsync_phones", phoneNames), map[string]any{
			"member_id": s.MemberID, "lead_id": s.LeadID, "digits10": k.Digits, "position": i + 1, "contact_id": k.ContactID, "repeated": k.Repeated, "closed": false,
		}); err != nil {
			return err
		}
	}
	for _, v := range s.Lead.FieldValues() {
		if _, err := w.exec(ctx, tx, "field", insertRow("leadsync_lead_fields", []string{"member_id", "lead_id", "field", "position", "value"}), map[string]any{
			"member_id": s.MemberID, "lead_id": s.LeadID, "field": v.Field, "position": v.Position, "value": v.Value,
		}); err != nil {
			return err
		}
	}
	if _, err := w.exec(ctx, tx, "outbox", insertRow("leadsync_outbox", []string{"member_id", "lead_id", "revision", "body", "created_at"}), map[string]any{
		"member_id": s.MemberID, "lead_id": s.LeadID, "revision": 1, "body": string(s.Lead.Raw), "created_at": time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
	}); err != nil {
		return err
	}
	return tx.Commit()
}

// exec runs a statement that it prepares at its first use.
func (w *rowWriter) exec(ctx context.Context, tx *sql.Tx, key, text string, values map[string]any) (int64, error) {
	statement := w.statements[key]
	if statement == nil {
		var err error
		if statement, err = w.raw.PrepareContext(ctx, text); err != nil {
			return 0, fmt.Errorf("%w: %s", err, text)
		}
		w.statements[key] = statement
		w.b.Cleanup(func() { _ = statement.Close() })
	}
	var args []any
	for name, value := range values {
		args = append(args, sql.Named(name, value))
	}
	here := tx.StmtContext(ctx, statement)
	defer here.Close()
	result, err := here.ExecContext(ctx, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	return result.RowsAffected()
}

func leadNames() []string {
	names := []string{"member_id", "sql_ID", "read_ticket", "revision", "row_hash", "raw_json"}
	for _, f := range leads.Fields {
		names = append(names, "sql_"+f.Name)
	}
	return names
}

func insertRow(table string, names []string) string {
	return "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (@" + strings.Join(names, ", @") + ")"
}

func updateRow() string {
	var sets []string
	for _, name := range leadNames()[2:] {
		sets = append(sets, name+" = @"+name)
	}
	return "UPDATE bitrix_leads SET " + strings.Join(sets, ", ") + " WHERE member_id = @member_id AND sql_ID = @sql_ID"
}
