package subscribers_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"leadsync/events"
	"leadsync/leads"
)

const docs = "../../docs"

// contract is what docs/asyncapi.yaml says of a stream.
type contract struct {
	stream   string
	body     string // file of the schema
	headers  string // "" where there are none but the server's
	optional bool   // the service may have had nothing to say in this run
}

var contracts = []contract{
	{stream: "LEADS", body: "change.json", headers: "change-headers.json"},
	{stream: "LEADSYNC_RUNS", body: "run.json"},
	{stream: "LEADSYNC_STATUS", body: "status.json", optional: true},
	{stream: "LEADSYNC_SCHEMA", body: "field-change.json", optional: true},
}

// Everything that the service publishes in a run is as docs/asyncapi.yaml says.
func TestMessagesAreAsDescribed(t *testing.T) {
	w := newWorld(t, 40)
	w.start()
	w.install()
	w.live("described", 20)
	w.publishOversize()
	w.reconcile()
	w.until("changes of all kinds are on the topic", func() string { return w.missingKinds() })
	for _, c := range contracts {
		t.Run(c.stream, func(t *testing.T) {
			messages := w.messages(t, c.stream)
			if len(messages) == 0 && c.optional {
				t.Skip("nothing was published")
			}
			c.check(t, messages)
		})
	}
}

// check validates messages, and requires that each property of the schema came.
func (c contract) check(t *testing.T, messages []*jetstream.RawStreamMsg) {
	t.Helper()
	if len(messages) == 0 {
		t.Fatal("nothing was published")
	}
	body, seen := compile(t, c.body), map[string]bool{}
	for _, msg := range messages {
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(msg.Data))
		if err != nil {
			t.Fatalf("%s: %v", msg.Subject, err)
		}
		if err := body.Validate(instance); err != nil {
			t.Errorf("%s: %v\n%.500s", msg.Subject, err, msg.Data)
		}
		object, _ := instance.(map[string]any)
		for key := range object {
			seen[key] = true
		}
		c.checkHeaders(t, msg)
	}
	for property := range body.Properties {
		if !seen[property] && !c.optional && property != "error" { // of a run that was given up
			t.Errorf("property %s of %s came in no message", property, c.body)
		}
	}
}

func (c contract) checkHeaders(t *testing.T, msg *jetstream.RawStreamMsg) {
	t.Helper()
	headers := map[string]any{}
	for key, values := range msg.Header {
		if len(values) != 1 {
			t.Errorf("%s: header %s has %d values", msg.Subject, key, len(values))
		}
		headers[key] = values[0]
	}
	if c.headers == "" {
		for key := range headers {
			if !strings.HasPrefix(key, "Nats-") {
				t.Errorf("%s: header %s is not described", msg.Subject, key)
			}
		}
		return
	}
	if err := compile(t, c.headers).Validate(headers); err != nil {
		t.Errorf("%s: headers: %v\n%v", msg.Subject, err, headers)
	}
	agree(t, msg, headers)
}

// agree compares subject, headers and body: they repeat each other.
func agree(t *testing.T, msg *jetstream.RawStreamMsg, headers map[string]any) {
	t.Helper()
	var change leads.Change
	if err := json.Unmarshal(msg.Data, &change); err != nil {
		t.Fatal(err)
	}
	id := strconv.FormatInt(change.LeadID, 10)
	for header, want := range map[string]string{
		"ce-source": "leadsync/" + change.MemberID, "ce-type": "com.bitrix24.crm.lead." + string(change.Kind) + ".v1", "ce-subject": id,
		"ce-id": change.ID(), "ce-time": change.ReadAt.Format(time.RFC3339Nano), "Leadsync-Revision": strconv.FormatInt(change.Revision, 10),
	} {
		if headers[header] != want {
			t.Errorf("%s: header %s is %v, the body says %s", msg.Subject, header, headers[header], want)
		}
	}
	if want := "leads." + change.MemberID + "." + id; msg.Subject != want {
		t.Errorf("subject %s, the body says %s", msg.Subject, want)
	}
}

// Every schema stands in docs/asyncapi.yaml, with the stream, and every stream here.
func TestSchemasStandInTheDocument(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(docs, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(docs, "schemas", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no schemas: ", err)
	}
	var known []string
	for _, c := range contracts {
		known = append(known, c.body, c.headers)
		if !bytes.Contains(data, []byte("(stream "+c.stream+")")) {
			t.Errorf("stream %s is not described", c.stream)
		}
	}
	for _, file := range files {
		file = filepath.Base(file)
		if !bytes.Contains(data, []byte("'./schemas/"+file+"'")) || !slices.Contains(known, file) {
			t.Errorf("schema %s is not used", file)
		}
	}
}

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(filepath.Join(docs, "schemas", file))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// messages are all of a stream.
func (w *world) messages(t *testing.T, name string) (all []*jetstream.RawStreamMsg) {
	t.Helper()
	stream, err := w.service.Backend.NATS.Bus().Stream(t.Context(), name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for seq := uint64(1); ; seq++ {
		msg, err := stream.GetMsg(t.Context(), seq, jetstream.WithGetMsgSubject(">"))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all, seq = append(all, msg), msg.Sequence
	}
}

// missingKinds says which changes the topic does not have yet.
func (w *world) missingKinds() string {
	w.t.Helper()
	missing := map[string]bool{"added": true, "updated": true, "deleted": true}
	for _, msg := range w.messages(w.t, events.StreamLeads) {
		var change leads.Change
		if err := json.Unmarshal(msg.Data, &change); err != nil {
			return err.Error()
		}
		delete(missing, string(change.Kind))
	}
	return strings.Join(slices.Sorted(maps.Keys(missing)), ", ")
}

// publishOversize publishes a card that is too large for a message.
func (w *world) publishOversize() {
	w.t.Helper()
	topic, err := events.OpenTopic(w.t.Context(), w.service.Backend.NATS.Bus())
	if err != nil {
		w.t.Fatal(err)
	}
	card := json.RawMessage(`{"ID":"` + strconv.Itoa(leads.MaxID) + `","COMMENTS":"` + strings.Repeat("x", 9<<20) + `"}`)
	_, err = topic.Publish(w.t.Context(), leads.Change{
		MemberID: w.member(), LeadID: leads.MaxID, Kind: leads.Changed, Revision: 3, Fields: []string{"COMMENTS"},
		Cause: leads.CauseEvent, ReadAt: time.Now(), Lead: card,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// reconcile runs a full comparison.
func (w *world) reconcile() {
	w.t.Helper()
	db := w.service.Backend.DB
	id, err := db.RequestRun(w.t.Context(), leads.Run{ID: uuid.NewString(), MemberID: w.member(), Mode: leads.RunFull, RequestedAt: time.Now().UTC()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.until("the comparison has ended and was published", func() string {
		if run, _, err := db.Run(w.t.Context(), id); err != nil || !run.Finished() {
			return "it runs"
		}
		for _, msg := range w.messages(w.t, events.StreamRuns) {
			if bytes.Contains(msg.Data, []byte(id)) {
				return ""
			}
		}
		return "it was not published"
	})
}
