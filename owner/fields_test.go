package owner_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/owner"
)

// announced are the changes of custom fields on the stream, as a subscriber reads them.
func (h *harness) announced() []leads.SchemaChange {
	h.t.Helper()
	consumer, err := h.bus.JetStream().OrderedConsumer(h.t.Context(), events.StreamSchema, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{events.SchemaSubject(h.member())},
	})
	if err != nil {
		h.t.Fatal(err)
	}
	count, err := events.Depth(h.t.Context(), h.bus, events.StreamSchema)
	if err != nil {
		h.t.Fatal(err)
	}
	var changes []leads.SchemaChange
	for range count {
		msg, err := consumer.Next()
		if err != nil {
			h.t.Fatal(err)
		}
		var c leads.SchemaChange
		if err := json.Unmarshal(msg.Data(), &c); err != nil {
			h.t.Fatal(err)
		}
		changes = append(changes, c)
	}
	return changes
}

// kinds are the changes as "field kind".
func (h *harness) kinds() []string {
	h.t.Helper()
	kinds := []string{}
	for _, c := range h.announced() {
		kinds = append(kinds, c.Field+" "+string(c.Kind))
	}
	return kinds
}

// pass has a pass done by owners that work.
func (h *harness) pass(mode leads.RunMode) {
	h.t.Helper()
	before := len(h.passes())
	if _, err := h.db.RequestRun(h.t.Context(), leads.Run{MemberID: h.member(), Mode: mode}); err != nil {
		h.t.Fatal(err)
	}
	h.until("a pass of mode "+string(mode), func() bool { return len(h.passes()) > before })
}

func (h *harness) setField(f emulator.CustomField) {
	h.t.Helper()
	if err := h.portal.SetCustomField(f); err != nil {
		h.t.Fatal(err)
	}
}

func (h *harness) removeField(name string) {
	h.t.Helper()
	if err := h.portal.RemoveCustomField(name); err != nil {
		h.t.Fatal(err)
	}
}

// stored are the names and titles that the mirror has.
func (h *harness) stored() map[string]string {
	h.t.Helper()
	schema, err := h.db.Schema(h.t.Context(), h.member())
	if err != nil {
		h.t.Fatal(err)
	}
	titles := map[string]string{}
	for _, f := range schema.Fields {
		titles[f.Field] = f.Label
	}
	return titles
}

// readAt is when the fields were read that the mirror has.
func (h *harness) readAt() time.Time {
	h.t.Helper()
	schema, err := h.db.Schema(h.t.Context(), h.member())
	if err != nil {
		h.t.Fatal(err)
	}
	return schema.ReadAt
}

// A pass asks for the portal's time while it waits for the definitions of custom fields, and reads
// no lead before they are there: else their fields would not be known.
func TestNoLeadIsReadBeforeTheDefinitions(t *testing.T) {
	h := open(t, 3)
	clock := make(chan struct{}, 1)
	h.transport.hold = func(text string) {
		switch {
		case strings.Contains(text, "server.time"):
			select {
			case clock <- struct{}{}:
			default:
			}
		case strings.Contains(text, "crm.lead.fields"):
			select {
			case <-clock:
			case <-time.After(time.Minute):
				t.Error("the portal's time is not asked for meanwhile")
			}
			<-time.After(200 * time.Millisecond) // for a lead's read that must not come
			if h.transport.count("crm.lead.list") > 0 {
				t.Error("leads are read before")
			}
		}
	}
	h.work(h.config())
	h.pass(leads.RunImport)
}

// Every kind of change reaches subscribers, with before and after; the first reading has
// nothing to compare with.
func TestChangesOfCustomFieldsAreAnnounced(t *testing.T) {
	h := open(t, 3)
	h.work(h.config())
	h.pass(leads.RunImport)
	if got := h.announced(); len(got) > 0 {
		t.Fatalf("the first reading announces %+v", got)
	}
	if n := len(h.stored()); n != 11 {
		t.Fatalf("%d fields are stored, want 11", n)
	}
	h.setField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "Новое", Type: "date"})
	h.setField(emulator.CustomField{Name: "UF_CRM_1704817278", Label: "Remark", Type: "string"})
	h.setField(emulator.CustomField{Name: "UF_CRM_NEXT_CALL", Label: "Следующий звонок", Type: "date"})
	h.removeField("UF_CRM_1724077760")
	h.pass(leads.RunChanged)
	h.pass(leads.RunFull) // sees nothing new
	got := h.announced()
	for i := range got {
		if age := time.Since(got[i].At); age < 0 || age > time.Hour {
			t.Errorf("noticed at %v", got[i].At)
		}
		got[i].At = time.Time{}
	}
	want := []leads.SchemaChange{
		{
			Field: "UF_CRM_1704817278", Kind: leads.FieldRenamed,
			Before: &leads.FieldShape{Title: "Примечание оператора", Type: "string"}, After: &leads.FieldShape{Title: "Remark", Type: "string"},
		},
		{Field: "UF_CRM_1724077760", Kind: leads.FieldRemoved, Before: &leads.FieldShape{Title: "Radio", Type: "enumeration", Multiple: true}},
		{Field: "UF_CRM_NEW", Kind: leads.FieldAdded, After: &leads.FieldShape{Title: "Новое", Type: "date"}},
		{
			Field: "UF_CRM_NEXT_CALL", Kind: leads.FieldRetyped,
			Before: &leads.FieldShape{Title: "Следующий звонок", Type: "datetime"}, After: &leads.FieldShape{Title: "Следующий звонок", Type: "date"},
		},
	}
	for i := range want {
		want[i].MemberID = h.member()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	if lines := strings.Count(h.log.String(), "custom field changed in the portal"); lines != 4 {
		t.Errorf("%d lines in the log, want one for each change", lines)
	}
}

// A card with a field that nobody knows has the definitions read, without a pass.
func TestACardWithAnUnknownFieldAnnouncesIt(t *testing.T) {
	h := open(t, 3)
	h.work(h.config())
	h.pass(leads.RunImport)
	h.setField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "New"})
	n := events.Notice{Ref: leads.Ref{MemberID: h.member(), LeadID: 1}, Event: "ONCRMLEADUPDATE", Cause: leads.CauseEvent, ReceivedAt: time.Now()}
	if err := events.PublishNotice(t.Context(), h.bus, n); err != nil {
		t.Fatal(err)
	}
	h.until("the new field is announced", func() bool { return len(h.announced()) > 0 })
	if diff := cmp.Diff([]string{"UF_CRM_NEW added"}, h.kinds()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// fields runs work as the owner of the portal's fields, after their first reading.
func (h *harness) fields(cfg owner.Config, work func(owner.Fields)) {
	h.t.Helper()
	err := owner.OwnFields(h.t.Context(), &cfg, h.record, func(ctx context.Context, f owner.Fields) error {
		f.Update(ctx)
		work(f)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// cards are snapshots of leads whose cards have these fields.
func cards(count int, names ...string) []leads.Snapshot {
	snaps := make([]leads.Snapshot, count)
	for i := range snaps {
		snaps[i].Lead.Custom = map[string]json.RawMessage{}
		for _, name := range names {
			snaps[i].Lead.Custom[name] = json.RawMessage("null")
		}
	}
	return snaps
}

func TestUnknownFieldsAreReadAtMostOnceInTenMinutes(t *testing.T) {
	h := open(t, 0)
	h.fields(h.config(), func(f owner.Fields) {
		now := time.Now()
		after := func(wait time.Duration, names ...string) int {
			t.Helper()
			for _, card := range cards(100, names...) {
				f.See([]leads.Snapshot{card})
				f.Check(t.Context(), now.Add(wait))
			}
			return h.transport.count("crm.lead.fields") - 1 // without the first reading
		}
		if n := after(0, "UF_CRM_1387525788", "PARENT_ID_177", "UF_lower"); n != 0 {
			t.Errorf("known fields had the definitions read %d times", n)
		}
		h.setField(emulator.CustomField{Name: "UF_CRM_ONE"})
		if n := after(time.Minute, "UF_CRM_ONE"); n != 1 {
			t.Errorf("100 cards with a new field had the definitions read %d times, want once", n)
		}
		h.setField(emulator.CustomField{Name: "UF_CRM_TWO"})
		if n := after(10*time.Minute, "UF_CRM_TWO", "UF_CRM_NEVER_LISTED"); n != 1 {
			t.Errorf("read %d times before ten minutes were over, want once", n)
		}
		if diff := cmp.Diff([]string{"UF_CRM_ONE added"}, h.kinds()); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if n := after(11*time.Minute, "UF_CRM_TWO", "UF_CRM_NEVER_LISTED"); n != 2 {
			t.Errorf("read %d times after ten minutes, want twice", n)
		}
		if n := after(20*time.Minute, "UF_CRM_NEVER_LISTED"); n != 2 {
			t.Errorf("a field that is never listed had the definitions read %d times, want twice", n)
		}
	})
	if diff := cmp.Diff([]string{"UF_CRM_ONE added", "UF_CRM_TWO added"}, h.kinds()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

// killedReports fails after what was published and before it is stored.
type killedReports struct {
	owner.Reports
	kill bool
}

func (r *killedReports) SaveSchema(ctx context.Context, memberID string, epoch int64, schema leads.Schema) error {
	if r.kill {
		return errors.New("killed")
	}
	return r.Reports.SaveSchema(ctx, memberID, epoch, schema)
}

// A kill between the two leaves what was stored, so the change is published again, and the
// stream recognises it.
func TestChangesOfCustomFieldsSurviveAKill(t *testing.T) {
	h := open(t, 0)
	cfg := h.config()
	reports := &killedReports{Reports: h.db}
	cfg.Mirror.Reports = reports
	h.fields(cfg, func(f owner.Fields) {
		h.setField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "New"})
		h.removeField("UF_CRM_NEXT_CALL")
		reports.kill = true
		f.Update(t.Context())
	})
	want := []string{"UF_CRM_NEW added", "UF_CRM_NEXT_CALL removed"}
	if diff := cmp.Diff(want, h.kinds()); diff != "" {
		t.Errorf("published before the kill (-want +got):\n%s", diff)
	}
	if _, known := h.stored()["UF_CRM_NEW"]; known {
		t.Fatal("the field was stored, so nothing was killed")
	}
	h.fields(h.config(), func(owner.Fields) {}) // the next owner
	if diff := cmp.Diff(want, h.kinds()); diff != "" {
		t.Errorf("after the kill (-want +got):\n%s", diff)
	}
	if lines := strings.Count(h.log.String(), "custom field changed in the portal"); lines != 4 {
		t.Errorf("the changes were published %d times, want each twice", lines)
	}
	if _, known := h.stored()["UF_CRM_NEW"]; !known {
		t.Error("the field is not stored")
	}
}

func TestChangesThatCannotBePublishedAreNotStored(t *testing.T) {
	h := open(t, 0)
	h.fields(h.config(), func(f owner.Fields) {
		if err := h.bus.JetStream().DeleteStream(t.Context(), events.StreamSchema); err != nil {
			t.Fatal(err)
		}
		h.setField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "New"})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		f.Update(ctx)
		cancel()
		if _, known := h.stored()["UF_CRM_NEW"]; known {
			t.Error("a change that nobody was told of is stored")
		}
		if err := events.Setup(t.Context(), h.bus, 1); err != nil {
			t.Fatal(err)
		}
		f.Check(t.Context(), time.Now()) // a reading that failed is repeated
	})
	if diff := cmp.Diff([]string{"UF_CRM_NEW added"}, h.kinds()); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestAPortalThatListsNoFieldsRemovesNone(t *testing.T) {
	h := open(t, 0)
	h.fields(h.config(), func(f owner.Fields) {
		before, readAt := h.stored(), h.readAt()
		for name := range before {
			h.removeField(name)
		}
		f.Update(t.Context())
		if diff := cmp.Diff(before, h.stored()); diff != "" {
			t.Errorf("stored (-want +got):\n%s", diff)
		}
		if !h.readAt().Equal(readAt) {
			t.Error("an empty list counts as a reading: what a kill has published once would get other ids")
		}
		h.setField(emulator.CustomField{Name: "UF_CRM_NEXT_CALL", Label: before["UF_CRM_NEXT_CALL"], Type: "datetime"})
		f.Update(t.Context())
		if n := len(h.announced()); n != 10 {
			t.Errorf("%d changes once the portal lists a field again, want the other 10", n)
		}
	})
}
