package repotest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/repo"
)

func customFields(t *testing.T, server Server) {
	t.Helper()
	m := open(t, server, repo.Config{SolutionField: "UF_CRM_SOLUTION"})
	t.Run("custom fields are rows, replaced as a set", func(t *testing.T) { m.with(t, fieldRows) })
	t.Run("absurd fields", func(t *testing.T) { m.with(t, absurdFields) })
	t.Run("a cut value is marked once", func(t *testing.T) { m.with(t, cutMarks) })
	t.Run("a cut solution is marked", func(t *testing.T) { m.with(t, cutSolution) })
	t.Run("fields are erased with their portal", func(t *testing.T) { m.with(t, fieldsErased) })
	t.Run("a report joins values and types", func(t *testing.T) { m.with(t, fieldReport) })
	t.Run("the definitions are kept until the next reading", func(t *testing.T) { m.with(t, schemas) })
}

// values returns a lead's rows of leadsync_lead_fields.
func (m *mirror) values(memberID string, id int64) []string {
	m.t.Helper()
	return m.report([]string{"field", "position", "value"}, "leadsync_lead_fields WHERE member_id = '"+memberID+"' AND lead_id = "+
		m.text(m.on("SELECT CAST(@id AS TEXT)", "SELECT CONVERT(nvarchar(20), @id)"), sqlID(id))+" ORDER BY field, position")
}

func fieldRows(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 1, map[string]any{
		"UF_CRM_A": "один", "UF_CRM_B": []any{"x", "", "z"}, "UF_CRM_C": true, "UF_CRM_D": []any{}, "PARENT_ID_177": 5,
	})))
	m.verdict(leads.Inserted, seen(1, card(m.t, 2, map[string]any{"UF_CRM_A": "of another lead"})))
	there := seen(1, card(m.t, 1, map[string]any{"UF_CRM_A": "of another portal"}))
	there.MemberID = other
	m.verdict(leads.Inserted, there)
	want := []string{"[PARENT_ID_177 0 5]", "[UF_CRM_A 0 один]", "[UF_CRM_B 0 x]", "[UF_CRM_B 2 z]", "[UF_CRM_C 0 1]"}
	if diff := cmp.Diff(want, m.values(member, 1)); diff != "" {
		m.t.Errorf("values (-want +got):\n%s", diff)
	}
	m.verdict(leads.Updated, seen(2, card(m.t, 1, map[string]any{"UF_CRM_A": "два", "UF_CRM_B": []any{"y"}})))
	if diff := cmp.Diff([]string{"[UF_CRM_A 0 два]", "[UF_CRM_B 0 y]"}, m.values(member, 1)); diff != "" {
		m.t.Errorf("values then (-want +got):\n%s", diff)
	}
	m.verdict(leads.Unchanged, seen(3, card(m.t, 1, map[string]any{"UF_CRM_A": "два", "UF_CRM_B": []any{"y"}, "UF_CRM_C": "0"})))
	m.verdict(leads.Deleted, proven(4, 1))
	if got := m.values(member, 1); got != nil {
		m.t.Errorf("after its deletion it has %v", got)
	}
	if len(m.values(member, 2)) != 1 || len(m.values(other, 1)) != 1 {
		m.t.Error("fields of other leads were deleted, too")
	}
}

func fieldReport(m *mirror) {
	m.saveSchema(member, leads.FieldType{Field: "UF_CRM_GONE", Type: "string"})
	epoch := m.saveSchema(
		member, leads.FieldType{Field: "UF_CRM_RADIO", Type: "enumeration", Multiple: true, Label: "Радио"},
		leads.FieldType{Field: "UF_CRM_NOTE", Type: "string"},
	)
	m.saveSchema(other, leads.FieldType{Field: "UF_CRM_RADIO", Type: "string"})
	m.verdict(leads.Inserted, seen(leads.NewTickets(epoch).Draw(), card(m.t, 10, map[string]any{"TITLE": "t", "UF_CRM_RADIO": []any{"3157", "3161"}})))
	got := m.report([]string{"l.sql_TITLE", "t.label", "t.type", "f.value"}, `bitrix_leads AS l
		INNER JOIN leadsync_lead_fields AS f ON f.member_id = l.member_id AND f.lead_id = l.sql_ID
		INNER JOIN leadsync_field_types AS t ON t.member_id = f.member_id AND t.field = f.field
		WHERE l.sql_ID = 10 ORDER BY f.position`)
	if diff := cmp.Diff([]string{"[t Радио enumeration 3157]", "[t Радио enumeration 3161]"}, got); diff != "" {
		m.t.Errorf("report (-want +got):\n%s", diff)
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_field_types WHERE member_id = '" + member + "'"); n != "2" {
		m.t.Errorf("%s types, want those saved last", n)
	}
}

// saveSchema stores fields as a new owner of the portal, and returns its epoch.
func (m *mirror) saveSchema(memberID string, fields ...leads.FieldType) int64 {
	m.t.Helper()
	epoch, err := m.RaiseEpoch(m.ctx, memberID, "replica")
	m.must(err)
	m.must(m.SaveSchema(m.ctx, memberID, epoch, leads.Schema{Fields: fields, ReadAt: start}))
	return epoch
}

func schemas(m *mirror) {
	const portal = "fields-alone"
	read := func() leads.Schema {
		m.t.Helper()
		schema, err := m.Schema(m.ctx, portal)
		m.must(err)
		return schema
	}
	if got := read(); !got.ReadAt.IsZero() || len(got.Fields) != 0 {
		m.t.Errorf("of an unknown portal there is %+v", got)
	}
	m.raise(portal)
	if got := read(); !got.ReadAt.IsZero() {
		m.t.Errorf("before the first reading there is %+v", got)
	}
	long := leads.FieldType{Field: "UF_CRM_B", Type: strings.Repeat("t", 65), Label: strings.Repeat("ж", 999) + "🙂", Multiple: true}
	odd := leads.FieldType{Field: "UF_CRM_A", Type: "string", Label: "a\x00b it's"}
	epoch := m.saveSchema(portal, long, odd)
	want := leads.Schema{Fields: []leads.FieldType{odd.Columns(), long.Columns()}, ReadAt: start}
	if diff := cmp.Diff(want, read()); diff != "" {
		m.t.Errorf("read back (-want +got):\n%s", diff)
	}
	if _, changes := read().Next([]leads.FieldType{long, odd}); len(changes) > 0 {
		m.t.Errorf("what was stored differs from itself: %+v", changes)
	}
	if err := m.SaveSchema(m.ctx, portal, epoch-1, leads.Schema{ReadAt: start.Add(time.Hour)}); !errors.Is(err, leads.ErrNotOwner) {
		m.t.Errorf("a former owner: %v, want ErrNotOwner", err)
	}
	if diff := cmp.Diff(want, read()); diff != "" {
		m.t.Errorf("after a former owner's attempt (-want +got):\n%s", diff)
	}
	m.must(m.SaveSchema(m.ctx, portal, epoch, leads.Schema{ReadAt: start.Add(time.Hour)}))
	if got := read(); len(got.Fields) != 0 || !got.ReadAt.Equal(start.Add(time.Hour)) {
		m.t.Errorf("a portal without custom fields is %+v", got)
	}
	m.must(m.ErasePortal(m.ctx, portal))
	if got := read(); !got.ReadAt.IsZero() || len(got.Fields) != 0 {
		m.t.Errorf("of an erased portal there is %+v", got)
	}
}

func absurdFields(m *mirror) {
	long := strings.Repeat("ж", 64<<10)
	lead := card(m.t, 20, map[string]any{
		"UF_CRM_LONG": long, "UF_CRM_ODD": "a\x00b 🙂 it's", "uf_crm_long": "lower case", "UF_CRM_LONG ": "blank", strings.Repeat("U", 300): "name",
		"UF_CRM_DEEP": map[string]any{"a": []any{1, map[string]any{"b": nil}}},
	})
	m.roundTrip(lead)
	want := []string{`[UF_CRM_DEEP 0 {"a":["1",null]}]`, "[UF_CRM_LONG 0 " + long + "]", "[UF_CRM_ODD 0 a\uFFFDb 🙂 it's]"}
	if diff := cmp.Diff(want, m.values(member, 20)); diff != "" {
		m.t.Errorf("values (-want +got):\n%.1000s", diff)
	}
}

// marks returns a lead's errors in bitrix_import_lead_error.
func (m *mirror) marks(id string) []string {
	m.t.Helper()
	marks := m.report([]string{"sql_error"}, "bitrix_import_lead_error WHERE member_id = '"+member+"' AND sql_ID = '"+id+"'")
	slices.Sort(marks)
	return marks
}

func cutMarks(m *mirror) {
	long := func(extra string) map[string]any {
		return map[string]any{
			"TITLE": strings.Repeat("щ", 5000) + extra, "BIRTHDATE": "вчера", "PHONE": []any{phone("1", strings.Repeat("9", 3000))},
		}
	}
	m.verdict(leads.Inserted, seen(1, card(m.t, 30, long(""))))
	const rest = " does not fit into its column: there it is cut or empty, the whole value is in raw_json]"
	want := []string{"[BIRTHDATE" + rest, "[PHONE" + rest, "[TITLE" + rest}
	if diff := cmp.Diff(want, m.marks("30")); diff != "" {
		m.t.Errorf("marks (-want +got):\n%s", diff)
	}
	m.verdict(leads.Updated, seen(2, card(m.t, 30, long("!"))))
	m.verdict(leads.Deleted, proven(3, 30))
	m.verdict(leads.Inserted, seen(4, card(m.t, 30, long("?"))))
	m.must(m.RecordFailure(m.ctx, leads.Ref{MemberID: member, LeadID: 30}, "poison", []byte(`{"ID":"30"}`)))
	m.verdict(leads.Updated, seen(5, card(m.t, 30, map[string]any{"TITLE": strings.Repeat("щ", 5000), "POST": strings.Repeat("p", 3001)})))
	want = []string{"[BIRTHDATE" + rest, "[PHONE" + rest, "[POST" + rest, "[TITLE" + rest, "[poison]"}
	if diff := cmp.Diff(want, m.marks("30")); diff != "" {
		m.t.Errorf("marks after more writes (-want +got):\n%s", diff)
	}
	if payload, ok, err := m.FailedPayload(m.ctx, leads.Ref{MemberID: member, LeadID: 30}); payload != `{"ID":"30"}` || !ok || err != nil {
		m.t.Errorf("payload of the failure is %q, %v, %v", payload, ok, err)
	}
	row := m.row(member, 30)
	if !strings.Contains(string(row.Raw), strings.Repeat("щ", 5000)) {
		m.t.Error("the whole value is not in raw_json")
	}
	if n := len([]rune(column(row, "TITLE"))); n != 4000 {
		m.t.Errorf("the column has %d characters, want 4000", n)
	}
}

func cutSolution(m *mirror) {
	m.verdict(leads.Inserted, seen(1, card(m.t, 31, map[string]any{"UF_CRM_SOLUTION": strings.Repeat("я", 2001)})))
	if got := m.marks("31"); len(got) != 1 || !strings.HasPrefix(got[0], "[bitrix_lead_solution does not fit") {
		m.t.Errorf("marks %v", got)
	}
}

func fieldsErased(m *mirror) {
	m.saveSchema(member, leads.FieldType{Field: "UF_CRM_A", Type: "string"})
	m.must(m.ErasePortal(m.ctx, member))
	for _, table := range []string{"leadsync_lead_fields", "leadsync_field_types", "bitrix_import_lead_error"} {
		if n := m.text("SELECT COUNT(*) FROM " + table + " WHERE member_id = '" + member + "'"); n != "0" {
			m.t.Errorf("%s rows are left in %s", n, table)
		}
	}
	if n := m.text("SELECT COUNT(*) FROM leadsync_lead_fields WHERE member_id = '" + other + "'"); n != "1" {
		m.t.Errorf("another portal has %s rows", n)
	}
}
