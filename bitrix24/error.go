package bitrix24

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"leadsync/leads"
)

// Reaction says what an error of a portal asks of us.
type Reaction int

// The reactions. Source: docs/bitrix24.md 3.4.
const (
	Never       Reaction = iota // the call is wrong and will be wrong again
	Repeat                      // the portal or the way to it is ill: later, if the call was a read
	SlowDown                    // too many requests: later, the call was not executed
	Refresh                     // the access token has expired
	Reauthorize                 // the tokens are dead: somebody must authorize again
	Stop                        // the portal is blocked or gone: leave it alone and tell a person
	NotFound                    // there is no such lead
	NoAccess                    // there is such a lead, but not for us
)

// Error is a portal's or an authorization server's refusal.
type Error struct {
	Method      string // the REST method, or the OAuth grant
	Status      int    // of HTTP; 0 where a command of a batch failed
	Code        string // Bitrix24's error, in upper case; "" is one, and so is an answer without JSON
	Description string // Bitrix24's words
	Reaction    Reaction
	// Wait is how long a method that was blocked for its operating time stays blocked;
	// 0 unknown.
	Wait time.Duration
}

// RetryAfter is how long to leave the method alone; 0 where the portal did not say.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// Error names method, status and code. It never contains a token or a body.
func (e *Error) Error() string {
	code := e.Code
	if code == "" {
		code = "no code"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: HTTP %d %s: %s", e.Method, e.Status, code, e.Description), ": ")
}

// Is lets errors.Is recognise what is wrong with the portal as a whole.
func (e *Error) Is(target error) bool {
	return target == leads.ErrUnauthorized && e.Reaction == Reauthorize ||
		target == leads.ErrStopped && e.Reaction == Stop ||
		target == leads.ErrRefused && (e.Reaction == Never || e.Reaction == NoAccess)
}

// ReactionTo is what to do about an error; Repeat for errors that are not a portal's,
// such as a broken connection.
func ReactionTo(err error) Reaction {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reaction
	}
	return Repeat
}

// mustRefresh are the refusals of a token that another one of the same chain may mend.
func mustRefresh(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Reaction == Refresh || e.Code == "NO_AUTH_FOUND")
}

// codeOperating is the refusal of one method that has used up its operating time.
const codeOperating = "OPERATION_TIME_LIMIT"

// reactions maps the codes that mean the same whatever status they come with: older
// servers answer some of them with 200 (docs/bitrix24.md 3.4).
var reactions = map[string]Reaction{
	"EXPIRED_TOKEN":           Refresh,
	"INVALID_TOKEN":           Refresh,
	"NO_AUTH_FOUND":           Reauthorize,
	"AUTHORIZATION_ERROR":     Reauthorize,
	"APPLICATION_NOT_FOUND":   Reauthorize,
	"ERROR_OAUTH":             Reauthorize,
	"NOT_INSTALLED":           Reauthorize,
	"INVALID_CREDENTIALS":     Reauthorize,
	"INVALID_GRANT":           Reauthorize,
	"USER_ACCESS_ERROR":       Reauthorize,
	"INVALID_CLIENT":          Stop, // our client id or secret is wrong: new tokens would not help
	"WRONG_CLIENT":            Stop,
	"PAYMENT_REQUIRED":        Stop,
	"OVERLOAD_LIMIT":          Stop,
	"PORTAL_DELETED":          Stop,
	"QUERY_LIMIT_EXCEEDED":    SlowDown,
	codeOperating:             SlowDown,
	"INTERNAL_SERVER_ERROR":   Repeat,
	"ERROR_UNEXPECTED_ANSWER": Repeat,
}

// newError decides what an error means. Codes are compared without case, and the lead
// methods have no code at all, only words.
func newError(method string, status int, code, description string) *Error {
	e := &Error{Method: method, Status: status, Code: strings.ToUpper(code), Description: description}
	if reaction, ok := reactions[e.Code]; ok {
		e.Reaction = reaction
		return e
	}
	switch {
	case e.Code == "" || e.Code == "NOT_FOUND" || e.Code == "ACCESS_DENIED":
		e.Reaction = wordsOf(description)
	case status >= http.StatusInternalServerError:
		e.Reaction = Repeat
	}
	return e
}

// wordsOf reads the two answers of crm.lead.get that have no code (docs/bitrix24.md 6.2). It is
// the only place that decides by text.
func wordsOf(description string) Reaction {
	switch text := strings.ToLower(strings.TrimRight(description, ".! ")); text {
	case "not found", "element not found":
		return NotFound
	case "access denied":
		return NoAccess
	default:
		return Never
	}
}

// garbled is an answer that is no JSON: a proxy's page, an empty body, half an answer.
func garbled(method string, status int, what string) *Error {
	e := &Error{Method: method, Status: status, Description: what, Reaction: Repeat}
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout {
		e.Reaction = Never
	}
	return e
}
