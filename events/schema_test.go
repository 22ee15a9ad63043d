package events_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/leads"
)

func renamed() leads.SchemaChange {
	at := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	return leads.SchemaChange{
		MemberID: member, Field: "UF_CRM_NOTE", Kind: leads.FieldRenamed, At: at, Since: at.Add(-24 * time.Hour),
		Before: &leads.FieldShape{Title: "Note", Type: "string"}, After: &leads.FieldShape{Title: "Q&A <new>", Type: "string"},
	}
}

func TestSchemaChangeTravelsAsACloudEvent(t *testing.T) {
	bus := eventstest.Bus(t)
	c := renamed()
	if err := events.PublishSchemaChange(t.Context(), bus, c); err != nil {
		t.Fatal(err)
	}
	msg, err := stream(t, bus, events.StreamSchema).GetLastMsgForSubject(t.Context(), "leadsync.schema."+member)
	if err != nil {
		t.Fatal(err)
	}
	want := nats.Header{
		"ce-specversion": {"1.0"}, "ce-id": {c.ID()}, "ce-source": {"leadsync/" + member},
		"ce-type": {"com.bitrix24.crm.lead.schema.renamed.v1"}, "ce-subject": {"UF_CRM_NOTE"}, "ce-time": {"2026-11-26T03:00:00Z"},
		"ce-datacontenttype": {"application/json"}, "content-type": {"application/json"},
		"Nats-Expected-Stream": {events.StreamSchema}, "Nats-Msg-Id": {c.ID()},
	}
	for name := range msg.Header { // what the server adds when it shows a stored message
		switch name {
		case "Nats-Sequence", "Nats-Stream", "Nats-Subject", "Nats-Time-Stamp":
			delete(msg.Header, name)
		}
	}
	if diff := cmp.Diff(want, msg.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	const body = `{"member_id":"` + member + `","field":"UF_CRM_NOTE","change":"renamed","before":{"title":"Note","type":"string","multiple":false},` +
		`"after":{"title":"Q&A <new>","type":"string","multiple":false},"at":"2026-11-26T03:00:00Z"}`
	if diff := cmp.Diff(body, string(msg.Data)); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// After a kill the same change is published at another time.
func TestRepeatedSchemaChangeIsADuplicate(t *testing.T) {
	bus := eventstest.Bus(t)
	c := renamed()
	for range 2 {
		if err := events.PublishSchemaChange(t.Context(), bus, c); err != nil {
			t.Fatal(err)
		}
		c.At = c.At.Add(time.Hour)
	}
	if n := messages(t, bus, events.StreamSchema); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
	if err := events.ForgetPortal(t.Context(), bus, member); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, bus, events.StreamSchema); n != 0 {
		t.Errorf("%d messages of a portal that was removed", n)
	}
}

func TestSchemaChangesHaveThePrefix(t *testing.T) {
	bus := eventstest.Bus(t)
	berlin, err := events.Open(bus.Conn(), "berlin")
	if err != nil {
		t.Fatal(err)
	}
	if err := events.PublishSchemaChange(t.Context(), berlin, renamed()); err == nil {
		t.Error("published before anybody has looked whose the streams are")
	}
	if err := events.Setup(t.Context(), berlin, 1); err != nil {
		t.Fatal(err)
	}
	if err := events.PublishSchemaChange(t.Context(), berlin, renamed()); err != nil {
		t.Fatal(err)
	}
	if n := messages(t, bus, events.StreamSchema); n != 0 {
		t.Errorf("%d messages on the stream without the prefix", n)
	}
	if n := messages(t, berlin, events.StreamSchema); n != 1 {
		t.Errorf("%d messages on the stream with the prefix, want 1", n)
	}
}

func TestSchemaStreamKeepsChangesForAYear(t *testing.T) {
	bus := eventstest.Bus(t)
	c := stream(t, bus, events.StreamSchema).CachedInfo().Config
	if c.Retention != jetstream.LimitsPolicy || c.Storage != jetstream.FileStorage || c.MaxAge != 400*24*time.Hour || !c.AllowDirect || c.MaxMsgsPerSubject != -1 {
		t.Errorf("%+v", c)
	}
	if c.Duplicates < 24*time.Hour {
		t.Errorf("duplicates are recognised for %s, want longer than from one nightly pass to the next", c.Duplicates)
	}
}
