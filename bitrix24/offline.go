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
	for _, event := range offlineBound {
		b := Binding{Event: event, Offline: true}
		if !slices.Contains(bound, b) {
			added = append(added, b)
			commands = append(commands, Command{Key: "o_" + strings.ToLower(string(event)), Method: "event.bind", Query: url.Values{
				"event": {string(event)}, "event_type": {"offline"},
			}})
		}
	}
	if signal := (Binding{Event: OfflineSignal, Handler: handler}); handler != "" && !slices.Contains(bound, signal) {
		added = append(added, signal)
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
		if refusal := batch.Errors[cmd.Key]; refusal != nil && !alreadyBound(refusal) {
			return nil, fmt.Errorf("bind %s to the offline queue: %w", added[i].Event, refusal)
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
	if done.Process != "" {
		commands = []Command{q.clearCommand(done), commands[0]}
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
	b, err := offlineBatch(batch.Results["get"], batch.Time)
	if err == nil && len(b.Messages) > 0 && b.Process == "" {
		q.destructive = true // it reserved nothing, so it would return the same events again and again
	}
	return b, err
}

// Again reads once more what is reserved under a process id.
func (q *OfflineQueue) Again(ctx context.Context, process string) (leads.OfflineBatch, error) {
	answer, err := q.client.Read(ctx, "event.offline.get", Params{"clear": 0, "process_id": process, "limit": offlineLimit})
	if err != nil {
		return leads.OfflineBatch{}, fmt.Errorf("read reserved offline events: %w", err)
	}
	b, err := offlineBatch(answer.Result, answer.Time)
	b.Process = process
	return b, err
}

// Clear deletes a reserved batch from the queue. It does nothing without a process id:
// Bitrix24 would then delete every event that nobody has reserved, unread.
func (q *OfflineQueue) Clear(ctx context.Context, done leads.OfflineBatch) error {
	if done.Process == "" || len(done.Messages) == 0 {
		return nil
	}
	batch, err := q.client.batch(ctx, []Command{q.clearCommand(done)}, manner{})
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
	for i, m := range done.Messages { // not id[] as well: the documentation contradicts itself on which of the two counts
		query.Set("message_id["+strconv.Itoa(i)+"]", m)
	}
	return Command{Key: "clear", Method: "event.offline.clear", Query: query}
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
	rows, err := phpRows[struct {
		Process lenientText `json:"PROCESS_ID"`
	}](answer.Result)
	if err != nil {
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
		Process lenientText     `json:"process_id"`
		Events  json.RawMessage `json:"events"`
	}
	if err := json.Unmarshal(result, &answer); err != nil {
		return leads.OfflineBatch{}, garbled("event.offline.get", 200, "the answer is not a list of events")
	}
	rows, err := phpRows[struct {
		At      lenientText     `json:"TIMESTAMP_X"`
		Name    lenientText     `json:"EVENT_NAME"`
		Data    json.RawMessage `json:"EVENT_DATA"`
		Message lenientText     `json:"MESSAGE_ID"`
	}](answer.Events)
	if err != nil {
		return leads.OfflineBatch{}, garbled("event.offline.get", 200, "the answer is not a list of events")
	}
	b := leads.OfflineBatch{Process: string(answer.Process)}
	if t.Finish > 0 {
		b.At = time.UnixMilli(int64(t.Finish * 1000))
	}
	for _, row := range rows {
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

// offlineLead is the lead in an event's data; 0 if there is none: data may also be false or
// null (docs/bitrix24.md 2.6).
func offlineLead(data json.RawMessage) int64 {
	var fields struct {
		Fields struct {
			ID lenientText `json:"ID"`
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
