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
		return Answer{}, &brokenError{method, err}
	}
	answer, err := decodeAnswer(method, r)
	if err == nil {
		c.shared.meters.observe(method, answer.Time, 1)
	}
	return answer, err
}

// brokenError says that a request got no answer: the connection was refused or broke, or
// the answer took too long.
type brokenError struct {
	method string
	err    error
}

func (e *brokenError) Error() string { return e.method + ": " + e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

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
