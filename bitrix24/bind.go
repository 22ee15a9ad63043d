package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// Bound are the events that a portal should send us.
var Bound = []Event{LeadAdd, LeadUpdate, LeadDelete, AppUninstall}

// Bind makes the portal send the Bound events to handler. It asks first what is bound
// and adds only what is missing, so that it may run at every start. It returns what it
// added. A webhook cannot bind anything: there an outgoing webhook is made by hand.
func (c *Client) Bind(ctx context.Context, handler string) ([]Event, error) {
	missing, err := c.unbound(ctx, handler)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	commands := make([]Command, len(missing))
	for i, event := range missing {
		commands[i] = Command{
			Key: "bind_" + strings.ToLower(string(event)), Method: "event.bind",
			Query: url.Values{"event": {string(event)}, "handler": {handler}},
		}
	}
	// Binding twice is refused by words and harmless, but it is no read: sent once.
	batch, err := c.batch(ctx, commands, c.Call)
	if err != nil {
		return nil, fmt.Errorf("bind events: %w", err)
	}
	for _, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil && !strings.Contains(strings.ToLower(e.Description), "already bin") {
			return nil, fmt.Errorf("bind %s to %s: %w", cmd.Query.Get("event"), handler, e)
		}
	}
	return missing, nil
}

// unbound returns the Bound events that the handler does not get yet.
func (c *Client) unbound(ctx context.Context, handler string) ([]Event, error) {
	answer, err := c.Read(ctx, "event.get", nil)
	if err != nil {
		return nil, fmt.Errorf("look up bound events: %w", err)
	}
	var rows []struct {
		Event   string `json:"event"`
		Handler string `json:"handler"`
	}
	if err := json.Unmarshal(answer.Result, &rows); err != nil {
		return nil, garbled("event.get", 200, "the answer is not a list of handlers")
	}
	bound := map[Event]bool{}
	for _, row := range rows {
		if row.Handler == handler {
			bound[Event(strings.ToUpper(row.Event))] = true
		}
	}
	var missing []Event
	for _, event := range Bound {
		if !bound[event] {
			missing = append(missing, event)
		}
	}
	return missing, nil
}
