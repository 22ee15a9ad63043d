package bitrix24

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"

	"leadsync/leads"
)

// send waits for the limits and sends one request to endpoint.
func (c *Client) send(ctx context.Context, method string, params Params, endpoint, token leads.Secret) (Answer, error) {
	if err := c.admit(ctx, method); err != nil {
		return Answer{}, err
	}
	body := maps.Clone(params)
	if body == nil {
		body = Params{}
	}
	if token != "" {
		body["auth"] = token.Reveal()
	}
	data, err := json.Marshal(body)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: encode the parameters: %w", method, err)
	}
	c.shared.requests.Add(1)
	c.shared.byLane[c.lane].Add(1)
	r, err := post(ctx, c.cfg.HTTP, endpoint.Reveal()+method, "application/json", data)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", method, err)
	}
	answer, err := decodeAnswer(method, r)
	if err == nil {
		c.shared.meters.observe(method, answer.Time, 1)
		if c.cfg.Budget != nil {
			c.cfg.Budget.accepted()
		}
	}
	return answer, err
}

// admit waits until the limits allow a request of that method, and counts it.
func (c *Client) admit(ctx context.Context, method string) error {
	if err := c.awaitMethod(ctx, method); err != nil {
		return err
	}
	if c.cfg.Budget == nil {
		return ctx.Err()
	}
	return c.cfg.Budget.Wait(ctx, c.lane)
}

// reply is an HTTP answer.
type reply struct {
	status   int
	location string // of a redirect
	body     []byte
}

// post sends a body and reads the whole answer. Its errors contain no URL: a webhook's URL
// is a secret.
func post(ctx context.Context, client *http.Client, url, contentType string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return reply{}, errors.New("the endpoint is not a URL")
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, withoutURL(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return reply{}, withoutURL(err)
	}
	return reply{status: resp.StatusCode, location: resp.Header.Get("Location"), body: data}, nil
}

// withoutURL strips the URL that net/http puts into its errors.
func withoutURL(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || !strings.Contains(err.Error(), "://") {
			return err
		}
		err = inner
	}
}

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
	var env envelope
	if err := json.Unmarshal(r.body, &env); err != nil {
		return Answer{}, garbled(method, r.status, "the answer is not JSON")
	}
	if env.Error != nil {
		e := newError(method, r.status, text(env.Error), string(env.Description))
		e.Wait = env.Time.untilReset()
		return Answer{}, e
	}
	if env.Result == nil {
		return Answer{}, garbled(method, r.status, "the answer has neither result nor error")
	}
	return Answer{Result: env.Result, Total: int64(env.Total), Next: int64(env.Next), Time: env.Time}, nil
}

// text reads an error code: a string or, in some modules, a number.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw))
}
