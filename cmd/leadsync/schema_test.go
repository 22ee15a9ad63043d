package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
)

// People edit the fields of the portal; a subscriber with an account of its own reads what they
// did: an added field because a card brings it, the rest with the next pass.
func TestSubscribersLearnHowCustomFieldsChange(t *testing.T) {
	t.Parallel()
	p := startEmulator(t, emulator.Config{Leads: 5, Seed: 5, NoLimits: true})
	s := startAccelerated(t, p, nil)
	db := s.mirror(t)
	p.Install(s.url+"/bitrix24/events", s.url+"/bitrix24/oauth/callback")
	s.untilImported(t, db)
	next := s.schemaChanges(t)

	if err := p.SetCustomField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "Новое", Type: "date"}); err != nil {
		t.Fatal(err)
	}
	id, _ := p.RandomID()
	if err := p.Edit(id, nil); err != nil {
		t.Fatal(err)
	}
	want := []string{"com.bitrix24.crm.lead.schema.added.v1 UF_CRM_NEW"}
	if diff := cmp.Diff(want, next(1)); diff != "" {
		t.Errorf("after a card (-want +got):\n%s", diff)
	}

	if err := p.SetCustomField(emulator.CustomField{Name: "UF_CRM_NEW", Label: "Newer", Type: "string"}); err != nil {
		t.Fatal(err)
	}
	if err := p.RemoveCustomField("UF_CRM_1724077760"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.RequestRun(t.Context(), leads.Run{MemberID: s.member(), Mode: leads.RunFull}); err != nil {
		t.Fatal(err)
	}
	want = []string{
		"com.bitrix24.crm.lead.schema.removed.v1 UF_CRM_1724077760", "com.bitrix24.crm.lead.schema.renamed.v1 UF_CRM_NEW",
		"com.bitrix24.crm.lead.schema.retyped.v1 UF_CRM_NEW",
	}
	if diff := cmp.Diff(want, next(3)); diff != "" {
		t.Errorf("after a pass (-want +got):\n%s", diff)
	}
}

// schemaChanges connects as the subscriber of the embedded server. It returns a function that
// waits for some more messages of the stream, as "ce-type ce-subject".
func (s *testServer) schemaChanges(t *testing.T) func(count int) []string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(s.vars["LEADSYNC_DATA_DIR"], "run.json"))
	if err != nil {
		t.Fatal(err)
	}
	var at struct {
		URL   string `json:"nats_url"`
		Token string `json:"subscriber_token"`
	}
	if err := json.Unmarshal(raw, &at); err != nil || at.Token == "" {
		t.Fatalf("run.json: %v", err)
	}
	nc, err := nats.Connect(at.URL, nats.Token(at.Token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := js.CreateOrUpdateConsumer(t.Context(), events.StreamSchema, jetstream.ConsumerConfig{
		Durable: "subscriber-schema", FilterSubject: events.SchemaSubject(s.member()), AckPolicy: jetstream.AckExplicitPolicy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(count int) (got []string) {
		t.Helper()
		for len(got) < count {
			msg, err := consumer.Next(jetstream.FetchMaxWait(time.Minute))
			if err != nil {
				t.Fatalf("after %v: %v\n%s", got, err, s.log)
			}
			got = append(got, msg.Headers().Get("ce-type")+" "+msg.Headers().Get("ce-subject"))
			if err := msg.DoubleAck(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return got
	}
}
