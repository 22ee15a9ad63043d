package events

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

const (
	schemaLife = 400 * 24 * time.Hour // longer than a year, for whoever looks once a year
	// schemaRemembers is how long the stream recognises a change that is published again: after
	// a kill the next reading of the fields may be that of the nightly pass.
	schemaRemembers = 48 * time.Hour
)

func schemaStream() jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name: StreamSchema, Subjects: []string{"leadsync.schema.*"}, Retention: jetstream.LimitsPolicy,
		Storage: jetstream.FileStorage, MaxAge: schemaLife, AllowDirect: true, Duplicates: schemaRemembers,
	}
}

// PublishSchemaChange returns when the stream has the change of a custom field on disk. One
// that it has already is not stored again.
func PublishSchemaChange(ctx context.Context, bus *Bus, c leads.SchemaChange) error {
	subject := SchemaSubject(c.MemberID)
	if err := bus.ours(); err != nil {
		return fmt.Errorf("publish %s: %w", subject, err)
	}
	data, err := encode(c)
	if err != nil {
		return fmt.Errorf("encode for %s: %w", subject, err)
	}
	msg := nats.NewMsg(bus.Subject(subject))
	msg.Data = data
	cloudEvent{id: c.ID(), memberID: c.MemberID, kind: "schema." + string(c.Kind), subject: c.Field, at: c.At}.mark(msg.Header)
	if _, err := bus.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(bus.Name(StreamSchema)), jetstream.WithMsgID(c.ID())); err != nil {
		return fmt.Errorf("publish %s: %w", msg.Subject, bus.named(err))
	}
	return nil
}
