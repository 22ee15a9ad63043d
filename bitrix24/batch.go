package bitrix24

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// batchLimit is how many commands one batch runs (docs/bitrix24.md 5.1).
const batchLimit = 50

// Command is one command of a batch. Its key names its result; keys must not be plain
// numbers, which PHP would turn into positions of a list.
type Command struct {
	Key    string
	Method string
	Query  url.Values
}

// Batch is what the commands of one batch answered, by key: a result or an error.
type Batch struct {
	Results map[string]json.RawMessage
	Errors  map[string]*Error
	Times   map[string]Time // of the commands that succeeded
	Time    Time            // of the whole batch
}

// Batch runs up to 50 commands, in their order, in one request. Commands fail alone.
// It repeats like Read, so the commands must only read; but not what took too long, for
// which smaller batches are needed.
func (c *Client) Batch(ctx context.Context, commands []Command) (Batch, error) {
	return c.batch(ctx, commands, repeats)
}

func (c *Client) batch(ctx context.Context, commands []Command, repeat int) (Batch, error) {
	if len(commands) > batchLimit {
		return Batch{}, fmt.Errorf("batch: %d commands, at most %d are possible", len(commands), batchLimit)
	}
	cmd, err := encodeCommands(commands)
	if err != nil {
		return Batch{}, err
	}
	for _, method := range methodsOf(commands) {
		if err := c.rest(ctx, method); err != nil {
			return Batch{}, err
		}
	}
	answer, err := c.call(ctx, "batch", Params{"halt": 0, "cmd": cmd}, manner{repeat: repeat, large: len(commands) > 1})
	if err != nil {
		return Batch{}, err
	}
	b, err := decodeBatch(commands, answer)
	if err == nil {
		c.observeBatch(commands, b)
	}
	return b, err
}

// encodeCommands writes the map by hand: commands run in the order of its keys, and Go
// would sort them.
func encodeCommands(commands []Command) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, cmd := range commands {
		if _, err := strconv.Atoi(cmd.Key); err == nil {
			return nil, fmt.Errorf("batch: key %q is a number", cmd.Key)
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
		return Batch{}, garbled("batch", 200, "the answer is not that of a batch")
	}
	results, err := mapOrList[json.RawMessage](parts.Result)
	if err != nil {
		return Batch{}, err
	}
	refusals, err := mapOrList[struct {
		Code        json.RawMessage `json:"error"`
		Description looseText       `json:"error_description"`
	}](parts.Errors)
	if err != nil {
		return Batch{}, err
	}
	times, err := mapOrList[Time](parts.Times)
	if err != nil {
		times = nil // of no consequence but that we do not see the limit coming
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

// mapOrList reads a map of PHP, which is a list when it is empty. Our keys are never
// numbers, so a list with elements cannot be an answer to us.
func mapOrList[T any](raw json.RawMessage) (map[string]T, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || raw[0] != '{' {
		var list []json.RawMessage
		if len(raw) > 0 && (json.Unmarshal(raw, &list) != nil || len(list) > 0) {
			return nil, garbled("batch", 200, "the answer has a list where a map belongs")
		}
		return nil, nil
	}
	var m map[string]T
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, garbled("batch", 200, "the answer has a part of the wrong shape")
	}
	return m, nil
}
