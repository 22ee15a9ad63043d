package bitrix24

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"

	"leadsync/leads"
	"leadsync/leads/parts"
)

// batchLimit is how many commands one batch may have (docs/bitrix24.md 5.1).
const batchLimit = 50

// Command is one command of a batch. Its key names its result. A key must not be a plain
// number: PHP would take it for a position in a list.
type Command struct {
	Key    string
	Method string
	Query  url.Values
}

// Batch holds the answers of one batch, by the command's key: a result or an error.
type Batch struct {
	Results map[string]json.RawMessage
	Errors  map[string]*Error
	Times   map[string]Time // for the commands that succeeded
	Time    Time            // for the whole batch
}

// Batch runs up to 50 commands in one request, in their order. A command that fails does
// not affect the others. Like Read it may send the request again, so the commands must only
// read. It does not repeat a batch that took too long: that needs a smaller one.
func (c *Client) Batch(ctx context.Context, commands []Command) (Batch, error) {
	return c.batch(ctx, commands, manner{repeat: repeats})
}

func (c *Client) batch(ctx context.Context, commands []Command, m manner) (b Batch, err error) {
	if len(commands) > batchLimit {
		return Batch{}, fmt.Errorf("batch: %d commands, want at most %d", len(commands), batchLimit)
	}
	cmd, err := encodeCommands(commands)
	if err != nil {
		return Batch{}, err
	}
	for _, method := range methodsOf(commands) {
		if err := c.awaitMethod(ctx, method); err != nil {
			return Batch{}, err
		}
	}
	doubts := 0
	m.large = len(commands) > 1
	m.check = func(ctx context.Context, token leads.Secret, answer Answer) (refusal error, limited bool) {
		if b, err = decodeBatch(commands, answer); err != nil {
			return err, false
		}
		for _, e := range b.Errors {
			e.conceal([]leads.Secret{token, webhookPath(c.shared.currentEndpoint())})
		}
		whole, limited := b.limits(commands)
		switch {
		case whole == nil:
			return nil, limited
		case !ofToken(whole):
			return whole, limited
		}
		if doubts++; doubts > refreshTries && !m.probe {
			return nil, limited
		}
		return c.refusals().ofToken(ctx, whole, token, m.probe), limited
	}
	if _, err := c.call(ctx, "batch", Params{"halt": 0, "cmd": cmd}, m); err != nil {
		return Batch{}, err
	}
	c.shared.meters.observeBatch(commands, b)
	return b, nil
}

// limits finds refusals of commands that are the same as outside of a batch: too many
// requests, a token that is no longer valid. If all commands were refused so, whole is the
// first refusal: nothing was executed, and the batch can be sent again.
func (b Batch) limits(commands []Command) (whole *Error, limited bool) {
	crowded, tokens := 0, 0
	for _, cmd := range commands {
		switch e := b.Errors[cmd.Key]; {
		case e == nil:
		case e.Code == codeCrowded:
			crowded++
		case ofToken(e):
			tokens++
		}
	}
	if len(commands) > 0 && (crowded == len(commands) || tokens == len(commands)) {
		whole = b.Errors[commands[0].Key]
	}
	return whole, crowded > 0
}

// ofToken reports whether a refusal says that the token is no longer valid.
func ofToken(e *Error) bool { return e.Reaction == Refresh || e.Reaction == Reauthorize }

// encodeCommands writes the JSON object itself: the portal runs commands in the order of
// the keys, and encoding/json would sort them.
func encodeCommands(commands []Command) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, cmd := range commands {
		if _, err := strconv.Atoi(cmd.Key); err == nil {
			return nil, fmt.Errorf("batch: key %q is a number, want a name", cmd.Key)
		}
		key, err := json.Marshal(cmd.Key)
		if err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
		value, err := json.Marshal(cmd.Method + "?" + cmd.Query.Encode())
		if err != nil {
			return nil, fmt.Errorf("batch: %w", err)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func decodeBatch(commands []Command, answer Answer) (Batch, error) {
	if answer.Result[0] != '{' {
		return Batch{}, garbled("batch", 200, "the answer is not one to a batch")
	}
	sections := parts.Members(answer.Result)
	if sections["result"] == nil && sections["result_error"] == nil {
		return Batch{}, garbled("batch", 200, "the answer is not one to a batch")
	}
	results, err := byKey(sections["result"])
	if err != nil {
		return Batch{}, err
	}
	refusals, err := byKey(sections["result_error"])
	if err != nil {
		refusals = nil // PHP made a list of it and lost the keys: the commands below have no answer
	}
	times, err := timesByKey(sections["result_time"])
	if err != nil {
		times = nil // without them the client cannot see the limit coming, nothing more
	}
	b := Batch{Results: results, Errors: make(map[string]*Error, len(refusals)), Times: times, Time: answer.Time}
	for _, cmd := range commands {
		switch e := refusalOf(cmd.Method, refusals[cmd.Key]); {
		case e != nil:
			b.Errors[cmd.Key] = e.blockedFor(times[cmd.Key])
		case results[cmd.Key] == nil:
			b.Errors[cmd.Key] = garbled(cmd.Method, 0, "the batch has no answer for this command")
		case cmd.Method == "crm.lead.get" && isEmpty(results[cmd.Key]):
			b.Errors[cmd.Key] = garbled(cmd.Method, 0, "the answer to this command is empty")
		}
	}
	return b, nil
}

// refusalOf reads a command's entry in result_error; nil where it says that there is no error.
func refusalOf(method string, raw json.RawMessage) *Error {
	if isEmpty(raw) {
		return nil
	}
	var refusal struct {
		Code        json.RawMessage `json:"error"`
		Description lenientText     `json:"error_description"`
	}
	if json.Unmarshal(raw, &refusal) != nil {
		return newError(method, 0, text(raw), "")
	}
	if isEmpty(refusal.Code) && refusal.Description == "" {
		return nil
	}
	code, description := said(refusal.Code, refusal.Description)
	return newError(method, 0, code, description)
}

// byKey reads a PHP array as a map; PHP writes an empty one as a list. Our keys are never
// numbers, so a list with elements cannot be an answer to our commands.
func byKey(raw json.RawMessage) (map[string]json.RawMessage, error) {
	switch {
	case isEmpty(raw):
		return nil, nil
	case raw[0] != '{':
		return nil, garbled("batch", 200, "a part of the answer is not a map of the commands")
	}
	return parts.Members(raw), nil
}

func timesByKey(raw json.RawMessage) (times map[string]Time, err error) {
	if !isEmpty(raw) {
		err = json.Unmarshal(raw, &times)
	}
	return times, err
}
