package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/leads"
)

// offlineBound are the events that leadsync binds to the portal's offline queue.
var offlineBound = []Event{LeadAdd, LeadUpdate, LeadDelete}

// offlineLimit is how many events are read at once. The documentation names no maximum, and
// a portal that returns fewer is asked again. But each event is cleared with a parameter of
// its own, and PHP reads at most 1,000 parameters by default.
const offlineLimit = 500

// signalInterval is the least number of seconds between two OfflineSignal events. It may be
// long: leadsync also reads the queue by a timer.
const signalInterval = 10

// codeLicense is the refusal of what the portal's plan does not include.
const codeLicense = "WRONG_LICENSE"

// BindOffline makes the portal keep the events of leads in its offline queue as well, and
// send OfflineSignal to handler when the queue is not empty; "" sends no signal. bound is
// what is bound already, as Bindings returns it. The error is leads.ErrRefused if the caller
// may not do this: webhooks and users who are not administrators.
func (e Events) BindOffline(ctx context.Context, bound []Binding, handler string) (added []Binding, err error) {
	var commands []Command
	var bindings []Binding
	for _, event := range offlineBound {
		b := Binding{Event: event, Offline: true}
		if !slices.Contains(bound, b) {
			bindings = append(bindings, b)
			commands = append(commands, Command{Key: "o_" + strings.ToLower(string(event)), Method: "event.bind", Query: url.Values{
				"event": {string(event)}, "event_type": {"offline"},
			}})
		}
	}
	if signal := (Binding{Event: OfflineSignal, Handler: handler}); handler != "" && !slices.Contains(bound, signal) {
		bindings = append(bindings, signal)
		bind := handlerCommand("event.bind", OfflineSignal, handler)
		bind.Query.Set("options[minTimeout]", strconv.Itoa(signalInterval))
		commands = append(commands, bind)
	}
	if len(commands) == 0 {
		return nil, nil
	}
	batch, err := e.client.batch(ctx, commands, manner{})
	if err != nil {
		return nil, fmt.Errorf("bind offline events: %w", err)
	}
	for i, cmd := range commands {
		switch refusal := batch.Errors[cmd.Key]; {
		case refusal == nil:
			added = append(added, bindings[i])
		case !alreadyBound(refusal):
			return nil, fmt.Errorf("bind %s to the offline queue: %w", bindings[i].Event, refusal)
		}
	}
	return added, nil
}

// offlineUnbind are the commands that remove those bindings.
func offlineUnbind(handler string) []Command {
	var commands []Command
	for _, event := range offlineBound {
		commands = append(commands, Command{Key: "o_" + strings.ToLower(string(event)), Method: "event.unbind", Query: url.Values{
			"event": {string(event)}, "event_type": {"offline"},
		}})
	}
	return append(commands, handlerCommand("event.unbind", OfflineSignal, handler))
}

// OfflineQueue is the queue in which a portal keeps events until they are read. It is not
// safe for concurrent use.
type OfflineQueue struct {
	client *Client
	// destructive says that a read deletes what it returns, because the plan includes no
	// reservation: if the answer is lost, so are its events.
	destructive bool
}

// OfflineQueue opens the portal's offline queue. It asks whether the plan can reserve events,
// and assumes so if the portal does not say.
func (e Events) OfflineQueue(ctx context.Context) (*OfflineQueue, error) {
	q := &OfflineQueue{client: e.client}
	answer, err := e.client.Read(ctx, "feature.get", Params{"CODE": "rest_offline_extended"})
	switch {
	case errors.Is(err, leads.ErrRefused):
		return q, nil
	case err != nil:
		return nil, fmt.Errorf("ask for the plan's features: %w", err)
	}
	var feature struct {
		Value lenientText `json:"value"`
	}
	_ = json.Unmarshal(answer.Result, &feature) // an answer of another type does not say
	q.destructive = strings.EqualFold(string(feature.Value), "N")
	return q, nil
}

// Reserves reports whether events stay in the queue until they are cleared.
func (q *OfflineQueue) Reserves() bool { return !q.destructive }

// Next clears the batch done, unless it is empty, and reads the next one in the same
// request. A batch without messages is the end of the queue. After an error a batch may be
// reserved whose answer was lost: Reserved finds it.
func (q *OfflineQueue) Next(ctx context.Context, done leads.OfflineBatch) (leads.OfflineBatch, error) {
	get := url.Values{"limit": {strconv.Itoa(offlineLimit)}, "order[ID]": {"ASC"}, "clear": {"0"}}
	if q.destructive {
		get.Set("clear", "1")
	}
	commands := []Command{{Key: "get", Method: "event.offline.get", Query: get}}
	if clear, ok := q.clearCommand(done); ok {
		commands = []Command{clear, commands[0]}
	}
	batch, err := q.client.batch(ctx, commands, manner{})
	if err != nil {
		return leads.OfflineBatch{}, fmt.Errorf("read the offline queue: %w", err)
	}
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		if e != nil && e.Code == codeLicense && cmd.Key == "get" && !q.destructive {
			q.destructive = true // although feature.get says that the plan can reserve
			return q.Next(ctx, leads.OfflineBatch{})
		}
		if e != nil {
			return leads.OfflineBatch{}, fmt.Errorf("%s: %w", cmd.Method, e)
		}
	}
	b, odd, err := offlineBatch(batch.Results["get"], batch.Time)
	if err != nil {
		return leads.OfflineBatch{}, err
	}
	q.client.leaveOut(ctx, oddEvent, odd, "event.offline.get")
	if len(b.Messages) == 0 && odd > 0 { // not the end of the queue, as a batch without messages would say
		return leads.OfflineBatch{}, garbled("event.offline.get", http.StatusOK, "none of the events can be read; nothing is cleared")
	}
	if len(b.Messages) > 0 && b.Process == "" {
		q.destructive = true // it reserved nothing, so it would return the same events again and again
	}
	return b, nil
}

// Again reads once more what is reserved under a process id. Events that cannot be read are
// not in the batch, so that nobody clears them.
func (q *OfflineQueue) Again(ctx context.Context, process string) (leads.OfflineBatch, error) {
	answer, err := q.client.Read(ctx, "event.offline.get", Params{"clear": 0, "process_id": process, "limit": offlineLimit})
	if err != nil {
		return leads.OfflineBatch{}, fmt.Errorf("read reserved offline events: %w", err)
	}
	b, odd, err := offlineBatch(answer.Result, answer.Time)
	if err != nil {
		return leads.OfflineBatch{}, err
	}
	q.client.leaveOut(ctx, oddEvent, odd, "event.offline.get")
	b.Process = process
	return b, nil
}

// Clear deletes the messages of a reserved batch from the queue. It does nothing without a
// process id or without messages.
func (q *OfflineQueue) Clear(ctx context.Context, done leads.OfflineBatch) error {
	clear, ok := q.clearCommand(done)
	if !ok {
		return nil
	}
	batch, err := q.client.batch(ctx, []Command{clear}, manner{})
	if err == nil && batch.Errors["clear"] != nil {
		err = batch.Errors["clear"]
	}
	if err != nil {
		return fmt.Errorf("clear reserved offline events: %w", err)
	}
	return nil
}

// clearCommand deletes the messages of a batch; false if it must not be sent. Without a
// process id Bitrix24 would delete every event that nobody has reserved, and without a list
// the whole batch, with what could not be read (docs/bitrix24.md 2.6.7).
func (q *OfflineQueue) clearCommand(done leads.OfflineBatch) (Command, bool) {
	query, count := url.Values{"process_id": {done.Process}}, 0
	for _, m := range done.Messages { // not id[] as well: the documentation contradicts itself on which of the two counts
		if m != "" {
			query.Set("message_id["+strconv.Itoa(count)+"]", m)
			count++
		}
	}
	return Command{Key: "clear", Method: "event.offline.clear", Query: query}, done.Process != "" && count > 0
}

// Reserved returns the process ids under which the oldest fifty events of the queue are
// reserved: batches that a process read and did not clear before it ended.
func (q *OfflineQueue) Reserved(ctx context.Context) ([]string, error) {
	if q.destructive {
		return nil, nil
	}
	answer, err := q.client.Read(ctx, "event.offline.list", Params{"order": Params{"ID": "ASC"}})
	if err != nil {
		return nil, fmt.Errorf("list the offline queue: %w", err)
	}
	rows, err := phpList(answer.Result)
	if err != nil {
		return nil, garbled("event.offline.list", http.StatusOK, "the answer is not a list")
	}
	var names []string
	for _, raw := range rows {
		var row struct {
			Process lenientText `json:"PROCESS_ID"`
		}
		if json.Unmarshal(raw, &row) != nil {
			return nil, garbled("event.offline.list", http.StatusOK, "a row of the list is not an event")
		}
		if name := string(row.Process); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// offlineBatch reads the result of event.offline.get. It leaves out rows that cannot be read,
// and returns how many. An answer that is not a list of events is an error, even if it is one
// of those that PHP writes for "nothing": an empty queue is answered with an empty list
// (docs/bitrix24.md 2.6.6).
func offlineBatch(result json.RawMessage, t Time) (b leads.OfflineBatch, odd int, err error) {
	var answer struct {
		Process json.RawMessage `json:"process_id"`
		Events  json.RawMessage `json:"events"`
	}
	var rows []json.RawMessage
	if err = json.Unmarshal(result, &answer); err == nil {
		rows, err = phpList(answer.Events)
	}
	if err != nil {
		return b, 0, garbled("event.offline.get", http.StatusOK, "the answer is not a list of events; nothing is cleared")
	}
	if b.Process = lenientString(answer.Process); b.Process == "" && !isEmpty(answer.Process) {
		return b, 0, garbled("event.offline.get", http.StatusOK, "process_id is not a text, so what is reserved cannot be cleared")
	}
	if t.Finish > 0 {
		b.At = time.UnixMilli(int64(t.Finish * 1000))
	}
	for _, raw := range rows {
		message, event, ok := offlineEvent(raw)
		if !ok {
			odd++
			continue
		}
		b.Messages = append(b.Messages, message)
		if event.LeadID != 0 {
			b.Events = append(b.Events, event)
		}
	}
	return b, odd, nil
}

// offlineEvent reads one row. Its event has no lead if it is about something else, or if the
// portal does not say about which. ok is false if the row cannot be read.
func offlineEvent(raw json.RawMessage) (message string, event leads.OfflineEvent, ok bool) {
	var row struct {
		At      lenientText     `json:"TIMESTAMP_X"`
		Name    lenientText     `json:"EVENT_NAME"`
		Data    json.RawMessage `json:"EVENT_DATA"`
		Message lenientText     `json:"MESSAGE_ID"`
	}
	if json.Unmarshal(raw, &row) != nil || row.Name == "" {
		return "", event, false
	}
	event.Event = strings.ToUpper(string(row.Name))
	if at, ok := leads.ParseTime(string(row.At)); ok {
		event.At = at
	}
	if Event(event.Event).IsLead() && !isEmpty(row.Data) { // without data it says nothing (docs/bitrix24.md 2.6.4)
		if event.LeadID = offlineLead(row.Data); event.LeadID == 0 {
			return "", event, false
		}
	}
	return string(row.Message), event, true
}

// offlineLead is the lead in an event's data; 0 if none can be read.
func offlineLead(data json.RawMessage) int64 {
	var fields struct {
		Fields struct {
			ID lenientText `json:"ID"`
		} `json:"FIELDS"`
	}
	if json.Unmarshal(data, &fields) != nil {
		return 0
	}
	id, err := leads.PortalID(string(fields.Fields.ID))
	if err != nil {
		return 0
	}
	return id
}
