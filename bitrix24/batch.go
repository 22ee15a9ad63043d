package bitrix24

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
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
	return c.batch(ctx, commands, repeats)
}

func (c *Client) batch(ctx context.Context, commands []Command, repeat int) (Batch, error) {
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
	answer, err := c.call(ctx, "batch", Params{"halt": 0, "cmd": cmd}, manner{repeat: repeat, large: len(commands) > 1})
	if err != nil {
		return Batch{}, err
	}
	b, err := decodeBatch(commands, answer)
	if err == nil {
		c.shared.meters.observeBatch(commands, b)
	}
	return b, err
}

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
	var parts struct {
		Result json.RawMessage `json:"result"`
		Errors json.RawMessage `json:"result_error"`
		Times  json.RawMessage `json:"result_time"`
	}
	if err := json.Unmarshal(answer.Result, &parts); err != nil {
		return Batch{}, garbled("batch", 200, "the answer is not one to a batch")
	}
	results, err := mapOrList[json.RawMessage](parts.Result)
	if err != nil {
		return Batch{}, err
	}
	refusals, err := mapOrList[struct {
		Code        json.RawMessage `json:"error"`
		Description lenientText     `json:"error_description"`
	}](parts.Errors)
	if err != nil {
		return Batch{}, err
	}
	times, err := mapOrList[Time](parts.Times)
	if err != nil {
		times = nil // without them the client cannot see the limit coming, nothing more
	}
	b := Batch{Results: results, Errors: make(map[string]*Error, len(refusals)), Times: times, Time: answer.Time}
	for _, cmd := range commands {
		refusal, failed := refusals[cmd.Key]
		switch {
		case failed:
			b.Errors[cmd.Key] = newError(cmd.Method, 0, text(refusal.Code), string(refusal.Description))
		case results[cmd.Key] == nil:
			b.Errors[cmd.Key] = garbled(cmd.Method, 0, "the batch has no answer for this command")
		}
	}
	return b, nil
}

// mapOrList reads a PHP array as a map; PHP writes an empty one as a list. Our keys are
// never numbers, so a list with elements cannot be an answer to our commands.
func mapOrList[T any](raw json.RawMessage) (map[string]T, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		var list []json.RawMessage
		if len(raw) > 0 && (json.Unmarshal(raw, &list) != nil || len(list) > 0) {
			return nil, garbled("batch", 200, "the answer has a list, want a map")
		}
		return nil, nil
	}
	var m map[string]T
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, garbled("batch", 200, "a part of the answer has the wrong type")
	}
	return m, nil
}
