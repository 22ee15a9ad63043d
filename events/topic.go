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

// headerLimit is more than the headers of a message need, in bytes.
const headerLimit = 4 << 10

// Topic publishes changes on LEADS so that a lead's revisions only rise there, whatever
// a former relay still sends.
type Topic struct {
	bus        *Bus
	stream     jetstream.Stream
	batches    bool          // the server takes many messages as one: NATS from 2.12 on
	batchLimit time.Duration // how long a batch may take
}

// OpenTopic publishes over the bus. Setup or Look must have succeeded.
func OpenTopic(ctx context.Context, bus *Bus) (*Topic, error) {
	if err := bus.ours(); err != nil {
		return nil, fmt.Errorf("open stream %s: %w", bus.Name(StreamLeads), err)
	}
	stream, err := bus.Stream(ctx, StreamLeads)
	if err != nil {
		return nil, fmt.Errorf("open stream %s: %w", StreamLeads, err)
	}
	batches := stream.CachedInfo().Config.AllowAtomicPublish
	return &Topic{bus: bus, stream: stream, batches: batches, batchLimit: batchWait}, nil
}

// Publish returns when the stream has the change on disk, and says what the topic then
// holds of the lead: the change, or the same or a later one that the topic had already; then
// nothing was published.
func (t *Topic) Publish(ctx context.Context, c leads.Change) (leads.OnTopic, error) {
	last, err := t.last(ctx, c.Ref())
	if err != nil {
		return leads.OnTopic{}, err
	}
	return t.publish(ctx, c, last)
}

// publish is Publish where the topic held last of the lead when it was looked up.
func (t *Topic) publish(ctx context.Context, c leads.Change, last latest) (leads.OnTopic, error) {
	for forgotten := false; ; {
		msg, err := t.message(c)
		if err != nil {
			return leads.OnTopic{}, err
		}
		if last.revision >= c.Revision {
			return last.onTopic(c, msg), nil
		}
		expect(msg, last)
		if !forgotten {
			msg.Header.Set(jetstream.MsgIDHeader, c.ID())
		}
		ack, err := t.bus.js.PublishMsg(ctx, msg)
		switch {
		case wrongLastSequence(err): // another relay was faster: look again
		case err != nil:
			return leads.OnTopic{}, fmt.Errorf("publish %s revision %d: %w", c.Ref(), c.Revision, t.bus.named(err))
		case ack.Duplicate:
			// The stream had it and was emptied since, but remembers its id for two minutes.
			// What it holds decides, not what it had.
			forgotten = true
		default:
			return published(c, ack.Sequence), nil
		}
		if last, err = t.last(ctx, c.Ref()); err != nil {
			return leads.OnTopic{}, err
		}
	}
}

// published is what the topic holds of a lead whose change it has just taken.
func published(c leads.Change, sequence uint64) leads.OnTopic {
	return leads.OnTopic{LeadID: c.LeadID, Revision: c.Revision, Sequence: sequence, Deleted: c.Kind == leads.RemovedKind}
}

// expect makes the stream refuse the message if it holds anything else of the lead than
// what was looked up: a former relay cannot publish an old change after a newer one.
func expect(msg *nats.Msg, last latest) {
	msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(last.seq, 10))
}

// Last returns the newest change of a lead on the topic; false if there is no change that
// leadsync published.
func (t *Topic) Last(ctx context.Context, ref leads.Ref) (c leads.Change, ok bool, err error) {
	last, err := t.last(ctx, ref)
	if err != nil || last.revision == 0 {
		return c, false, err
	}
	return c, json.Unmarshal(last.data, &c) == nil, nil
}

// latest is what the topic holds of a lead; zero if it holds nothing.
type latest struct {
	seq      uint64
	revision int64 // 0 where the message is not ours: whatever it is, ours follows it
	data     []byte
}

func (t *Topic) last(ctx context.Context, ref leads.Ref) (latest, error) {
	msg, err := lastMessage(ctx, t.stream, t.bus.Subject(LeadSubject(ref)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return latest{}, nil
	}
	if err != nil {
		return latest{}, fmt.Errorf("look up %s: %w", LeadSubject(ref), t.bus.named(err))
	}
	revision, err := strconv.ParseInt(msg.Header.Get(revisionHeader), 10, 64)
	if err != nil {
		revision = 0
	}
	return latest{msg.Sequence, revision, msg.Data}, nil
}

// onTopic compares what the topic holds with a change that was to be published as msg.
func (l latest) onTopic(c leads.Change, msg *nats.Msg) leads.OnTopic {
	var there, mine leads.Change
	readable := errors.Join(json.Unmarshal(l.data, &there), json.Unmarshal(msg.Data, &mine)) == nil
	return leads.OnTopic{
		LeadID: c.LeadID, Revision: l.revision, Sequence: l.seq, Deleted: there.Kind == leads.RemovedKind,
		Distinct: l.revision == c.Revision && (!readable || !there.SameState(&mine)),
	}
}

func wrongLastSequence(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// message is the change as a CloudEvent in NATS binary mode. A deletion replaces the
// lead's whole history, names and phone numbers included, and itself expires after
// TombstoneLife.
func (t *Topic) message(c leads.Change) (*nats.Msg, error) {
	data, err := encodeChange(c)
	if err == nil && int64(len(data)+headerLimit) > t.bus.Conn().MaxPayload() {
		c.Lead, c.Oversize = nil, true
		data, err = encode(c)
	}
	if err != nil {
		return nil, fmt.Errorf("encode change of %s: %w", c.Ref(), err)
	}
	msg := nats.NewMsg(t.bus.Subject(LeadSubject(c.Ref())))
	msg.Data = data
	h := msg.Header
	h.Set(jetstream.ExpectedStreamHeader, t.bus.Name(StreamLeads)) // no other stream may take it
	cloudEvent{
		id: c.ID(), memberID: c.MemberID, kind: string(c.Kind), subject: strconv.FormatInt(c.LeadID, 10), at: c.ReadAt,
	}.mark(h)
	h.Set(revisionHeader, strconv.FormatInt(c.Revision, 10))
	if c.Kind == leads.RemovedKind {
		h.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
		h.Set(jetstream.MsgTTLHeader, TombstoneLife.String())
	}
	return msg, nil
}

// encodeChange is encode for a change. Its card is not looked through once more: it is JSON already.
func encodeChange(c leads.Change) ([]byte, error) {
	card := c.Lead
	c.Lead = nil
	data, err := encode(c)
	if err != nil || len(card) == 0 {
		return data, err
	}
	whole := make([]byte, 0, len(data)+len(`,"lead":`)+len(card))
	whole = append(whole, bytes.TrimSuffix(data, []byte("}"))...)
	whole = append(whole, `,"lead":`...)
	return append(append(whole, card...), '}'), nil
}

// encode leaves the card as the portal wrote it: <, > and & need no escapes here, which
// would make a card up to six times as long.
func encode(body any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil {
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

// Walk calls back for the newest change of each lead of a portal, some hundred together,
// and returns when it has seen all that were there when it began. The stream keeps one for each.
func (t *Topic) Walk(ctx context.Context, memberID string, each func([]leads.Change) error) error {
	err := readAll(ctx, t.stream, t.bus.Subject("leads."+memberID+".*"), func(page []jetstream.Msg) error {
		var changes []leads.Change
		for _, msg := range page {
			if c, err := ParseChange(msg); err == nil && msg.Headers().Get(revisionHeader) != "" {
				changes = append(changes, c)
			}
		}
		return each(changes)
	})
	if err != nil {
		return fmt.Errorf("walk the topic of %s: %w", memberID, err)
	}
	return nil
}

// Newest is what the topic says of the lead of a portal that changed last; false where it says nothing.
func (t *Topic) Newest(ctx context.Context, memberID string) (c leads.Change, ok bool, err error) {
	msg, err := lastMessage(ctx, t.stream, t.bus.Subject("leads."+memberID+".*"))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return c, false, nil
	case err != nil:
		return c, false, fmt.Errorf("look up the newest change of %s: %w", memberID, t.bus.named(err))
	}
	return c, json.Unmarshal(msg.Data, &c) == nil, nil
}

// Subscribe calls back for every change on LEADS until the context ends: from now on,
// or with fromStart the current state of every lead first. memberID "" is all portals.
func Subscribe(ctx context.Context, bus *Bus, memberID string, fromStart bool, each func(jetstream.Msg)) error {
	filter := "leads.*.*"
	if memberID != "" {
		filter = "leads." + memberID + ".*"
	}
	filter = bus.Subject(filter)
	policy := jetstream.DeliverNewPolicy
	if fromStart {
		policy = jetstream.DeliverLastPerSubjectPolicy
	}
	consumer, err := bus.js.OrderedConsumer(ctx, bus.Name(StreamLeads), jetstream.OrderedConsumerConfig{
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
