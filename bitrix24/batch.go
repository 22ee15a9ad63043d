package bitrix24

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
)

// batchLimit is how many commands one batch runs (facts 5.1).
const batchLimit = 50

// Command is one command of a batch. Its key names its result; keys must not be plain
// numbers, which PHP would turn into positions of a list.
type Command struct {
	Key    string
	Method string
	Query  url.Values
}

// Batch is what the commands of one batch answered, by key. A key that is in neither map
// was not run.
type Batch struct {
	Results map[string]json.RawMessage
	Errors  map[string]*Error
	Time    Time // of the whole batch
}

// Batch runs up to 50 commands, in their order, in one request. Commands fail alone.
// It repeats like Read, so the commands must only read.
func (c *Client) Batch(ctx context.Context, commands []Command) (Batch, error) {
	return c.batch(ctx, commands, c.Read)
}

func (c *Client) batch(ctx context.Context, commands []Command,
	call func(context.Context, string, Params) (Answer, error),
) (Batch, error) {
	if len(commands) > batchLimit {
		return Batch{}, fmt.Errorf("batch: %d commands, at most %d are possible", len(commands), batchLimit)
	}
	cmd, err := encodeCommands(commands)
	if err != nil {
		return Batch{}, err
	}
	answer, err := call(ctx, "batch", Params{"halt": 0, "cmd": cmd})
	if err != nil {
		return Batch{}, err
	}
	return decodeBatch(commands, answer)
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
		Description string          `json:"error_description"`
	}](parts.Errors)
	if err != nil {
		return Batch{}, err
	}
	b := Batch{Results: results, Errors: make(map[string]*Error, len(refusals)), Time: answer.Time}
	for _, cmd := range commands {
		if refusal, ok := refusals[cmd.Key]; ok {
			b.Errors[cmd.Key] = newError(cmd.Method, 0, text(refusal.Code), refusal.Description)
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

// refusal returns a command's error that concerns the portal rather than the command: a
// limit, dead tokens, a sick server. nil where there is none.
func (b Batch) refusal() error {
	for _, e := range b.Errors {
		switch e.Reaction {
		case Reauthorize, Refresh, Stop, SlowDown, Repeat:
			return e
		case Never, NotFound, NoAccess:
		}
	}
	return nil
}
