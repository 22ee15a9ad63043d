package bitrix24

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"leadsync/leads"
)

// Bound are the events that leadsync binds on every portal.
var Bound = []Event{LeadAdd, LeadUpdate, LeadDelete, AppUpdate, AppUninstall, AppTest}

// Binding is one event that a portal sends to an address or keeps in its offline queue.
type Binding struct {
	Event   Event
	Handler string // the address; "" if Offline
	Offline bool   // the event goes to the portal's offline queue
	// Connector is the source whose own writes the queue leaves out. leadsync binds without
	// one: a queue that was bound with a connector is empty for whoever reads it without.
	Connector string
}

// Events binds a portal's events and reads its offline queue; Client.Events returns it. A
// webhook may do neither: its calls fail with leads.ErrRefused.
type Events struct{ client *Client }

// Bindings returns what the application has bound.
func (e Events) Bindings(ctx context.Context) ([]Binding, error) {
	answer, err := e.client.Read(ctx, "event.get", nil)
	if err != nil {
		return nil, fmt.Errorf("look up bound events: %w", err)
	}
	rows, err := phpRows[struct {
		Event     lenientText `json:"event"`
		Handler   lenientText `json:"handler"`
		Offline   lenientBool `json:"offline"`
		Connector lenientText `json:"connector_id"`
	}](answer.Result)
	if err != nil {
		return nil, garbled("event.get", 200, "the answer is not a list of handlers")
	}
	bindings := make([]Binding, len(rows))
	for i, row := range rows {
		bindings[i] = Binding{
			Event: Event(strings.ToUpper(string(row.Event))), Handler: string(row.Handler),
			Offline: bool(row.Offline), Connector: string(row.Connector),
		}
	}
	return bindings, nil
}

// Bind makes the portal send the Bound events to handler. It adds only what is missing, so
// it may run at every start. It returns everything that is bound now, and what was not before. For
// a webhook somebody must create an outgoing webhook in Bitrix24 instead.
func (e Events) Bind(ctx context.Context, handler string) (bound []Binding, added []Event, err error) {
	if bound, err = e.Bindings(ctx); err != nil {
		return nil, nil, err
	}
	events := missing(bound, handler)
	if len(events) == 0 {
		return bound, nil, nil
	}
	commands := make([]Command, len(events))
	for i, event := range events {
		commands[i] = handlerCommand("event.bind", event, handler)
	}
	batch, err := e.client.batch(ctx, commands, manner{}) // it changes something: sent once
	if err != nil {
		return nil, nil, fmt.Errorf("bind events: %w", err)
	}
	for i, cmd := range commands {
		switch refusal := batch.Errors[cmd.Key]; {
		case refusal == nil:
			added = append(added, events[i])
		case !alreadyBound(refusal): // else the portal lists the address in another spelling
			return nil, nil, fmt.Errorf("bind %s to %s: %w", events[i], handler, refusal)
		}
		bound = append(bound, Binding{Event: events[i], Handler: handler})
	}
	return bound, added, nil
}

// alreadyBound reports whether event.bind failed only because the binding exists.
func alreadyBound(e *Error) bool {
	return strings.Contains(strings.ToLower(e.Description), "already bin")
}

// Unbind removes the bindings that Bind and BindOffline made.
func (e Events) Unbind(ctx context.Context, handler string) error {
	commands := offlineUnbind(handler)
	for _, event := range Bound {
		commands = append(commands, handlerCommand("event.unbind", event, handler))
	}
	batch, err := e.client.batch(ctx, commands, manner{})
	if err != nil {
		return fmt.Errorf("unbind events: %w", err)
	}
	for _, cmd := range commands {
		refusal := batch.Errors[cmd.Key]
		offline := cmd.Query.Get("handler") == ""
		if refusal == nil || offline && errors.Is(refusal, leads.ErrRefused) { // no right to unbind them: then none were bound
			continue
		}
		return fmt.Errorf("unbind events: %w", refusal)
	}
	return nil
}

// RequestTest asks the portal to send the event AppTest to every address that bound it.
func (e Events) RequestTest(ctx context.Context) error {
	_, err := e.client.Call(ctx, "event.test", Params{"from": "leadsync"})
	return err
}

func handlerCommand(method string, event Event, handler string) Command {
	return Command{Key: "e_" + strings.ToLower(string(event)), Method: method, Query: url.Values{"event": {string(event)}, "handler": {handler}}}
}

// missing returns the Bound events that are not bound to the handler yet.
func missing(bindings []Binding, handler string) []Event {
	bound := map[Event]bool{}
	for _, b := range bindings {
		if b.Handler == handler && !b.Offline {
			bound[b.Event] = true
		}
	}
	var events []Event
	for _, event := range Bound {
		if !bound[event] {
			events = append(events, event)
		}
	}
	return events
}
