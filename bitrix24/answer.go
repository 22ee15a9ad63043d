package bitrix24

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"leadsync/leads/parts"
)

// envelope is the body of a success or a failure; both come with any status.
type envelope struct {
	Result      json.RawMessage `json:"result"`
	Total       lenientFloat    `json:"total"`
	Next        lenientFloat    `json:"next"`
	Time        Time            `json:"time"`
	Error       json.RawMessage `json:"error"`
	Description lenientText     `json:"error_description"`
}

func decodeAnswer(method string, r reply) (Answer, error) {
	if r.status >= 300 && r.status < 400 {
		return Answer{}, &movedError{location: r.location, status: r.status}
	}
	raw, err := findObject(r.body, "result", "error")
	if err != nil {
		return Answer{}, r.told(garbled(method, r.status, err.Error()))
	}
	env, err := open(raw)
	if err != nil {
		return Answer{}, r.told(garbled(method, r.status, "the answer is not a JSON object"))
	}
	if env.refuses() {
		code, description := said(env.Error, env.Description)
		e := newError(method, r.status, code, description)
		return Answer{}, r.told(e.blockedFor(env.Time))
	}
	if env.Result == nil {
		return Answer{}, r.told(garbled(method, r.status, "the answer has neither result nor error"))
	}
	return Answer{Result: env.Result, Total: int64(env.Total), Next: int64(env.Next), Time: env.Time}, nil
}

// open reads an envelope. The result may have megabytes, so it is only cut out.
func open(raw json.RawMessage) (env envelope, err error) {
	members := parts.Members(raw)
	result := members["result"]
	delete(members, "result")
	rest, err := json.Marshal(members)
	if err == nil {
		err = json.Unmarshal(rest, &env)
	}
	env.Result = result
	return env, err
}

// refuses tells a failure from a success. crm.lead.get fails with an empty code and a text
// (docs/bitrix24.md 6.2); servers that write every key put an empty one beside a result, too.
func (e envelope) refuses() bool {
	if !isEmpty(e.Error) {
		return e.Result == nil || text(e.Error) != "0"
	}
	return e.Error != nil && e.Description != ""
}

// said reads what an answer says in "error" and beside it. Newer versions of the API, and gateways,
// write both the code and the text into "error". A map without a code is none that is known: as no
// code, beside "Not found", it would mean a lead.
func said(raw json.RawMessage, beside lenientText) (code, description string) {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		m := parts.Members(raw)
		if code = lenientString(m["code"]); code != "" {
			return code, cmp.Or(string(beside), lenientString(m["message"]), lenientString(m["description"]))
		}
	}
	return text(raw), string(beside)
}

// text reads an error code: a string or, in some modules, a number; "" for an empty value.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if isEmpty(raw) {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// What may stand before the JSON of an answer: a PHP warning, a piece of HTML, a guard
// against scripts. It is not searched any further.
const (
	prefixLimit    = 64 << 10
	candidateLimit = 1000
)

// findObject returns the JSON object of a body that has one of these keys, whatever stands
// before or after it. An object that was cut off is an error, and so is a part of it: its
// keys may be those of the whole.
func findObject(body []byte, keys ...string) (json.RawMessage, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff")))
	if len(body) == 0 {
		return nil, errors.New("the answer is empty")
	}
	at, rest := 0, body
	for range candidateLimit {
		open := bytes.IndexByte(rest, '{')
		if open < 0 || at+open > prefixLimit {
			break
		}
		at, rest = at+open, rest[open:]
		raw, err := firstValue(rest)
		switch {
		case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			return nil, errors.New("the answer is cut off")
		case err == nil && (at == 0 || hasKey(raw, keys)):
			return raw, nil
		case err == nil:
			at, rest = at+len(raw), rest[len(raw):]
		case at == 0 && bytes.HasPrefix(rest, []byte(`{"`)):
			return nil, errors.New("the answer is not valid JSON")
		default:
			at, rest = at+1, rest[1:]
		}
	}
	if body[0] == '<' {
		return nil, errors.New("the answer is a page of HTML, not JSON")
	}
	return nil, errors.New("the answer is not JSON, or not an object")
}

// firstValue is the JSON value that data begins with.
func firstValue(data []byte) (raw json.RawMessage, err error) {
	if json.Valid(data) {
		return data, nil
	}
	err = json.NewDecoder(bytes.NewReader(data)).Decode(&raw)
	return raw, err
}

func hasKey(raw json.RawMessage, keys []string) bool {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return false
	}
	for _, key := range keys {
		if _, ok := m[key]; ok {
			return true
		}
	}
	return false
}
