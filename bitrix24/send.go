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
	"strconv"
	"strings"
	"time"

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
	r, err := post(ctx, c.cfg.HTTP, request{
		url: endpoint.Reveal() + method, contentType: "application/json", body: data, secrets: []leads.Secret{token, webhookPath(endpoint)},
	})
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

// OfPortal reports whether an error came from the portal, or is that it did not answer.
func OfPortal(err error) bool {
	var refused *Error
	var broken *brokenError
	return errors.As(err, &refused) || errors.As(err, &broken)
}

// admit waits until the limits allow a request of that method, and counts it.
func (c *Client) admit(ctx context.Context, method string) error {
	began := time.Now()
	defer func() { addWait(ctx, time.Since(began)) }()
	if err := c.awaitMethod(ctx, method); err != nil {
		return err
	}
	if c.cfg.Budget == nil {
		return ctx.Err()
	}
	if wait := c.cfg.Budget.toldToWait(); c.impatient(wait) {
		return unsent(method, codeCrowded, "the portal has asked to wait", wait)
	}
	return c.cfg.Budget.Wait(ctx, c.lane)
}

// impatient reports whether a call returns an error instead of waiting for that long.
func (c *Client) impatient(wait time.Duration) bool {
	return (c.hasty || c.lane == Live) && wait > hastyLimit
}

// unsent is the error of a call that was not sent, because it has to wait for longer than its
// caller can.
func unsent(method, code, why string, wait time.Duration) *Error {
	e := newError(method, 0, code, why)
	e.Wait, e.unsent = wait, true
	return e
}

// reply is an HTTP answer.
type reply struct {
	status     int
	location   string        // of a redirect
	retryAfter time.Duration // 0 if the answer does not say
	body       []byte
	secrets    []leads.Secret // of the request
}

// request is a POST, and what must not be shown of it.
type request struct {
	url, contentType string
	body             []byte
	secrets          []leads.Secret
}

// retryLimit is the longest pause that an answer can ask for: it is as long as a method that
// has used up its operating time stays blocked.
const retryLimit = 10 * time.Minute

// retryAfter reads the header Retry-After, which has seconds or a date (RFC 9110, 10.2.3). A
// date is compared with the date of the answer, so the clock here does not matter.
func retryAfter(h http.Header) time.Duration {
	said := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(said, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(seconds, uint64(retryLimit/time.Second))) * time.Second
	}
	until, err := http.ParseTime(said)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, until.Sub(now)), retryLimit)
}

// told adds to an error how long the server asks to wait, and removes the request's secrets from
// what the server says. A busy server executes nothing, whatever stands in the answer's body.
func (r reply) told(e *Error) *Error {
	e.conceal(r.secrets)
	if r.retryAfter == 0 || r.status != http.StatusTooManyRequests && r.status != http.StatusServiceUnavailable {
		return e
	}
	switch e.Reaction {
	case SlowDown:
	case Repeat, Never:
		e.Reaction = SlowDown
	default:
		return e
	}
	e.Wait = max(e.Wait, r.retryAfter)
	return e
}

// post sends a request and reads the whole answer. Its errors contain no URL, because a webhook's
// is a secret, and no secret of the request.
func post(ctx context.Context, client *http.Client, what request) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, what.url, bytes.NewReader(what.body))
	if err != nil {
		return reply{}, errors.New("the endpoint is not a URL")
	}
	req.Header.Set("Content-Type", what.contentType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, quiet(err, what.secrets)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return reply{}, quiet(err, what.secrets)
	}
	return reply{
		status: resp.StatusCode, location: resp.Header.Get("Location"), retryAfter: retryAfter(resp.Header), body: data, secrets: what.secrets,
	}, nil
}
