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

// The columns of the temporary tables, in the order of the values of their rows.
var (
	leadColumns     = leadColumnNames()
	markColumns     = []string{"member_id", "sql_ID", "was_ticket", "read_ticket", "revision", "absent_since", "deleted_at", "gone"}
	contactColumns  = []string{"member_id", "sql_LEAD_ID", "sql_CONTACT_ID", "sql_VALUE_TYPE", "sql_VALUE", "sql_TYPE_ID"}
	fieldColumns    = []string{"member_id", "lead_id", "field", "position", "value"}
	solutionColumns = []string{"member_id", "sql_LEAD_ID", "sql_solution"}
	cutColumns      = []string{"member_id", "sql_ID", "sql_error", "sql_date_error", "sql_full_lead_info"}
	outboxColumns   = []string{"member_id", "lead_id", "revision", "body", "created_at"}
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

// rows is everything that a transaction writes, as values for the temporary tables.
type rows struct {
	now       time.Time
	cleaning  bool    // the rows keep their tickets: no lead was read
	leads     [][]any // rows of bitrix_leads
	inserted  int64   // how many of leads are new
	contacts  [][]any
	phones    [][]any
	fields    [][]any
	solutions [][]any
	cuts      [][]any // values that are too long for their columns, or have the wrong shape
	marks     [][]any // new tickets, absences and tombstones of existing rows
	deleted   int     // how many of marks are tombstones
	outbox    [][]any
}

// stage is what a transaction writes through one temporary table.
type stage struct {
	create string
	into   target
	rows   [][]any
	use    func(context.Context, *sql.Tx, *rows) error // writes the staged rows to their tables
	drop   string
}

// stages lists the temporary tables. Loading them is fast and accepts any content; errors
// that a row's content can cause happen in the statements that read them. Leads come first,
// because their statements delete the rows that the others insert.
func (d *DB) stages(r *rows) []stage {
	s := d.dialect.sql
	return []stage{
		{s.StageLeadsCreate, target{"#stage_leads", s.StageLeadsInsert, leadColumns}, r.leads, d.storeLeads, s.StageLeadsDrop},
		{s.StageContactsCreate, target{"#stage_contacts", s.StageContactsInsert, contactColumns}, r.contacts, then(s.ContactsInsert), s.StageContactsDrop},
		{s.StagePhonesCreate, target{"#stage_phones", s.StagePhonesInsert, phoneColumns}, r.phones, then(s.PhonesInsert), s.StagePhonesDrop},
		{s.StageFieldsCreate, target{"#stage_fields", s.StageFieldsInsert, fieldColumns}, r.fields, then(s.FieldsInsert), s.StageFieldsDrop},
		{s.StageSolutionsCreate, target{"#stage_solutions", s.StageSolutionsInsert, solutionColumns}, r.solutions, then(s.SolutionInsert), s.StageSolutionsDrop},
		{s.StageCutsCreate, target{"#stage_cuts", s.StageCutsInsert, cutColumns}, r.cuts, then(s.CutsInsert), s.StageCutsDrop},
		{s.StageMarksCreate, target{"#stage_marks", s.StageMarksInsert, markColumns}, r.marks, d.storeMarks, s.StageMarksDrop},
		{s.StageOutboxCreate, target{"#stage_outbox", s.StageOutboxInsert, outboxColumns}, r.outbox, then(s.OutboxInsert), s.StageOutboxDrop},
	}
}

func then(statement string) func(context.Context, *sql.Tx, *rows) error {
	return func(ctx context.Context, tx *sql.Tx, _ *rows) error { return execAll(ctx, tx, statement) }
}

// store writes the decisions of a batch and their announcements.
func (d *DB) store(ctx context.Context, tx *sql.Tx, entries []entry, load loader) error {
	r := rows{now: d.now()}
	for i := range entries {
		if err := r.add(&entries[i], d.rules); err != nil {
			return err
		}
	}
	return d.storeRows(ctx, tx, &r, load)
}

// storeRows writes stage by stage, each through its temporary table.
func (d *DB) storeRows(ctx context.Context, tx *sql.Tx, r *rows, load loader) error {
	for _, s := range d.stages(r) {
		if len(s.rows) == 0 {
			continue
		}
		if err := execAll(ctx, tx, s.create); err != nil {
			return err
		}
		if err := load(ctx, tx, s.into, s.rows); err != nil {
			return err
		}
		if err := s.use(ctx, tx, r); err != nil {
			return err
		}
		if err := execAll(ctx, tx, s.drop); err != nil {
			return err
		}
	}
	return nil
}

// storeLeads writes the staged rows and deletes their former contacts, phones, custom
// fields and solutions: the mirror keeps only what the portal returns now.
func (d *DB) storeLeads(ctx context.Context, tx *sql.Tx, r *rows) error {
	s := d.dialect.sql
	update := s.LeadsUpdate
	if r.cleaning {
		update = s.LeadsClean
	}
	if err := expect(ctx, tx, update, int64(len(r.leads))-r.inserted); err != nil {
		return err
	}
	if err := expect(ctx, tx, s.LeadsInsert, r.inserted); err != nil {
		return err
	}
	// Delete them for new leads too: an adopted database has contacts without a lead, and
	// somebody may have deleted a lead's row by hand.
	statements := []string{s.ContactsDelete, s.PhonesDelete, s.FieldsDelete}
	if d.rules.Solution != "" {
		statements = append(statements, s.SolutionDelete)
	}
	return execAll(ctx, tx, statements...)
}

func (d *DB) storeMarks(ctx context.Context, tx *sql.Tx, r *rows) error {
	s := d.dialect.sql
	err := expect(ctx, tx, s.LeadsMark, int64(len(r.marks)))
	if err != nil || r.deleted == 0 {
		return err
	}
	return execAll(ctx, tx, s.ContactsDeleteGone, s.PhonesDeleteGone, s.FieldsDeleteGone, s.SolutionDeleteGone)
}

// expect runs a statement that skips rows whose ticket has changed since they were locked,
// and returns errStale where it affected fewer rows than want. (Triggers of the operator
// can make it more.)
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

// add adds the decision about one lead to the rows to write.
func (r *rows) add(e *entry, by leads.Rules) error {
	switch e.decision.action {
	case writeRow:
		r.addCard(e, by)
	case writeMarks:
		deleted := e.decision.outcome.Verdict == leads.Deleted
		if deleted {
			r.deleted++
		}
		r.marks = append(r.marks, markRow(e, deleted))
	case writeNothing:
	}
	if e.given != nil && e.decision.action != writeNothing {
		for _, odd := range e.given.Lead.Odd {
			r.cuts = append(r.cuts, reportRow(e.snapshot.Ref, odd.Reason(), r.now, e.given.Lead.Raw))
		}
	}
	change := e.decision.announcement(e.snapshot)
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

// addCard adds a whole card: its row and those of the other tables.
func (r *rows) addCard(e *entry, by leads.Rules) {
	ref, lead := e.snapshot.Ref, &e.snapshot.Lead
	r.leads = append(r.leads, leadRow(e))
	if e.row == nil {
		r.inserted++
	}
	if !e.decision.deleted.IsZero() { // a tombstone has no values beside its card
		return
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

// cutRow always has the same text for a field, so that a statement can find whether it was
// stored before.
func cutRow(ref leads.Ref, name string, now time.Time) []any {
	reason := name + " does not fit into its column: there it is cut or empty, the whole value is in raw_json"
	return reportRow(ref, reason, now, nil)
}

// reportRow is a row of bitrix_import_lead_error that is stored once for each reason.
func reportRow(ref leads.Ref, reason string, now time.Time, payload json.RawMessage) []any {
	return []any{ref.MemberID, strconv.FormatInt(ref.LeadID, 10), errorColumn.Column(reason), wallClock(now), text(string(payload))}
}

func leadRow(e *entry) []any {
	s, lead := e.snapshot, &e.snapshot.Lead
	lockedTicket := sql.NullInt64{}
	if e.row != nil {
		lockedTicket = sql.NullInt64{Int64: int64(e.row.ticket), Valid: true}
	}
	row := []any{
		s.MemberID, s.LeadID, lockedTicket, instant(s.ReadAt), int64(e.decision.ticket), e.decision.outcome.Revision, text(lead.Hash()),
		text(string(lead.Raw)), exact(leads.Instant(lead.Value("DATE_CREATE"))), exact(leads.Instant(lead.Value("DATE_MODIFY"))),
	}
	for i, f := range leads.Fields {
		row = append(row, text(f.Column(lead.Values[i])))
	}
	return row
}

func markRow(e *entry, deleted bool) []any {
	return []any{
		e.snapshot.MemberID, e.snapshot.LeadID, int64(e.row.ticket), int64(e.decision.ticket),
		e.decision.outcome.Revision, instant(e.decision.absent), instant(e.decision.deleted), deleted,
	}
}

func contactRow(ref leads.Ref, c leads.Contact) []any {
	return []any{ref.MemberID, ref.LeadID, text(c.ID), text(c.ValueType), text(c.Value), text(c.TypeID)}
}

// exact is the text of an instant of the portal, in whole seconds.
func exact(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.Format(time.RFC3339))
}

// encode is json.Marshal without escaping <, > and &.
func encode(change *leads.Change) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(change); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
