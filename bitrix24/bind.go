package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Bound are the events that a portal should send us.
var Bound = []Event{LeadAdd, LeadUpdate, LeadDelete, AppUpdate, AppUninstall}

// Binding is one event that a portal sends to one of our addresses.
type Binding struct {
	Event   Event
	Handler string
	Offline bool // it waits in the portal's own queue instead; there is no handler
}

// Bindings are what our application has bound. A webhook cannot ask.
func (c *Client) Bindings(ctx context.Context) ([]Binding, error) {
	answer, err := c.Read(ctx, "event.get", nil)
	if err != nil {
		return nil, fmt.Errorf("look up bound events: %w", err)
	}
	var rows []struct {
		Event   looseText `json:"event"`
		Handler looseText `json:"handler"`
		Offline looseBool `json:"offline"`
	}
	if err := json.Unmarshal(answer.Result, &rows); err != nil {
		return nil, garbled("event.get", 200, "the answer is not a list of handlers")
	}
	bindings := make([]Binding, len(rows))
	for i, row := range rows {
		bindings[i] = Binding{Event(strings.ToUpper(string(row.Event))), string(row.Handler), bool(row.Offline)}
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
	batch, commands, err := c.each(ctx, "event.bind", handler, added)
	if err != nil {
		return nil, nil, fmt.Errorf("bind events: %w", err)
	}
	for i, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil && !strings.Contains(strings.ToLower(e.Description), "already bin") {
			return nil, nil, fmt.Errorf("bind %s to %s: %w", added[i], handler, e)
		}
		bound = append(bound, Binding{Event: added[i], Handler: handler})
	}
	return bound, added, nil
}

// Unbind takes back what Bind did.
func (c *Client) Unbind(ctx context.Context, handler string) error {
	batch, commands, err := c.each(ctx, "event.unbind", handler, Bound)
	if err != nil {
		return fmt.Errorf("unbind events: %w", err)
	}
	for _, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil {
			return fmt.Errorf("unbind events: %w", e)
		}
	}
	return nil
}

// each runs a method for each of some events. Doing it twice is harmless, but it is no
// read: sent once.
func (c *Client) each(ctx context.Context, method, handler string, events []Event) (Batch, []Command, error) {
	commands := make([]Command, len(events))
	for i, event := range events {
		commands[i] = Command{
			Key: "e_" + strings.ToLower(string(event)), Method: method,
			Query: url.Values{"event": {string(event)}, "handler": {handler}},
		}
	}
	batch, err := c.batch(ctx, commands, 0)
	return batch, commands, err
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
