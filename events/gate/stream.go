package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// stream is a request about streams: subscribers see those that they may read, and change
// none.
func (g *Gate) stream(ctx context.Context, r request) error {
	switch {
	case len(r.words) == 2 && r.words[0] == "INFO", len(r.words) == 3 && r.words[0] == "MSG" && r.words[1] == "GET":
		if name := r.words[len(r.words)-1]; !g.readable(name) {
			return fmt.Errorf("subscribers cannot read stream %s", name)
		}
		return g.forward(ctx, r, api("STREAM", strings.Join(r.words, ".")), r.msg.Data)
	case len(r.words) == 1 && r.words[0] == "NAMES":
		return g.names(ctx, r, api("STREAM.NAMES"), "streams", g.readable)
	case len(r.words) == 1 && r.words[0] == "LIST":
		return g.list(ctx, r, api("STREAM.LIST"), "streams", g.readable)
	default:
		return errors.New("subscribers may read streams, and change nothing")
	}
}

// names answers with those names of a list that pass.
func (g *Gate) names(ctx context.Context, r request, subject, key string, pass func(string) bool) error {
	return g.all(ctx, r, subject, key, func(item json.RawMessage) bool {
		var name string
		return json.Unmarshal(item, &name) == nil && pass(name)
	})
}

// list answers with those descriptions of a list whose names pass.
func (g *Gate) list(ctx context.Context, r request, subject, key string, pass func(string) bool) error {
	return g.all(ctx, r, subject, key, func(item json.RawMessage) bool {
		var described struct {
			Name   string `json:"name"`
			Config struct {
				Name string `json:"name"`
			} `json:"config"`
		}
		if json.Unmarshal(item, &described) != nil {
			return false
		}
		return pass(described.Name) || described.Name == "" && pass(described.Config.Name)
	})
}

// all answers with one page: the items of all pages that pass.
func (g *Gate) all(ctx context.Context, r request, subject, key string, pass func(json.RawMessage) bool) error {
	query := map[string]any{}
	if len(r.msg.Data) > 0 && json.Unmarshal(r.msg.Data, &query) != nil {
		return errors.New("the request is not JSON")
	}
	passed := []json.RawMessage{}
	kind, err := g.pages(ctx, subject, key, query, func(item json.RawMessage) {
		if pass(item) {
			passed = append(passed, item)
		}
	})
	if err != nil {
		return err
	}
	g.respond(r.msg, map[string]any{"type": kind, "total": len(passed), "offset": 0, "limit": max(len(passed), 1), key: passed})
	return nil
}

// pages reads every page of a list, and returns what kind of answer it is.
func (g *Gate) pages(ctx context.Context, subject, key string, query map[string]any, each func(json.RawMessage)) (kind json.RawMessage, err error) {
	for offset := 0; ; {
		query["offset"] = offset
		page, err := g.ask(ctx, subject, query)
		if err != nil {
			return nil, err
		}
		var items []json.RawMessage
		var total int
		_ = json.Unmarshal(page[key], &items) // null where there is none
		_ = json.Unmarshal(page["total"], &total)
		for _, item := range items {
			each(item)
		}
		if offset += len(items); len(items) == 0 || offset >= total {
			return page["type"], nil
		}
	}
}

// ask asks the server itself.
func (g *Gate) ask(ctx context.Context, subject string, query any) (map[string]json.RawMessage, error) {
	body, err := json.Marshal(query)
	if err != nil {
		return nil, err
	}
	msg, err := g.bus.Conn().RequestWithContext(ctx, subject, body)
	if err != nil {
		return nil, fmt.Errorf("NATS does not answer: %w", err)
	}
	var answer map[string]json.RawMessage
	if err := json.Unmarshal(msg.Data, &answer); err != nil {
		return nil, fmt.Errorf("NATS answered something else than JSON: %w", err)
	}
	if failed, ok := answer["error"]; ok {
		var e struct {
			Description string `json:"description"`
		}
		_ = json.Unmarshal(failed, &e) // without a description the words below say enough
		return nil, fmt.Errorf("NATS refuses: %s", e.Description)
	}
	return answer, nil
}
