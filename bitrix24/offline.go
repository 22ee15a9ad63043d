package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// offlineBound are the events that the portal is to keep in its own queue for us.
var offlineBound = []Event{LeadAdd, LeadUpdate, LeadDelete}

// offlineLimit is how many events are asked for at once. The documentation names no
// most, and a portal that gives fewer is asked again; but each is cleared by a parameter
// of its own, and PHP reads no more than 1,000 of them by default.
const offlineLimit = 500

// doorbellPause is the least time between two rings that we ask the portal for, in
// seconds: the queue is drained by a timer anyway.
const doorbellPause = 10

// licence is the refusal of what the portal's plan does not include.
const licence = "WRONG_LICENSE"

// BindOffline has the portal keep the events of leads in its own queue as well, and ring
// at handler when there are some; without a handler nothing rings. bound is what is
// bound already, as Bind returns it. The error is leads.ErrRefused where the portal does
// not let us: webhooks, users who are no administrators.
func (c *Client) BindOffline(ctx context.Context, bound []Binding, handler string) (added []Binding, err error) {
	var commands []Command
	for _, event := range offlineBound {
		b := Binding{Event: event, Offline: true}
		if !slices.Contains(bound, b) {
			added = append(added, b)
			commands = append(commands, Command{Key: "o_" + strings.ToLower(string(event)), Method: "event.bind", Query: url.Values{
				"event": {string(event)}, "event_type": {"offline"},
			}})
		}
	}
	if bell := (Binding{Event: Doorbell, Handler: handler}); handler != "" && !slices.Contains(bound, bell) {
		added = append(added, bell)
		bind := handlerCommand("event.bind", Doorbell, handler)
		bind.Query.Set("options[minTimeout]", strconv.Itoa(doorbellPause))
		commands = append(commands, bind)
	}
	if len(commands) == 0 {
		return nil, nil
	}
	batch, err := c.batch(ctx, commands, 0)
	if err != nil {
		return nil, fmt.Errorf("bind offline events: %w", err)
	}
	for i, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil && !alreadyBound(e) {
			return nil, fmt.Errorf("bind %s to the offline queue: %w", added[i].Event, e)
		}
	}
	return added, nil
}

// offlineUnbind are the commands that take that back.
func offlineUnbind(handler string) []Command {
	var commands []Command
	for _, event := range offlineBound {
		commands = append(commands, Command{Key: "o_" + strings.ToLower(string(event)), Method: "event.unbind", Query: url.Values{
			"event": {string(event)}, "event_type": {"offline"},
		}})
	}
	return append(commands, handlerCommand("event.unbind", Doorbell, handler))
}

// OfflineQueue is a portal's own queue of events. Not safe for concurrent use.
type OfflineQueue struct {
	client *Client
	// plain reads delete what they return, because the plan has no reservation: what is
	// lost on its way to us is lost.
	plain bool
}

// OfflineQueue opens the queue. Whether events can be reserved is asked for here, and
// believed where that cannot be said.
func (c *Client) OfflineQueue(ctx context.Context) (*OfflineQueue, error) {
	q := &OfflineQueue{client: c}
	answer, err := c.Read(ctx, "feature.get", Params{"CODE": "rest_offline_extended"})
	switch {
	case errors.Is(err, leads.ErrRefused):
		return q, nil
	case err != nil:
		return nil, fmt.Errorf("ask for the plan's features: %w", err)
	}
	var feature struct {
		Value looseText `json:"value"`
	}
	_ = json.Unmarshal(answer.Result, &feature) // another shape says nothing
	q.plain = strings.EqualFold(string(feature.Value), "N")
	return q, nil
}

// Reserves tells whether events stay with the portal until they are cleared.
func (q *OfflineQueue) Reserves() bool { return !q.plain }

// Next clears a batch, unless that is empty, and reads the next one in the same request.
// A batch without messages is the end. After an error a batch may have been reserved
// that nobody knows of: see Reserved.
func (q *OfflineQueue) Next(ctx context.Context, done leads.OfflineBatch) (leads.OfflineBatch, error) {
	get := url.Values{"limit": {strconv.Itoa(offlineLimit)}, "order[ID]": {"ASC"}, "clear": {"0"}}
	if q.plain {
		get.Set("clear", "1")
	}
	commands := []Command{{Key: "get", Method: "event.offline.get", Query: get}}
	if done.Process != "" {
		commands = []Command{q.clearCommand(done), commands[0]}
	}
	batch, err := q.client.batch(ctx, commands, 0)
	if err != nil {
		return leads.OfflineBatch{}, fmt.Errorf("read the offline queue: %w", err)
	}
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		if e != nil && e.Code == licence && cmd.Key == "get" && !q.plain {
			q.plain = true // whatever the features say
			return q.Next(ctx, leads.OfflineBatch{})
		}
		if e != nil {
			return leads.OfflineBatch{}, fmt.Errorf("%s: %w", cmd.Method, e)
		}
	}
	b, err := offlineBatch(batch.Results["get"], batch.Time)
	if err == nil && len(b.Messages) > 0 && b.Process == "" {
		q.plain = true // it has reserved nothing, and would give the same for ever
	}
	return b, err
}

// Again reads what is reserved under a name once more.
func (q *OfflineQueue) Again(ctx context.Context, process string) (leads.OfflineBatch, error) {
	answer, err := q.client.Read(ctx, "event.offline.get", Params{"clear": 0, "process_id": process, "limit": offlineLimit})
	if err != nil {
		return leads.OfflineBatch{}, fmt.Errorf("read reserved offline events: %w", err)
	}
	b, err := offlineBatch(answer.Result, answer.Time)
	b.Process = process
	return b, err
}

// Clear has the portal forget a reserved batch. Without a name it would forget
// everything that nobody has reserved, unread.
func (q *OfflineQueue) Clear(ctx context.Context, done leads.OfflineBatch) error {
	if done.Process == "" || len(done.Messages) == 0 {
		return nil
	}
	batch, err := q.client.batch(ctx, []Command{q.clearCommand(done)}, 0)
	if err == nil && batch.Errors["clear"] != nil {
		err = batch.Errors["clear"]
	}
	if err != nil {
		return fmt.Errorf("clear reserved offline events: %w", err)
	}
	return nil
}

func (q *OfflineQueue) clearCommand(done leads.OfflineBatch) Command {
	query := url.Values{"process_id": {done.Process}}
	for i, m := range done.Messages { // and not id[]: which of both counts is unsure
		query.Set("message_id["+strconv.Itoa(i)+"]", m)
	}
	return Command{Key: "clear", Method: "event.offline.clear", Query: query}
}

// Reserved are the names under which events are reserved, of the oldest fifty events of
// the queue: what somebody read and did not live to clear.
func (q *OfflineQueue) Reserved(ctx context.Context) ([]string, error) {
	if q.plain {
		return nil, nil
	}
	answer, err := q.client.Read(ctx, "event.offline.list", Params{"order": Params{"ID": "ASC"}})
	if err != nil {
		return nil, fmt.Errorf("list the offline queue: %w", err)
	}
	var rows []struct {
		Process looseText `json:"PROCESS_ID"`
	}
	if err := json.Unmarshal(answer.Result, &rows); err != nil {
		return nil, garbled("event.offline.list", 200, "the answer is not a list")
	}
	var names []string
	for _, row := range rows {
		if name := string(row.Process); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// offlineBatch reads the result of event.offline.get.
func offlineBatch(result json.RawMessage, t Time) (leads.OfflineBatch, error) {
	var answer struct {
		Process looseText `json:"process_id"`
		Events  []struct {
			At      looseText       `json:"TIMESTAMP_X"`
			Name    looseText       `json:"EVENT_NAME"`
			Data    json.RawMessage `json:"EVENT_DATA"`
			Message looseText       `json:"MESSAGE_ID"`
		} `json:"events"`
	}
	if err := json.Unmarshal(result, &answer); err != nil {
		return leads.OfflineBatch{}, garbled("event.offline.get", 200, "the answer is not a list of events")
	}
	b := leads.OfflineBatch{Process: string(answer.Process)}
	if t.Finish > 0 {
		b.At = time.UnixMilli(int64(t.Finish * 1000))
	}
	for _, row := range answer.Events {
		b.Messages = append(b.Messages, string(row.Message))
		event := leads.OfflineEvent{Event: strings.ToUpper(string(row.Name)), LeadID: offlineLead(row.Data)}
		if at, err := time.Parse(time.RFC3339, string(row.At)); err == nil {
			event.At = at
		}
		if Event(event.Event).IsLead() && event.LeadID != 0 {
			b.Events = append(b.Events, event)
		}
	}
	return b, nil
}

// offlineLead is the lead of an event's data; 0 where there is none: false and null are
// seen as well (docs/bitrix24.md 2.6).
func offlineLead(data json.RawMessage) int64 {
	var fields struct {
		Fields struct {
			ID looseText `json:"ID"`
		} `json:"FIELDS"`
	}
	if json.Unmarshal(data, &fields) != nil {
		return 0
	}
	id, err := leads.ParseID(string(fields.Fields.ID))
	if err != nil {
		return 0
	}
	return id
}
