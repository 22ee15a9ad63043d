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
	"sync"
	"sync/atomic"
	"time"

	"leadsync/leads"
)

// Version is sent in User-Agent, as Bitrix24 recommends.
const userAgent = "leadsync/0.1"

// callLimit is longer than the 60 s after which the cloud cuts a request (facts 4).
const callLimit = 75 * time.Second

// answerLimit bounds what is read of an answer, in bytes: 2,500 leads with long
// comments stay far below.
const answerLimit = 256 << 20

// repeats is how often a read is sent again because the portal or the way to it is ill.
const repeats = 4

// Tokens gives access tokens; *Chain is the one for applications.
type Tokens interface {
	// Token returns the access token to use now.
	Token(ctx context.Context) (leads.Secret, error)
	// Refresh is called when the portal refused a token as expired; it returns another.
	Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error)
}

// ClientConfig says which portal is called, and as whom.
type ClientConfig struct {
	Endpoint leads.Secret // client_endpoint, or the complete inbound webhook; a slash at its end
	Tokens   Tokens       // nil for a webhook, which needs none
	Budget   *Budget      // nil has no limit: only before the portal has an owner
	HTTP     *http.Client // nil: a client with sane time-outs that follows no redirect
	Now      func() time.Time
}

// Client calls one portal's REST methods within its limits. It is safe for concurrent
// use.
type Client struct {
	cfg  ClientConfig
	lane Lane
	*counters
}

// counters are shared by a client's lanes.
type counters struct {
	requests atomic.Int64
	refused  atomic.Int64 // of them, by a limit

	mu      sync.Mutex
	blocked map[string]time.Time // method → when its operating time is available again
	pages   int                  // of the next batch of a scan, see scan.go
}

// NewClient returns a client of the Live lane.
func NewClient(cfg ClientConfig) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTP()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Client{cfg: cfg, counters: &counters{blocked: map[string]time.Time{}, pages: batchLimit}}
}

// NewHTTP is the HTTP client for talking to Bitrix24. It follows no redirect: one would
// turn a POST into a GET without its body (facts 1.16).
func NewHTTP() *http.Client {
	return &http.Client{
		Timeout:       callLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// In returns the same client for requests of another lane.
func (c *Client) In(lane Lane) *Client {
	d := *c
	d.lane = lane
	return &d
}

// Requests is how many HTTP requests were sent so far, over all lanes.
func (c *Client) Requests() int64 { return c.requests.Load() }

// Refused is how many requests the portal refused because of a limit.
func (c *Client) Refused() int64 { return c.refused.Load() }

// Params are the parameters of a call, as JSON.
type Params map[string]any

// Answer is what a method returned.
type Answer struct {
	Result json.RawMessage `json:"result"`
	Total  int64           `json:"total"`
	Next   int64           `json:"next"` // 0 where there is no further page
	Time   Time            `json:"time"`
}

// Time is the part of the time block that limits are watched by. Source: facts 3.2.
type Time struct {
	Duration         float64 `json:"duration"`  // seconds
	Operating        float64 `json:"operating"` // seconds of the method within ten minutes
	OperatingResetAt float64 `json:"operating_reset_at"`
}

// Call calls a method once. Only a refusal that did not execute it is answered by
// sending it again: an expired token, an overflown bucket.
func (c *Client) Call(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, 0)
}

// Read calls a method that changes nothing, and so may be sent again after a broken
// connection, a page of HTML, a 500.
func (c *Client) Read(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, repeats)
}

func (c *Client) call(ctx context.Context, method string, params Params, repeat int) (Answer, error) {
	refreshed := false
	for attempt := 0; ; attempt++ {
		token, err := c.token(ctx)
		if err != nil {
			return Answer{}, err
		}
		answer, err := c.send(ctx, method, params, token)
		switch reaction := ReactionTo(err); {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
			return Answer{}, ctx.Err()
		case reaction == Refresh && c.cfg.Tokens != nil && !refreshed:
			refreshed = true
			if _, err := c.cfg.Tokens.Refresh(ctx, token); err != nil {
				return Answer{}, err
			}
		case reaction == SlowDown && attempt < repeats:
			c.slowDown(method, err)
		case reaction == Repeat && attempt < repeat:
			if err := pause(ctx, backoff(attempt)); err != nil {
				return Answer{}, err
			}
		default:
			return Answer{}, err
		}
	}
}

func (c *Client) token(ctx context.Context) (leads.Secret, error) {
	if c.cfg.Tokens == nil {
		return "", nil
	}
	return c.cfg.Tokens.Token(ctx)
}

// slowDown makes the next request wait: of every method after 503, of this one after
// 429.
func (c *Client) slowDown(method string, err error) {
	c.refused.Add(1)
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "OPERATION_TIME_LIMIT" {
		until := e.ResetAt
		if until.IsZero() {
			until = c.cfg.Now().Add(time.Minute)
		}
		c.mu.Lock()
		c.blocked[method] = until
		c.mu.Unlock()
		return
	}
	if c.cfg.Budget != nil {
		c.cfg.Budget.refused()
	}
}

// send waits for the limits and sends one request.
func (c *Client) send(ctx context.Context, method string, params Params, token leads.Secret) (Answer, error) {
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
	c.requests.Add(1)
	status, data, err := post(ctx, c.cfg.HTTP, c.cfg.Endpoint.Reveal()+method, "application/json", data)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", method, err)
	}
	answer, err := decodeAnswer(method, status, data)
	if err == nil && c.cfg.Budget != nil {
		c.cfg.Budget.accepted()
	}
	return answer, err
}

func (c *Client) admit(ctx context.Context, method string) error {
	c.mu.Lock()
	wait := c.blocked[method].Sub(c.cfg.Now())
	c.mu.Unlock()
	if wait > 0 {
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
	if c.cfg.Budget == nil {
		return ctx.Err()
	}
	return c.cfg.Budget.Wait(ctx, c.lane)
}

// post sends a body and reads the whole answer. Its errors name no URL: a webhook's is
// a secret.
func post(ctx context.Context, client *http.Client, url, contentType string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil, errors.New("the address is no URL")
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	return resp.StatusCode, data, nil
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

// envelope is a success or a failure; either may come with any status.
type envelope struct {
	Answer

	Error       json.RawMessage `json:"error"`
	Description string          `json:"error_description"`
}

func decodeAnswer(method string, status int, data []byte) (Answer, error) {
	if status >= 300 && status < 400 {
		return Answer{}, garbled(method, status, "the portal has moved to another address: authorize again there")
	}
	var env envelope
	if err := json.Unmarshal(data, &env); err != nil {
		return Answer{}, garbled(method, status, "the answer is not JSON")
	}
	if env.Error != nil {
		e := newError(method, status, text(env.Error), env.Description)
		if env.Time.OperatingResetAt > 0 {
			e.ResetAt = time.Unix(int64(env.Time.OperatingResetAt), 0)
		}
		return Answer{}, e
	}
	if env.Result == nil {
		return Answer{}, garbled(method, status, "the answer has neither result nor error")
	}
	return env.Answer, nil
}

// text reads an error code, which is a string or, in some modules, a number.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return strings.TrimSpace(string(raw))
}
