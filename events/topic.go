package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"leadsync/leads"
)

// revisionHeader repeats the revision, so that the relay can tell old from new without
// reading the card.
const revisionHeader = "Leadsync-Revision"

// wrongLastSequenceConstant is how servers from 2.12 on refuse in some cases; the client
// library does not name it yet.
const wrongLastSequenceConstant jetstream.ErrorCode = 10164

// headerLimit is more than the headers of a message need, in bytes.
const headerLimit = 4 << 10

// Topic publishes changes on LEADS so that a lead's revisions only rise there, whatever
// a former relay still sends.
type Topic struct {
	js         jetstream.JetStream
	stream     jetstream.Stream
	maxPayload int64
}

// OpenTopic publishes over the connection that js uses. Setup must have run.
func OpenTopic(ctx context.Context, js jetstream.JetStream) (*Topic, error) {
	stream, err := js.Stream(ctx, StreamLeads)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", StreamLeads, err)
	}
	return &Topic{js: js, stream: stream, maxPayload: js.Conn().MaxPayload()}, nil
}

// Publish returns when the stream has the change on disk. A change that the topic has
// already, or a later one of the same lead, is left out without an error.
func (t *Topic) Publish(ctx context.Context, c leads.Change) error {
	for {
		last, revision, err := t.last(ctx, c.Ref())
		if err != nil {
			return err
		}
		if revision >= c.Revision {
			return nil
		}
		msg, err := t.message(c)
		if err != nil {
			return err
		}
		_, err = t.js.PublishMsg(ctx, msg, jetstream.WithMsgID(c.ID()), jetstream.WithExpectLastSequencePerSubject(last))
		if wrongLastSequence(err) {
			continue // another relay was faster: look again
		}
		if err != nil {
			return fmt.Errorf("publish %s revision %d: %w", c.Ref(), c.Revision, err)
		}
		return nil
	}
}

// last is the sequence and revision of what the topic holds of the lead; zeros where
// it holds nothing.
func (t *Topic) last(ctx context.Context, ref leads.Ref) (seq uint64, revision int64, err error) {
	msg, err := t.stream.GetLastMsgForSubject(ctx, LeadSubject(ref))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("look up %s: %w", LeadSubject(ref), err)
	}
	revision, err = strconv.ParseInt(msg.Header.Get(revisionHeader), 10, 64)
	if err != nil {
		revision = 0 // not written by us: whatever it is, ours follows it
	}
	return msg.Sequence, revision, nil
}

func wrongLastSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == wrongLastSequenceConstant)
}

// message is the change as a CloudEvent in NATS binary mode. A deletion replaces the
// lead's whole history, names and phone numbers included, and is itself forgotten after
// TombstoneLife.
func (t *Topic) message(c leads.Change) (*nats.Msg, error) {
	data, err := encode(c)
	if err == nil && int64(len(data)+headerLimit) > t.maxPayload {
		c.Lead, c.Oversize = nil, true
		data, err = encode(c)
	}
	if err != nil {
		return nil, fmt.Errorf("encode change of %s: %w", c.Ref(), err)
	}
	msg := nats.NewMsg(LeadSubject(c.Ref()))
	msg.Data = data
	h := msg.Header
	h.Set("ce-specversion", "1.0")
	h.Set("ce-id", c.ID())
	h.Set("ce-source", "leadsync/"+c.MemberID)
	h.Set("ce-type", "com.bitrix24.crm.lead."+string(c.Kind)+".v1")
	h.Set("ce-subject", strconv.FormatInt(c.LeadID, 10))
	h.Set("ce-time", c.ReadAt.UTC().Format(time.RFC3339Nano))
	h.Set("content-type", "application/json")
	h.Set(revisionHeader, strconv.FormatInt(c.Revision, 10))
	if c.Kind == leads.RemovedKind {
		h.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		h.Set(jetstream.MsgTTLHeader, TombstoneLife.String())
	}
	return msg, nil
}

// encode leaves the card as the portal wrote it: <, > and & need no escapes here, which
// would make a card up to six times as long.
func encode(c leads.Change) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// ParseChange reads a message of LEADS.
func ParseChange(msg jetstream.Msg) (leads.Change, error) {
	var c leads.Change
	if err := json.Unmarshal(msg.Data(), &c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	return c, nil
}

// Subscribe calls back for every change on LEADS until the context ends: from now on,
// or with fromStart the current state of every lead first. memberID "" is all portals.
func Subscribe(ctx context.Context, js jetstream.JetStream, memberID string, fromStart bool, each func(jetstream.Msg)) error {
	filter := "leads.*.*"
	if memberID != "" {
		filter = "leads." + memberID + ".*"
	}
	policy := jetstream.DeliverNewPolicy
	if fromStart {
		policy = jetstream.DeliverLastPerSubjectPolicy
	}
	consumer, err := js.OrderedConsumer(ctx, StreamLeads, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{filter}, DeliverPolicy: policy,
	})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	sub, err := consumer.Consume(each)
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", filter, err)
	}
	defer sub.Stop()
	<-ctx.Done()
	return nil
}
