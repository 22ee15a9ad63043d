package repo

import (
	"context"
	"database/sql"
	"slices"

	"leadsync/leads"
)

// The columns of the temporary tables and of lists, in the order of the values of their rows.
var (
	leadColumns     = leadColumnNames()
	stagedColumns   = append(append(leadColumnNames(), "body", "announced_at"), historyColumns...)
	historyColumns  = []string{"change_kind", "cause", "changed_fields"}
	markColumns     = []string{"member_id", "sql_ID", "was_ticket", "read_ticket", "revision", "absent_since", "deleted_at"}
	contactColumns  = []string{"member_id", "sql_LEAD_ID", "sql_CONTACT_ID", "sql_VALUE_TYPE", "sql_VALUE", "sql_TYPE_ID"}
	phoneColumns    = []string{"digits10", "member_id", "lead_id", "contact_id", "position", "e164", "extension", "repeated", "closed", "created_at"}
	fieldColumns    = []string{"member_id", "lead_id", "field", "position", "value"}
	fieldKeyColumns = fieldColumns[:4]
	solutionColumns = []string{"member_id", "sql_LEAD_ID", "sql_solution"}
	cutColumns      = []string{"member_id", "sql_ID", "sql_error", "sql_date_error", "sql_full_lead_info"}
	outboxColumns   = append([]string{"member_id", "lead_id", "revision", "body", "created_at"}, historyColumns...)
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

// set is what a transaction changes in one table beside bitrix_leads. Everything in it is
// encoded before the transaction locks rows.
type set struct {
	name    string // of the parameter with the rows to insert; with _gone, of the keys of the rows to delete
	remove  string // the statement that deletes; "" where nothing is ever deleted
	add     string // the statement that inserts rows from a list
	stage   stage
	gone    string // a list
	changes bool   // there is something to write
	list    string // the rows to insert as a list; "" where they go through the temporary table
}

// stage is a temporary table.
type stage struct {
	create, insert, drop string
	into                 target
	rows                 [][]any
}

// staged is everything that a transaction writes, encoded.
type staged struct {
	rows  *rows
	marks string
	sets  []set
	// listed says that the few rows are sent with the statements that write them. Otherwise
	// they are loaded into temporary tables first.
	listed bool
	stages []stage // all temporary tables: there are always all of them, so that one text writes them
	load   loader
}

// encode encodes what a transaction writes. Few leads are sent as parameters and lists, many
// through temporary tables.
func (d *DB) encode(r *rows, load loader) (*staged, error) {
	s := &staged{rows: r, load: load, listed: !r.cleaning && len(r.leads)+len(r.outbox) <= d.dialect.small}
	s.marks, _ = d.dialect.pack(markColumns, r.marks) // ids and times: nothing that cannot be packed
	sets, err := d.sets(r)
	if err != nil {
		return nil, err
	}
	for i := range sets {
		sets[i].changes = sets[i].gone != "[]" || len(sets[i].stage.rows) > 0
		if s.listed {
			sets[i].list, s.listed = d.dialect.pack(sets[i].stage.into.columns, sets[i].stage.rows)
		}
	}
	s.sets = sets
	if s.listed {
		return s, nil
	}
	s.stages = append(s.stages, d.leadStage(r))
	for _, set := range sets {
		s.stages = append(s.stages, set.stage)
	}
	s.stages = append(s.stages, d.outboxStage(r))
	return s, nil
}

// sets are the tables beside bitrix_leads, in the order in which they are written.
func (d *DB) sets(r *rows) ([]set, error) {
	s := d.dialect.sql
	contactsGone, contacts := r.contacts.difference()
	phonesGone, phones := r.phones.difference()
	fieldsGone, fields := r.fields.difference()
	solutionsGone, solutions := r.solutions.difference()
	sets := []set{
		{name: "contacts", remove: s.ContactsDelete, add: s.ContactsAdd, stage: stage{
			s.StageContactsCreate, s.ContactsInsert, s.StageContactsDrop,
			target{"#stage_contacts", s.StageContactsInsert, contactColumns},
			valuesOf(contacts, contactRow),
		}},
		{name: "phones", remove: s.PhonesDelete, add: s.PhonesAdd, stage: stage{
			s.StagePhonesCreate, s.PhonesInsert, s.StagePhonesDrop,
			target{"#stage_phones", s.StagePhonesInsert, phoneColumns},
			valuesOf(phones, phoneRow),
		}},
		{name: "solutions", remove: s.SolutionDelete, add: s.SolutionAdd, stage: stage{
			s.StageSolutionsCreate, s.SolutionInsert, s.StageSolutionsDrop,
			target{"#stage_solutions", s.StageSolutionsInsert, solutionColumns},
			valuesOf(solutions, solutionRow),
		}},
		{name: "fields", remove: s.FieldsDelete, add: s.FieldsAdd, stage: stage{
			s.StageFieldsCreate, s.FieldsInsert, s.StageFieldsDrop,
			target{"#stage_fields", s.StageFieldsInsert, fieldColumns},
			valuesOf(fields, fieldRow),
		}},
		{name: "cuts", gone: "[]", add: s.CutsAdd, stage: stage{
			s.StageCutsCreate, s.CutsInsert, s.StageCutsDrop,
			target{"#stage_cuts", s.StageCutsInsert, cutColumns},
			r.cuts,
		}},
	}
	for i, ids := range [][]int64{keys(contactsGone), keys(phonesGone), keys(solutionsGone)} {
		var err error
		if sets[i].gone, err = idList(ids); err != nil {
			return nil, err
		}
	}
	sets[3].gone, _ = d.dialect.pack(fieldKeyColumns, valuesOf(fieldsGone, fieldKey)) // names of fields are letters and digits
	return sets, nil
}

// leadStage is the temporary table of the leads with their announcements, outboxStage that of
// announcements of rows whose columns stay.
func (d *DB) leadStage(r *rows) stage {
	s := d.dialect.sql
	values := make([][]any, len(r.leads))
	for i := range r.leads { // leadRow has made room
		values[i] = append(append(r.leads[i].values, r.leads[i].body, r.leads[i].announcedAt), r.leads[i].change()...)
	}
	return stage{create: s.StageLeadsCreate, drop: s.StageLeadsDrop, into: target{"#stage_leads", s.StageLeadsInsert, stagedColumns}, rows: values}
}

func (d *DB) outboxStage(r *rows) stage {
	s := d.dialect.sql
	return stage{s.StageOutboxCreate, s.OutboxInsert, s.StageOutboxDrop, target{"#stage_outbox", s.StageOutboxInsert, outboxColumns}, r.outbox}
}

// stage loads the temporary tables. Loading them is fast and accepts any content; errors that
// a row's content can cause happen in the statements that read them. It touches no table of
// the mirror and waits for no lock.
func (d *DB) stage(ctx context.Context, tx *sql.Tx, s *staged) error {
	if s.listed {
		return nil
	}
	var create []string
	for _, t := range s.stages {
		create = append(create, t.create)
	}
	if err := d.execTogether(ctx, tx, create...); err != nil {
		return setupError{err}
	}
	for _, t := range s.stages {
		if len(t.rows) == 0 {
			continue
		}
		if err := s.load(ctx, tx, t.into, t.rows); err != nil {
			return err
		}
	}
	return nil
}

// unstage drops the temporary tables, to load others.
func (d *DB) unstage(ctx context.Context, tx *sql.Tx, s *staged) error {
	if s.listed {
		return nil
	}
	var drop []string
	for _, t := range s.stages {
		drop = append(drop, t.drop)
	}
	return d.execTogether(ctx, tx, drop...)
}

// storeRows writes rows that the transaction has locked.
func (d *DB) storeRows(ctx context.Context, tx *sql.Tx, r *rows, load loader) error {
	s, err := d.encode(r, load)
	if err != nil {
		return err
	}
	if err := d.stage(ctx, tx, s); err != nil {
		return err
	}
	return d.writeRows(ctx, tx, s)
}

// writeRows writes what is encoded and staged, into rows that the transaction has locked.
func (d *DB) writeRows(ctx context.Context, tx *sql.Tx, s *staged) error {
	if s.listed {
		return d.writeListed(ctx, tx, s)
	}
	return d.writeStaged(ctx, tx, s)
}

// writeListed writes few leads: one round trip for each lead, one for each other table.
func (d *DB) writeListed(ctx context.Context, tx *sql.Tx, s *staged) error {
	for i := range s.rows.leads {
		if err := d.writeLead(ctx, tx, &s.rows.leads[i]); err != nil {
			return err
		}
	}
	if len(s.rows.marks) > 0 {
		n, err := d.writeTogether(ctx, tx, []any{sql.Named("marks", s.marks)}, d.dialect.sql.LeadsMark)
		if err := cmpStale(err, n, len(s.rows.marks)); err != nil {
			return err
		}
	}
	for _, row := range s.rows.outbox {
		if _, err := d.writeTogether(ctx, tx, outboxParameters(row), d.dialect.sql.OutboxAdd, d.dialect.sql.ChangesAdd); err != nil {
			return err
		}
	}
	for i := range s.sets {
		set := &s.sets[i]
		if !set.changes {
			continue
		}
		args := []any{sql.Named(set.name, set.list)}
		statements := []string{set.add}
		if set.remove != "" {
			args = append(args, sql.Named(set.name+"_gone", set.gone))
			statements = []string{set.remove, set.add}
		}
		if _, err := d.writeTogether(ctx, tx, args, statements...); err != nil {
			return err
		}
	}
	return nil
}

// announced is the first of outboxColumns that the statement of a lead does not have anyway.
const announced = 3

// writeLead writes one lead, its announcement and its change.
func (d *DB) writeLead(ctx context.Context, tx *sql.Tx, lead *leadToWrite) error {
	s := d.dialect.sql
	statements := []string{s.LeadUpdate, s.OutboxAdd, s.ChangesAdd}
	if lead.isNew {
		statements[0] = s.LeadInsert
	} else {
		statements = slices.Insert(statements, 0, s.OutboxCompleteLead)
	}
	args := make([]any, 0, len(leadColumns)+6)
	for i, column := range leadColumns {
		args = append(args, sql.Named(column, lead.values[i]))
	}
	args = append(args, sql.Named("body", lead.announcement()), sql.Named("card_in_row", lead.isNew), sql.Named("created_at", lead.announcedAt))
	for i, column := range historyColumns {
		args = append(args, sql.Named(column, lead.change()[i]))
	}
	n, err := d.writeTogether(ctx, tx, args, statements...)
	if err == nil && !lead.isNew {
		n = n[1:]
	}
	return cmpStale(err, n, 1)
}

// outboxParameters are the parameters of an announcement: the lead's id is sql_ID, as in the
// statement that writes the lead with it.
func outboxParameters(row []any) []any {
	args := []any{sql.Named("member_id", row[0]), sql.Named("sql_ID", row[1]), sql.Named("revision", row[2]), sql.Named("card_in_row", false)}
	for i, column := range outboxColumns[announced:] {
		args = append(args, sql.Named(column, row[announced+i]))
	}
	return args
}

// cmpStale returns errStale where the first statement, which skips rows whose ticket has
// changed since they were locked, affected fewer rows than want.
func cmpStale(err error, counts []int64, want int) error {
	if err == nil && counts[0] < int64(want) {
		return errStale
	}
	return err
}

// writeStaged writes the temporary tables to the tables and drops them, in one round trip, so
// that the rows are locked for as short as possible. Leads come first, because their
// statements find out whether the rows are as they were read.
func (d *DB) writeStaged(ctx context.Context, tx *sql.Tx, s *staged) error {
	q := d.dialect.sql
	inserted := s.rows.inserted()
	updated := int64(len(s.rows.leads)) - inserted
	steps := []step{
		{q.OutboxComplete, updated > 0},
		{q.LeadsUpdate, updated > 0},
		{q.LeadsInsert, inserted > 0},
		{q.LeadsMark, len(s.rows.marks) > 0},
	}
	if s.rows.cleaning { // it takes tokens away from cards, and those who announce them do so, too
		steps = steps[1:]
		steps[0].statement = q.LeadsClean
	}
	args := []any{sql.Named("marks", s.marks)}
	for _, set := range s.sets {
		if set.remove != "" {
			steps = append(steps, step{set.remove, set.gone != "[]"})
			args = append(args, sql.Named(set.name+"_gone", set.gone))
		}
		steps = append(steps, step{set.stage.insert, len(set.stage.rows) > 0})
	}
	steps = append(steps, step{q.OutboxInsert, s.rows.announces()}, step{q.ChangesInsert, s.rows.announces()})
	for _, t := range s.stages {
		steps = append(steps, step{t.drop, true})
	}
	n, err := d.writeNeeded(ctx, tx, args, steps)
	if err != nil {
		return err
	}
	if !s.rows.cleaning {
		n = n[1:]
	}
	if n[0] < updated || n[1] < inserted || n[2] < int64(len(s.rows.marks)) {
		return errStale
	}
	return nil
}
