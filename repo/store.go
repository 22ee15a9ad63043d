package repo

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
	"leadsync/parallel"
)

// leadToWrite is a row of bitrix_leads and its announcement.
type leadToWrite struct {
	values []any // for leadColumns
	isNew  bool
	// body is the announcement without the card, which is the row's raw_json: it need not be
	// sent twice. announcedAt is its time. Both are NULL where nothing is announced.
	body, announcedAt sql.NullString
	raw               string
	// history are the values of historyColumns; nil where nothing is announced.
	history []any
}

// noHistory is what leadsync_changes gets no row of.
var noHistory = []any{sql.NullString{}, sql.NullString{}, sql.NullString{}}

// change are the values of historyColumns.
func (l *leadToWrite) change() []any {
	if l.history == nil {
		return noHistory
	}
	return l.history
}

// announcement is what the outbox gets, as outbox_insert.sql makes it of the temporary table: a
// new row keeps the card for it.
func (l *leadToWrite) announcement() sql.NullString {
	if !l.body.Valid || l.isNew {
		return l.body
	}
	return text(strings.TrimSuffix(l.body.String, "}") + `,"lead":` + l.raw + "}")
}

// rows is everything that a transaction writes.
type rows struct {
	now       time.Time
	by        leads.Rules
	columns   columns
	cleaning  bool // the rows keep their tickets: no lead was read
	values    bool // the history of changes keeps values
	leads     []leadToWrite
	marks     [][]any // new tickets, absences and tombstones of existing rows
	cuts      [][]any // values that are too long for their columns, or have the wrong shape
	outbox    [][]any // announcements of rows whose columns stay
	contacts  sideRows[leads.Contact]
	phones    sideRows[leads.PhoneKey]
	fields    sideRows[leads.FieldValue]
	solutions sideRows[string]
}

func (d *DB) newRows() *rows { return &rows{now: d.now(), by: d.rules, values: d.historyValues} }

// inserted is the number of new leads.
func (r *rows) inserted() (n int64) {
	for i := range r.leads {
		if r.leads[i].isNew {
			n++
		}
	}
	return n
}

// announces reports whether anything is announced.
func (r *rows) announces() bool {
	return len(r.outbox) > 0 || slices.ContainsFunc(r.leads, func(l leadToWrite) bool { return l.body.Valid })
}

// store writes the decisions about rows that the transaction has locked, and their
// announcements.
func (d *DB) store(ctx context.Context, tx *sql.Tx, entries []entry, load loader) error {
	r, err := d.gather(ctx, tx, entries)
	if err != nil {
		return err
	}
	return d.storeRows(ctx, tx, r, load)
}

// gather collects what the decisions write. It reads the side tables of leads whose rows are
// written or deleted, to write only what differs there.
func (d *DB) gather(ctx context.Context, q querier, entries []entry) (*rows, error) {
	r := d.newRows()
	var err error
	if r.columns, err = d.tableColumns(ctx, q); err != nil {
		return nil, setupError{err}
	}
	for _, portal := range byPortal(entries) {
		if err := d.readSides(ctx, q, r, portal); err != nil {
			return nil, setupError{err}
		}
	}
	return r, r.addAll(entries)
}

// addAll adds what is written for entries, in their order.
func (r *rows) addAll(entries []entry) error {
	chunks := make([]rows, (len(entries)+leadsAtOnce-1)/leadsAtOnce)
	faults := make([]error, len(chunks))
	parallel.Chunks(len(entries), leadsAtOnce, func(first, end int) {
		chunk, fault := &chunks[first/leadsAtOnce], &faults[first/leadsAtOnce]
		*chunk = rows{now: r.now, by: r.by, columns: r.columns, cleaning: r.cleaning, values: r.values}
		for i := first; i < end && *fault == nil; i++ {
			*fault = chunk.add(&entries[i])
		}
	})
	for i := range chunks {
		r.join(&chunks[i])
	}
	return errors.Join(faults...)
}

// join adds the rows of another part of the same leads.
func (r *rows) join(o *rows) {
	r.leads, r.marks = append(r.leads, o.leads...), append(r.marks, o.marks...)
	r.cuts, r.outbox = append(r.cuts, o.cuts...), append(r.outbox, o.outbox...)
	r.contacts.wanted = append(r.contacts.wanted, o.contacts.wanted...)
	r.phones.wanted = append(r.phones.wanted, o.phones.wanted...)
	r.fields.wanted = append(r.fields.wanted, o.fields.wanted...)
	r.solutions.wanted = append(r.solutions.wanted, o.solutions.wanted...)
}

// replaces reports whether the lead's rows in the side tables are written or deleted.
func (d *decision) replaces() bool {
	return d.action == writeRow || d.outcome.Verdict == leads.Deleted
}

// readSides reads what the side tables have for the leads of one portal that are written.
func (d *DB) readSides(ctx context.Context, q querier, r *rows, entries []entry) error {
	var ids []int64
	fresh := true
	deleted := map[int64]bool{}
	for i := range entries {
		if decided := &entries[i].decision; decided.replaces() {
			ids = append(ids, entries[i].snapshot.LeadID)
			fresh = fresh && entries[i].row == nil
			deleted[entries[i].snapshot.LeadID] = decided.outcome.Verdict == leads.Deleted
		}
	}
	if len(ids) == 0 {
		return nil
	}
	member := entries[0].snapshot.MemberID
	if fresh && len(ids) > d.dialect.small {
		if found, err := d.anySides(ctx, q, member, ids[0], ids[len(ids)-1]); err != nil || !found {
			return err
		}
	}
	found, err := d.sidesOf(ctx, q, member, ids)
	if err != nil {
		return err
	}
	r.contacts.stored = append(r.contacts.stored, found.contacts...)
	r.phones.stored = append(r.phones.stored, found.phones...)
	r.fields.stored = append(r.fields.stored, found.fields...)
	for _, s := range found.solutions {
		if d.rules.Solution != "" || deleted[s.leadID] { // otherwise leadsync does not fill the table
			r.solutions.stored = append(r.solutions.stored, s)
		}
	}
	return nil
}

// foundSides are rows of the side tables.
type foundSides struct {
	contacts  []sideRow[leads.Contact]
	phones    []sideRow[leads.PhoneKey]
	fields    []sideRow[leads.FieldValue]
	solutions []sideRow[string]
}

// anySides reports whether a side table has anything for leads from first to last.
func (d *DB) anySides(ctx context.Context, q querier, memberID string, first, last int64) (bool, error) {
	found, err := query(ctx, q, scanInt, d.dialect.sql.SidesAny,
		sql.Named("member_id", memberID), sql.Named("first", first), sql.Named("last", last))
	return len(found) > 0, err
}

// sidesOf reads the side tables of some leads, in one round trip.
func (d *DB) sidesOf(ctx context.Context, q querier, memberID string, ids []int64) (foundSides, error) {
	which, err := idList(ids)
	if err != nil {
		return foundSides{}, err
	}
	s := d.dialect.sql
	return within(ctx, q, func() (f foundSides, err error) {
		err = d.readTogether(ctx, q, []any{sql.Named("member_id", memberID), sql.Named("ids", which)},
			into(s.ContactsLook, stored(memberID, scanStoredContact), &f.contacts),
			into(s.PhonesLook, stored(memberID, scanStoredPhone), &f.phones),
			into(s.FieldsLook, stored(memberID, scanStoredField), &f.fields),
			into(s.SolutionLook, stored(memberID, scanStoredSolution), &f.solutions))
		return f, err
	})
}

// add adds the decision about one lead to the rows to write.
func (r *rows) add(e *entry) error {
	change := e.decision.announcement(e.snapshot)
	if e.decision.action == writeRow {
		if err := r.addCard(e, change); err != nil {
			return err
		}
	} else if change != nil {
		body, err := encode(change)
		if err != nil {
			return err
		}
		history, err := r.changeRow(e, change)
		if err != nil {
			return err
		}
		r.outbox = append(r.outbox, append([]any{change.MemberID, change.LeadID, change.Revision, body, instant(r.now)}, history...))
	}
	if e.decision.action == writeMarks {
		r.marks = append(r.marks, markRow(e))
	}
	if e.given != nil && e.decision.action != writeNothing {
		for _, odd := range e.given.Lead.Odd {
			r.cuts = append(r.cuts, reportRow(e.snapshot.Ref, odd.Reason(), r.now, e.given.Lead.Raw))
		}
	}
	return nil
}

// addCard adds a whole card: its row, with the announcement, and those of the other tables.
func (r *rows) addCard(e *entry, change *leads.Change) error {
	ref, lead := e.snapshot.Ref, &e.snapshot.Lead
	row := leadToWrite{values: r.leadRow(e), isNew: e.row == nil, raw: string(lead.Raw)}
	if change != nil {
		without := *change
		without.Lead = nil
		body, err := encode(&without)
		if err != nil {
			return err
		}
		row.body, row.announcedAt = text(body), instant(r.now)
		if row.history, err = r.changeRow(e, change); err != nil {
			return err
		}
	}
	r.leads = append(r.leads, row)
	if !e.decision.deleted.IsZero() { // a tombstone has no values beside its card
		return nil
	}
	for _, c := range lead.Contacts {
		r.contacts.want(ref, r.columns.widths.Contact(c))
	}
	for _, s := range sides {
		s.add(r, ref, lead)
	}
	for _, name := range lead.Cut(r.columns.widths) {
		r.cuts = append(r.cuts, cutRow(ref, name, r.now))
	}
	return nil
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

func (r *rows) leadRow(e *entry) []any {
	s, lead := e.snapshot, &e.snapshot.Lead
	lockedTicket := sql.NullInt64{}
	if e.row != nil {
		lockedTicket = sql.NullInt64{Int64: int64(e.row.ticket), Valid: true}
	}
	hash := e.decision.hash
	if hash == "" {
		hash = lead.Hash()
	}
	row := append(make([]any, 0, len(stagedColumns)),
		s.MemberID, s.LeadID, lockedTicket, instant(s.ReadAt), int64(e.decision.ticket), e.decision.outcome.Revision, text(hash),
		text(string(lead.Raw)), exact(leads.Instant(lead.Value("DATE_CREATE"))), exact(leads.Instant(lead.Value("DATE_MODIFY"))),
	)
	for i, f := range leads.Fields {
		row = append(row, boxed(r.columns.text(f, lead.Values[i])))
	}
	return row
}

func markRow(e *entry) []any {
	return []any{
		e.snapshot.MemberID, e.snapshot.LeadID, int64(e.row.ticket), int64(e.decision.ticket),
		e.decision.outcome.Revision, instant(e.decision.absent), instant(e.decision.deleted),
	}
}

// exact is the text of an instant of the portal, in whole seconds.
func exact(t time.Time) sql.NullString {
	if t.IsZero() {
		return sql.NullString{}
	}
	return text(t.Format(time.RFC3339))
}

// encode is json.Marshal without escaping <, > and &.
func encode(body any) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
		return "", fmt.Errorf("%w: %w", errData, err)
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

func execAll(ctx context.Context, tx *sql.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
