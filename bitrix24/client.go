package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// userAgent names the caller and its version, as Bitrix24 recommends.
var userAgent = "leadsync/" + leads.Version()

// callLimit is longer than the 60 s after which the cloud cuts a request (docs/bitrix24.md 4).
const callLimit = 75 * time.Second

// answerLimit is how many bytes of an answer are read: 2,500 leads with long comments stay
// far below it.
const answerLimit = 256 << 20

// repeats is how often a read is sent again because the portal or the network fails.
const repeats = 4

// repeatPolicy is the pause before a request is sent again: 1 s, then twice as long after
// each further failure, up to 32 s. The jitter keeps replicas from retrying in step.
var repeatPolicy = retry.Policy{First: time.Second, Max: 32 * time.Second, Jitter: 12}

// Tokens supplies access tokens; *TokenSource does so for applications.
type Tokens interface {
	// Token returns the access token to use now.
	Token(ctx context.Context) (leads.Secret, error)
	// Refresh is called when the portal refused a token as expired; it returns another.
	Refresh(ctx context.Context, refused leads.Secret) (leads.Secret, error)
	// Abandon is called when the portal no longer accepts the token's user; it returns true
	// if another user's token is available.
	Abandon(ctx context.Context, refused leads.Secret) (bool, error)
}

// ClientConfig says which portal a client calls, and with which identity.
type ClientConfig struct {
	Endpoint leads.Secret     // client_endpoint, or the complete inbound webhook; ends with a slash
	Tokens   Tokens           // nil for a webhook, which needs no token
	Budget   *Budget          // nil sends without a limit: only before the portal has an owner
	HTTP     *http.Client     // nil is NewHTTP()
	Now      func() time.Time // nil is time.Now
	// Wait waits by the clock of Now and returns the context's error if that ends first;
	// nil is retry.Wait. A clock that a test sets by hand needs its own Wait: otherwise a
	// wait by that clock never ends.
	Wait func(ctx context.Context, d time.Duration) error
	// Moved returns the confirmed endpoint of a portal that redirects; Home.Moved does so.
	// nil makes a redirect an error, as it is for a webhook: nobody can confirm its address.
	Moved func(ctx context.Context) (leads.Secret, error)
	// Answered is called after each call that the portal has executed; nil is nothing.
	Answered func()
	Log      *slog.Logger // nil logs nothing
}

// Client calls one portal's REST methods within its limits. Leads, Events and Application
// offer what leadsync reads and does through it; Call, Read and Batch call any method. It
// is safe for concurrent use.
type Client struct {
	cfg    ClientConfig
	lane   Lane
	hasty  bool
	shared *shared
}

// shared is the state that a client's lanes have in common.
type shared struct {
	requests atomic.Int64
	byLane   [len(laneReserve)]atomic.Int64
	limited  atomic.Int64 // requests refused with QUERY_LIMIT_EXCEEDED
	gets     *batchSizer  // for batches of crm.lead.get
	lists    *batchSizer  // for batches of crm.lead.list
	meters   *meters
	breaker  *breaker
	odd      oddities

	mu       sync.Mutex
	endpoint leads.Secret // the current one: portals are renamed
	nearEnd  bool         // the last scanned page ended before the batch did, see Leads.Scan
	doubtful leads.Secret // the token that the portal did not accept without saying why, and that was new
}

// NewClient returns a client in the Live lane.
func NewClient(cfg ClientConfig) *Client {
	if cfg.HTTP == nil {
		cfg.HTTP = NewHTTP()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = retry.Wait
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{cfg: cfg, shared: &shared{
		breaker: &breaker{now: cfg.Now},
		gets:    newBatchSizer(), lists: newBatchSizer(), endpoint: cfg.Endpoint,
		meters: &meters{now: cfg.Now, methods: map[string]*meter{}},
	}}
}

// NewHTTP returns the HTTP client for calls to Bitrix24. It follows no redirect: that would
// turn a POST into a GET without its body (docs/bitrix24.md 1.16).
func NewHTTP() *http.Client {
	return &http.Client{
		Timeout:       callLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Leads reads the portal's leads through this client.
func (c *Client) Leads() Leads { return Leads{client: c, answered: func() {}} }

// Events binds and reads the portal's events through this client.
func (c *Client) Events() Events { return Events{client: c} }

// Application asks about the application that this client belongs to.
func (c *Client) Application() Application { return Application{client: c} }

// In returns the same client for requests in another lane.
func (c *Client) In(lane Lane) *Client {
	d := *c
	d.lane = lane
	return &d
}

// Hasty returns the same client for a caller that blocks others while it waits: if a method
// is blocked, or the portal asks to wait, for longer than a few seconds, calls return an error that says for how long
// (Error.RetryAfter) instead of waiting. The Live lane always does so.
func (c *Client) Hasty() *Client {
	d := *c
	d.hasty = true
	return &d
}

// Requests returns how many HTTP requests were sent so far, over all lanes.
func (c *Client) Requests() int64 { return c.shared.requests.Load() }

// LaneRequests returns how many of them were sent in this client's lane.
func (c *Client) LaneRequests() int64 { return c.shared.byLane[c.lane].Load() }

// Refused returns how many requests the portal refused because of a limit.
func (c *Client) Refused() int64 {
	return c.shared.limited.Load() + c.shared.meters.refused()
}

// Params are the parameters of a call, sent as JSON.
type Params map[string]any

// Answer is what a method returned.
type Answer struct {
	Result json.RawMessage
	Total  int64
	Next   int64 // 0 if there is no further page
	Time   Time
}

// Time is the part of the time block that shows how much of the limits is used. Source:
// docs/bitrix24.md 3.2.
type Time struct {
	Finish           float64 // unix seconds, by the portal's clock
	Duration         float64 // seconds
	Operating        float64 // seconds of the method within ten minutes
	OperatingResetAt float64 // unix seconds, by the portal's clock; 0 if unknown
	// At is when the portal began, by its clock and in its zone; zero if unknown.
	At time.Time
}

// Call calls a method once. It sends the request again only if the portal refused it
// without executing it: an expired token, a full bucket, a redirect. Errors that the portal
// answered are *Error.
func (c *Client) Call(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, manner{})
}

// Read calls a method that changes nothing, so the request may be sent again after a broken
// connection, a page of HTML or a 500. A batch that took too long is not sent again: the
// caller needs a smaller one. Errors that the portal answered are *Error.
func (c *Client) Read(ctx context.Context, method string, params Params) (Answer, error) {
	return c.call(ctx, method, params, manner{repeat: repeats})
}

// Clock returns the portal's time, in its zone.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	answer, err := c.Read(ctx, "server.time", nil)
	if err != nil {
		return time.Time{}, err
	}
	return portalTime(answer.Result)
}

// portalTime reads the result of server.time.
func portalTime(result json.RawMessage) (time.Time, error) {
	var text string
	if err := json.Unmarshal(result, &text); err != nil {
		return time.Time{}, garbled("server.time", 200, "the answer is not a time")
	}
	at, ok := leads.ParseTime(text)
	if !ok {
		return time.Time{}, garbled("server.time", 200, "the answer is not a time")
	}
	return at, nil
}

// manner says how a call may be repeated, and what its answer is checked for.
type manner struct {
	repeat int  // how often it may be sent again although it may have been executed
	large  bool // a batch of several commands: if it took too long, a smaller one is needed
	probe  bool // find out whether the portal still refuses everything
	// check returns a refusal that the answer contains although the portal accepted the
	// call, and whether the answer says that there are too many requests; nil checks nothing.
	check func(ctx context.Context, token leads.Secret, answer Answer) (refusal error, limited bool)
}

// call sends a request as often as its manner allows. While the portal refuses everything, it
// sends none.
func (c *Client) call(ctx context.Context, method string, params Params, m manner) (Answer, error) {
	if m.probe {
		return c.exchange(ctx, method, params, m)
	}
	if err := c.Probe(ctx); err != nil {
		return Answer{}, err
	}
	answer, err := c.exchange(ctx, method, params, m)
	return answer, c.refusals().judge(ctx, method, err)
}

func (c *Client) exchange(ctx context.Context, method string, params Params, m manner) (Answer, error) {
	a := attempt{client: c, method: method, manner: m}
	for {
		var err error
		a.endpoint = c.shared.currentEndpoint()
		if a.token, err = c.token(ctx); err != nil {
			return Answer{}, err
		}
		answer, err := c.send(ctx, method, params, a.endpoint, a.token)
		if err == nil {
			c.shared.accepted(a.token)
			err = a.checked(ctx, answer)
		}
		if err == nil {
			if c.cfg.Answered != nil {
				c.cfg.Answered()
			}
			return answer, nil
		}
		if ctx.Err() != nil {
			return Answer{}, ctx.Err()
		}
		if err := a.react(ctx, err); err != nil {
			return Answer{}, err
		}
	}
}

// checked returns what the answer was refused with, and tells the budget how the portal took
// the request.
func (a *attempt) checked(ctx context.Context, answer Answer) error {
	c := a.client
	if a.manner.check != nil {
		refusal, limited := a.manner.check(ctx, a.token, answer)
		if refusal != nil {
			return refusal
		}
		if limited {
			c.crowded(0)
			return nil
		}
	}
	if c.cfg.Budget != nil {
		c.cfg.Budget.accepted()
	}
	return nil
}

func (c *Client) token(ctx context.Context) (leads.Secret, error) {
	if c.cfg.Tokens == nil {
		return "", nil
	}
	return c.cfg.Tokens.Token(ctx)
}

// attempt is one call with what went wrong so far.
type attempt struct {
	client    *Client
	method    string
	manner    manner
	endpoint  leads.Secret
	token     leads.Secret
	failures  int
	slowed    int // refusals because of a limit
	moves     int
	refreshed int
}

// refreshTries is how often a call asks for another token: the first one it gets may be one
// that another process stored, and just as old.
const refreshTries = 2

// react handles an error; it returns nil if the call is to be sent again.
func (a *attempt) react(ctx context.Context, err error) error {
	c := a.client
	if moved, ok := errors.AsType[*movedError](err); ok {
		if a.moves++; a.moves > moveLimit {
			return &Error{Method: a.method, Status: moved.status, Description: "the portal redirects in a loop, last to " + hostIn(moved.location), Reaction: Repeat}
		}
		return a.follow(ctx, moved)
	}
	switch reaction := ReactionTo(err); {
	case unexplained(err) && c.cfg.Tokens != nil && a.refreshed == 0 && c.shared.doubt(a.token):
		a.refreshed++
		token, err := c.cfg.Tokens.Refresh(ctx, a.token)
		c.shared.setDoubtful(token)
		return err
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
		return refusedAfterRefresh(err)
	case reaction == SlowDown && !isOwnRefusal(err):
		if a.slowed++; a.slowed > slowLimit(err) {
			return err
		}
		return a.slowDown(ctx, err)
	case reaction == Repeat && a.failures < a.manner.repeat && (!a.manner.large || !tooLong(err)):
		a.failures++
		return c.cfg.Wait(ctx, repeatPolicy.Delay(a.failures))
	default:
		return err
	}
}

// refusedAfterRefresh is the error for a token that the portal refuses although it is new.
// If the portal cannot find the application by it, somebody must authorize again
// (docs/bitrix24.md 3.4).
func refusedAfterRefresh(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		changed := *e
		if changed.Reaction = Repeat; changed.Code == "INVALID_TOKEN" {
			changed.Reaction = Reauthorize
		}
		return &changed
	}
	return err
}

// isOwnRefusal tells a call that was not sent from one that the portal refused.
func isOwnRefusal(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.unsent
}

// blockedLimit is how often in a row a call may find its method blocked before that is an
// error. It covers more than the ten minutes after which operating time is free again.
const blockedLimit = 15

// slowLimit is how often a request is sent again that came too soon.
func slowLimit(err error) int {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeOperating {
		return blockedLimit
	}
	return repeats
}

// slowDown delays what is sent next: requests of this method if it is blocked, otherwise those
// of every method, for as long as the portal asks for.
func (a *attempt) slowDown(ctx context.Context, err error) error {
	c := a.client
	e, ok := errors.AsType[*Error](err)
	if ok && e.Code == codeOperating {
		c.shared.meters.block(a.method, e.Wait)
		return nil
	}
	wait := time.Duration(0)
	if ok {
		wait = e.Wait
	}
	c.crowded(wait)
	switch {
	case c.impatient(wait):
		return err
	case c.cfg.Budget == nil:
		return c.cfg.Wait(ctx, max(wait, repeatPolicy.Delay(a.slowed)))
	default:
		return nil
	}
}

// crowded records that the portal had too many requests, and asks to wait for that long.
func (c *Client) crowded(wait time.Duration) {
	c.shared.limited.Add(1)
	if c.cfg.Budget != nil {
		c.cfg.Budget.refused(wait)
	}
}
