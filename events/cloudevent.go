package events

import (
	"time"

	"github.com/nats-io/nats.go"
)

// cloudEvent describes a message that other systems read.
type cloudEvent struct {
	id       string // the same where the same event is published again
	memberID string
	kind     string // what happened: the end of the type
	subject  string // what it happened to
	at       time.Time
}

// mark writes the headers of a CloudEvent in NATS binary mode.
func (e cloudEvent) mark(h nats.Header) {
	h.Set("ce-specversion", "1.0")
	h.Set("ce-id", e.id)
	h.Set("ce-source", "leadsync/"+e.memberID)
	h.Set("ce-type", "com.bitrix24.crm.lead."+e.kind+".v1")
	h.Set("ce-subject", e.subject)
	h.Set("ce-time", e.at.UTC().Format(time.RFC3339Nano))
	h.Set("content-type", "application/json")
	h.Set("ce-datacontenttype", "application/json") // readers of CloudEvents look here, others there
}
