package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/leads"
)

// Version is sent in User-Agent, as Bitrix24 recommends.
const userAgent = "leadsync/0.1"

// callLimit is longer than the 60 s after which the cloud cuts a request (docs/bitrix24.md 4).
const callLimit = 75 * time.Second

// answerLimit bounds what is read of an answer, in bytes: 2,500 leads with long
// comments stay far below.
const answerLimit = 256 << 20

// repeats is how often a read is sent again because the portal or the way to it is ill.
const repeats = 4

// Tokens gives access tokens; *TokenSource is the one for applications.
type Tokens interface {
	// Token returns the access token to use now.
	Token(ctx context.Context) (leads.Secret, error)
	// Refresh is called when the portal refused a token as expired; it returns another.
	Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error)
	// Abandon is called when the portal no longer lets the token's user in; true where
	// there is a token of somebody else.
	Abandon(ctx context.Context, refused leads.Secret) (bool, error)
}

// ClientConfig says which portal is called, and as whom.
type ClientConfig struct {
	Endpoint leads.Secret // client_endpoint, or the complete inbound webhook; a slash at its end
	Tokens   Tokens       // nil for a webhook, which needs none
	Budget   *Budget      // nil has no limit: only before the portal has an owner
	HTTP     *http.Client // nil: a client with sane time-outs that follows no redirect
	Now      func() time.Time
	// Wait waits by the clock of Now, less if the context ends, whose error it then returns;
	// nil is a timer. A clock that a test moves by hand needs its own, or waits never end.
	Wait func(ctx context.Context, d time.Duration) error
	// Moved returns the confirmed endpoint of a portal that redirects; see Home. nil: a
	// redirect is an error, as it is for a webhook, whose new address nobody confirms.
	Moved func(ctx context.Context) (leads.Secret, error)
}

// Client calls one portal's REST methods within its limits. It is safe for concurrent
// use.
type Client struct {
	cfg   ClientConfig
	lane  Lane
	hasty bool
	*shared
}

// shared is what a client's lanes have in common.
type shared struct {
	requests atomic.Int64
	ofLane   [len(laneReserve)]atomic.Int64
	crowded  atomic.Int64 // of the requests, refused as too many
	gets     *sizer       // of batches of crm.lead.get
	lists    *sizer       // of batches of crm.lead.list

	mu       sync.Mutex
	endpoint leads.Secret // of now: portals are renamed
	meters   map[string]*meter
	nearEnd  bool // of a scan, see scan.go
}

// NewClient returns a client of the Live lane.
func NewClient(cfg ClientConfig) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTP()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = pause
	}
	return &Client{cfg: cfg, shared: &shared{
		gets: newSizer(), lists: newSizer(), endpoint: cfg.Endpoint, meters: map[string]*meter{},
	}}
}

// NewHTTP is the HTTP client for talking to Bitrix24. It follows no redirect: one would
// turn a POST into a GET without its body (docs/bitrix24.md 1.16).
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

// Hasty returns the same client for whoever holds up others meanwhile: where a method
// rests for longer than a moment it does not wait, but returns an error that says how
// long (Error.RetryAfter). The Live lane always does so.
func (c *Client) Hasty() *Client {
	d := *c
	d.hasty = true
	return &d
}

// Requests is how many HTTP requests were sent so far, over all lanes.
func (c *Client) Requests() int64 { return c.requests.Load() }

// LaneRequests is how many of them were sent in this client's lane.
func (c *Client) LaneRequests() int64 { return c.ofLane[c.lane].Load() }

// Refused is how many requests the portal refused because of a limit.
func (c *Client) Refused() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.crowded.Load()
	for _, m := range c.meters {
		n += m.refused
	}
	return n
}

// Params are the parameters of a call, as JSON.
type Params map[string]any

// Answer is what a method returned.
type Answer struct {
	Result json.RawMessage
	Total  int64
	Next   int64 // 0 where there is no further page
	Time   Time
}

// Time is the part of the time block that limits are watched by. Source: docs/bitrix24.md 3.2.
type Time struct {
	Finish           float64 // unix seconds, by the portal's clock
	Duration         float64 // seconds
	Operating        float64 // seconds of the method within ten minutes
	OperatingResetAt float64 // unix seconds, by the portal's clock; 0 unknown
	// At is when the portal began, by its clock and in its zone; zero unknown.
	At time.Time
}

// Call calls a method once. Only a refusal that did not execute it is answered by
// sending it again: an expired token, an overflown bucket, a redirect.
func (c *Client) Call(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, manner{})
}

// Read calls a method that changes nothing, and so may be sent again after a broken
// connection, a page of HTML, a 500. A batch that took too long is not: smaller ones
// are needed.
func (c *Client) Read(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, manner{repeat: repeats})
}

// manner is how a call is repeated.
type manner struct {
	repeat int  // how often it may be sent again although it may have been executed
	large  bool // a batch of several: where it took too long, smaller ones are needed
}

func (c *Client) call(ctx context.Context, method string, params Params, m manner) (Answer, error) {
	a := attempt{client: c, method: method, manner: m}
	for {
		var err error
		c.mu.Lock()
		a.endpoint = c.endpoint
		c.mu.Unlock()
		if a.token, err = c.token(ctx); err != nil {
			return Answer{}, err
		}
		answer, err := c.send(ctx, method, params, a.endpoint, a.token)
		if err == nil {
			return answer, nil
		}
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		if err := a.mend(ctx, err); err != nil {
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

// attempt is one call on its way through what goes wrong.
type attempt struct {
	manner

	client    *Client
	method    string
	endpoint  leads.Secret
	token     leads.Secret
	failures  int
	slowed    int
	moves     int
	refreshed int
}

// refreshTries is how often a call asks for another token: the first it gets may be one
// that somebody else has stored, and just as old.
const refreshTries = 2

// mend does what an error asks for; it returns nil where the call is to be sent again.
func (a *attempt) mend(ctx context.Context, err error) error {
	c := a.client
	if moved, ok := errors.AsType[*movedError](err); ok {
		if a.moves++; a.moves > moveLimit {
			return &Error{Method: a.method, Status: moved.status, Description: "the portal redirects in a loop, last to " + hostIn(moved.location), Reaction: Repeat}
		}
		return c.follow(ctx, a.method, a.endpoint, moved)
	}
	switch reaction := ReactionTo(err); {
	case mustRefresh(err) && c.cfg.Tokens != nil && a.refreshed < refreshTries:
		a.refreshed++
		_, err = c.cfg.Tokens.Refresh(ctx, a.token)
		return err
	case reaction == Reauthorize && c.cfg.Tokens != nil:
		other, failure := c.cfg.Tokens.Abandon(ctx, a.token)
		if failure != nil || other {
			return failure
		}
		return err
	case reaction == Refresh && a.refreshed > 0:
		return beyondRefresh(err)
	case reaction == SlowDown && !c.resting(err):
		if a.slowed++; a.slowed > slowLimit(err) {
			return err
		}
		return c.slowDown(ctx, a.method, err, a.slowed-1)
	case reaction == Repeat && a.failures < a.repeat && (!a.large || !tooLong(err)):
		a.failures++
		return c.cfg.Wait(ctx, backoff(a.failures-1))
	default:
		return err
	}
}

// beyondRefresh is a token that is refused although it is new. Where the portal cannot
// find the application by it, somebody must authorize again (docs/bitrix24.md 3.4).
func beyondRefresh(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		odd := *e
		if odd.Reaction = Repeat; odd.Code == "INVALID_TOKEN" {
			odd.Reaction = Reauthorize
		}
		return &odd
	}
	return err
}

// resting tells our own refusal, see rest, from the portal's.
func (c *Client) resting(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == codeOperating && e.Status == 0
}

// restLimit is how often in a row a method is found blocked before that is an error: for
// longer than the ten minutes after which operating time is free again.
const restLimit = 15

// slowLimit is how often a request is sent again that came too soon.
func slowLimit(err error) int {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeOperating {
		return restLimit
	}
	return repeats
}

// slowDown makes the next request wait: of every method after 503, of this one after
// 429.
func (c *Client) slowDown(ctx context.Context, method string, err error, before int) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeOperating {
		c.block(method, e.Wait)
		return nil
	}
	c.crowded.Add(1)
	if c.cfg.Budget == nil {
		return c.cfg.Wait(ctx, backoff(before))
	}
	c.cfg.Budget.refused()
	return nil
}
