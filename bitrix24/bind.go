package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"leadsync/leads"
)

// Bound are the events that a portal should send us.
var Bound = []Event{LeadAdd, LeadUpdate, LeadDelete, AppUpdate, AppUninstall, AppTest}

// Binding is one event that a portal sends to one of our addresses.
type Binding struct {
	Event   Event
	Handler string
	Offline bool // it waits in the portal's own queue instead; there is no handler
	// Connector is the source whose own writes that queue leaves out. Ours has none: with
	// one, what is read without naming it is empty.
	Connector string
}

// Bindings are what our application has bound. A webhook cannot ask.
func (c *Client) Bindings(ctx context.Context) ([]Binding, error) {
	answer, err := c.Read(ctx, "event.get", nil)
	if err != nil {
		return nil, fmt.Errorf("look up bound events: %w", err)
	}
	var rows []struct {
		Event     looseText `json:"event"`
		Handler   looseText `json:"handler"`
		Offline   looseBool `json:"offline"`
		Connector looseText `json:"connector_id"`
	}
	if err := json.Unmarshal(answer.Result, &rows); err != nil {
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

// Bind makes the portal send the Bound events to handler. It asks first what is bound
// and adds only what is missing, so that it may run at every start. It returns what is
// bound then, and what it added. A webhook cannot bind anything: there an outgoing
// webhook is made by hand.
func (c *Client) Bind(ctx context.Context, handler string) (bound []Binding, added []Event, err error) {
	if bound, err = c.Bindings(ctx); err != nil {
		return nil, nil, err
	}
	added = missing(bound, handler)
	if len(added) == 0 {
		return bound, nil, nil
	}
	commands := make([]Command, len(added))
	for i, event := range added {
		commands[i] = handlerCommand("event.bind", event, handler)
	}
	// Doing it twice is harmless, but it is no read: sent once.
	batch, err := c.batch(ctx, commands, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("bind events: %w", err)
	}
	for i, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil && !alreadyBound(e) {
			return nil, nil, fmt.Errorf("bind %s to %s: %w", added[i], handler, e)
		}
		bound = append(bound, Binding{Event: added[i], Handler: handler})
	}
	return bound, added, nil
}

// alreadyBound tells a binding that was there from one that failed.
func alreadyBound(e *Error) bool {
	return strings.Contains(strings.ToLower(e.Description), "already bin")
}

// Unbind takes back what Bind and BindOffline did.
func (c *Client) Unbind(ctx context.Context, handler string) error {
	commands := offlineUnbind(handler)
	for _, event := range Bound {
		commands = append(commands, handlerCommand("event.unbind", event, handler))
	}
	batch, err := c.batch(ctx, commands, 0)
	if err != nil {
		return fmt.Errorf("unbind events: %w", err)
	}
	for _, cmd := range commands {
		e := batch.Errors[cmd.Key]
		if e != nil && (cmd.Query.Get("handler") != "" || !errors.Is(e, leads.ErrRefused)) { // who may not bind offline events has none
			return fmt.Errorf("unbind events: %w", e)
		}
	}
	return nil
}

// Ring has the portal send AppTest to whoever bound it. It is no read: sent once.
func (c *Client) Ring(ctx context.Context) error {
	_, err := c.Call(ctx, "event.test", Params{"from": "leadsync"})
	return err
}

func handlerCommand(method string, event Event, handler string) Command {
	return Command{Key: "e_" + strings.ToLower(string(event)), Method: method, Query: url.Values{"event": {string(event)}, "handler": {handler}}}
}

// missing are the Bound events that the handler does not get yet.
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
