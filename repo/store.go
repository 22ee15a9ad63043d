package repo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// The tables that a transaction fills, in the order of the rows that are made for them.
var (
	leadColumns    = leadColumnNames()
	markColumns    = []string{"member_id", "sql_ID", "was_ticket", "read_ticket", "revision", "absent_since", "deleted_at", "gone"}
	contactColumns = []string{"member_id", "sql_LEAD_ID", "sql_CONTACT_ID", "sql_VALUE_TYPE", "sql_VALUE", "sql_TYPE_ID"}
	fieldColumns   = []string{"member_id", "lead_id", "field", "position", "value"}
	solvedColumns  = []string{"member_id", "sql_LEAD_ID", "sql_solution"}
	cutColumns     = []string{"member_id", "sql_ID", "sql_error", "sql_date_error"}
	outboxColumns  = []string{"member_id", "lead_id", "revision", "body", "created_at"}
)

func leadColumnNames() []string {
	names := []string{
		"member_id", "sql_ID", "was_ticket", "read_at", "read_ticket", "revision", "row_hash",
		"raw_json", "date_create_at", "date_modify_at",
	}
	for _, f := range leads.Fields {
		names = append(names, "sql_"+f.Name)
	}
	return names
}

// rows is what a transaction writes.
type rows struct {
	now       time.Time
	leads     [][]any // whole rows
	fresh     int64   // of them, those that are new
	contacts  [][]any
	phones    [][]any
	fields    [][]any
	solutions [][]any
	cuts      [][]any // fields of which a column keeps less than there is
	marks     [][]any
	gone      int // of the marks, those that delete
	outbox    [][]any
}

// set is what a transaction writes by way of one temporary table.
type set struct {
	create string
	into   target
	rows   [][]any
	use    func(context.Context, *sql.Tx, *rows) error // writes what is staged
	drop   string
}

// sets are staged by the quickest way there is; what a row's content can break happens in
// the statements that read them. The leads come first: they delete what the others insert.
func (d *DB) sets(r *rows) []set {
	s := d.dialect.sql
	return []set{
		{s.StageLeadsCreate, target{"#stage_leads", s.StageLeadsInsert, leadColumns}, r.leads, d.storeLeads, s.StageLeadsDrop},
		{s.StageContactsCreate, target{"#stage_contacts", s.StageContactsInsert, contactColumns}, r.contacts, then(s.ContactsInsert), s.StageContactsDrop},
		{s.StagePhonesCreate, target{"#stage_phones", s.StagePhonesInsert, phoneColumns}, r.phones, then(s.PhonesInsert), s.StagePhonesDrop},
		{s.StageFieldsCreate, target{"#stage_fields", s.StageFieldsInsert, fieldColumns}, r.fields, then(s.FieldsInsert), s.StageFieldsDrop},
		{s.StageSolutionsCreate, target{"#stage_solutions", s.StageSolutionsInsert, solvedColumns}, r.solutions, then(s.SolutionInsert), s.StageSolutionsDrop},
		{s.StageCutsCreate, target{"#stage_cuts", s.StageCutsInsert, cutColumns}, r.cuts, then(s.CutsInsert), s.StageCutsDrop},
		{s.StageMarksCreate, target{"#stage_marks", s.StageMarksInsert, markColumns}, r.marks, d.storeMarks, s.StageMarksDrop},
		{s.StageOutboxCreate, target{"#stage_outbox", s.StageOutboxInsert, outboxColumns}, r.outbox, then(s.OutboxInsert), s.StageOutboxDrop},
	}
}

func then(statement string) func(context.Context, *sql.Tx, *rows) error {
	return func(ctx context.Context, tx *sql.Tx, _ *rows) error { return execAll(ctx, tx, statement) }
}

// store writes what was decided.
func (d *DB) store(ctx context.Context, tx *sql.Tx, items []item, load loader) error {
	r := rows{now: d.now()}
	for i := range items {
		if err := r.add(&items[i], d.rules); err != nil {
			return err
		}
	}
	return d.storeRows(ctx, tx, &r, load)
}

// storeRows writes set by set, each through its temporary table.
func (d *DB) storeRows(ctx context.Context, tx *sql.Tx, r *rows, load loader) error {
	for _, set := range d.sets(r) {
		if len(set.rows) == 0 {
			continue
		}
		if err := execAll(ctx, tx, set.create); err != nil {
			return err
		}
		if err := load(ctx, tx, set.into, set.rows); err != nil {
			return err
		}
		if err := set.use(ctx, tx, r); err != nil {
			return err
		}
		if err := execAll(ctx, tx, set.drop); err != nil {
			return err
		}
	}
	return nil
}

// storeLeads writes the staged rows. Their former contacts, phones, custom fields and solution
// go: what the portal no longer shows is not kept.
func (d *DB) storeLeads(ctx context.Context, tx *sql.Tx, r *rows) error {
	s := d.dialect.sql
	if err := expect(ctx, tx, s.LeadsUpdate, int64(len(r.leads))-r.fresh); err != nil {
		return err
	}
	if err := expect(ctx, tx, s.LeadsInsert, r.fresh); err != nil {
		return err
	}
	// Of new leads too: an adopted database has contacts without a lead, and somebody may
	// have deleted a lead's row by hand.
	statements := []string{s.ContactsDelete, s.PhonesDelete, s.FieldsDelete}
	if d.rules.Solution != "" {
		statements = append(statements, s.SolutionDelete)
	}
	return execAll(ctx, tx, statements...)
}

func (d *DB) storeMarks(ctx context.Context, tx *sql.Tx, r *rows) error {
	s := d.dialect.sql
	err := expect(ctx, tx, s.LeadsMark, int64(len(r.marks)))
	if err != nil || r.gone == 0 {
		return err
	}
	return execAll(ctx, tx, s.ContactsDeleteGone, s.PhonesDeleteGone, s.FieldsDeleteGone, s.SolutionDeleteGone)
}

// expect runs a statement that guards itself. Fewer rows than expected: something has
// changed them since they were locked. (More is what triggers of the operator's add.)
func expect(ctx context.Context, tx *sql.Tx, statement string, want int64) error {
	if want == 0 {
		return nil
	}
	n, err := affect(ctx, tx, statement)
	if err == nil && n < want {
		err = errStale
	}
	return err
}

func execAll(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// add puts what was decided for one lead into the sets.
func (r *rows) add(it *item, by leads.Rules) error {
	switch it.step.act {
	case put:
		r.put(it, by)
	case mark:
		gone := it.step.outcome.Verdict == leads.Deleted
		if gone {
			r.gone++
		}
		r.marks = append(r.marks, markRow(it, gone))
	case nothing:
	}
	change := it.step.announcement(it.snapshot)
	if change == nil {
		return nil
	}
	body, err := encode(change)
	if err != nil {
		return fmt.Errorf("%w: %w", errData, err)
	}
	r.outbox = append(r.outbox, []any{change.MemberID, change.LeadID, change.Revision, body, instant(r.now)})
	return nil
}

// put adds a whole card: its row, and those of other tables.
func (r *rows) put(it *item, by leads.Rules) {
	ref, lead := it.snapshot.Ref, &it.snapshot.Lead
	r.leads = append(r.leads, leadRow(it))
	if it.row == nil {
		r.fresh++
	}
	for _, c := range lead.Contacts {
		r.contacts = append(r.contacts, contactRow(ref, c.Columns()))
	}
	for _, s := range sides {
		s.add(r, ref, lead, by)
	}
	for _, name := range lead.Cut() {
		r.cuts = append(r.cuts, cutRow(ref, name, r.now))
	}
}

// cutRow says always the same of a field, by which it is known whether it was said.
func cutRow(ref leads.Ref, name string, now time.Time) []any {
	reason := name + " does not fit into its column: there it is cut or empty, the whole value is in raw_json"
	return []any{ref.MemberID, strconv.FormatInt(ref.LeadID, 10), errorColumn.Column(reason), wallClock(now)}
}

func leadRow(it *item) []any {
	s, lead := it.snapshot, &it.snapshot.Lead
	was := sql.NullInt64{}
	if it.row != nil {
		was = sql.NullInt64{Int64: int64(it.row.ticket), Valid: true}
	}
	row := []any{
		s.MemberID, s.LeadID, was, instant(s.ReadAt), int64(it.step.ticket), it.step.outcome.Revision, text(lead.Hash()),
		text(string(lead.Raw)), exact(leads.Instant(lead.Value("DATE_CREATE"))), exact(leads.Instant(lead.Value("DATE_MODIFY"))),
	}
	for i, f := range leads.Fields {
		row = append(row, text(f.Column(lead.Values[i])))
	}
	return row
}

func markRow(it *item, gone bool) []any {
	return []any{
		it.snapshot.MemberID, it.snapshot.LeadID, int64(it.row.ticket), int64(it.step.ticket),
		it.step.outcome.Revision, instant(it.step.absent), instant(it.step.deleted), gone,
	}
}

func contactRow(ref leads.Ref, c leads.Contact) []any {
	return []any{ref.MemberID, ref.LeadID, text(c.ID), text(c.ValueType), text(c.Value), text(c.TypeID)}
}

// exact is an instant of the portal, in whole seconds.
func exact(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.Format(time.RFC3339))
}

// encode is json.Marshal with <, > and & as they are.
func encode(change *leads.Change) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(change); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
