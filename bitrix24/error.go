package bitrix24

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"leadsync/leads"
)

// Reaction says what to do about an error of a portal.
type Reaction int

// The reactions. Source: docs/bitrix24.md 3.4.
const (
	Never       Reaction = iota // the call is wrong: it will fail again
	Repeat                      // the portal or the network fails: try a read again later
	SlowDown                    // too many requests, the call was not executed: try again later
	Refresh                     // the access token has expired
	Reauthorize                 // the tokens are no longer valid: somebody must authorize again
	Stop                        // the portal is blocked or deleted: stop calling it and tell an operator
	NotFound                    // the lead does not exist
	NoAccess                    // the lead exists, but the caller may not read it
)

// Error is a portal's or an authorization server's refusal.
type Error struct {
	Method      string // the REST method, or the OAuth grant
	Status      int    // HTTP status; 0 for a command of a batch
	Code        string // Bitrix24's error code in upper case; "" for methods without codes and for answers that are not JSON
	Description string // Bitrix24's text, or what is wrong with the answer
	Reaction    Reaction
	// Wait is how long a method without operating time stays blocked; 0 if unknown.
	Wait time.Duration
}

// RetryAfter is how long not to call the method; 0 if the portal did not say.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// Error contains the method, the status, the code and the description, never a token.
func (e *Error) Error() string {
	code := e.Code
	if code == "" {
		code = "no code"
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: HTTP %d %s: %s", e.Method, e.Status, code, e.Description), ": ")
}

// Is lets errors.Is match leads.ErrUnauthorized, leads.ErrStopped and leads.ErrRefused.
func (e *Error) Is(target error) bool {
	return target == leads.ErrUnauthorized && e.Reaction == Reauthorize ||
		target == leads.ErrStopped && e.Reaction == Stop ||
		target == leads.ErrRefused && (e.Reaction == Never || e.Reaction == NoAccess)
}

// ReactionTo returns what to do about an error: Repeat for errors that are not a portal's,
// such as a broken connection.
func ReactionTo(err error) Reaction {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reaction
	}
	return Repeat
}

// mustRefresh reports whether the portal refused a token and may accept a refreshed one.
func mustRefresh(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Reaction == Refresh || e.Code == "NO_AUTH_FOUND")
}

// codeOperating is the refusal of a method that has used up its operating time.
const codeOperating = "OPERATION_TIME_LIMIT"

// reactions are the codes that mean the same with every status: older servers send some of
// them with status 200 (docs/bitrix24.md 3.4).
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
	"INVALID_CLIENT":          Stop, // the client id or secret is wrong: new tokens would not help
	"WRONG_CLIENT":            Stop,
	"PAYMENT_REQUIRED":        Stop,
	"OVERLOAD_LIMIT":          Stop,
	"PORTAL_DELETED":          Stop,
	"QUERY_LIMIT_EXCEEDED":    SlowDown,
	codeOperating:             SlowDown,
	"INTERNAL_SERVER_ERROR":   Repeat,
	"ERROR_UNEXPECTED_ANSWER": Repeat,
}

// newError decides what an error means. Codes are compared without regard to case. The
// lead methods have no code, only a description.
func newError(method string, status int, code, description string) *Error {
	e := &Error{Method: method, Status: status, Code: strings.ToUpper(code), Description: description}
	if reaction, ok := reactions[e.Code]; ok {
		e.Reaction = reaction
		return e
	}
	switch {
	case e.Code == "" || e.Code == "NOT_FOUND" || e.Code == "ACCESS_DENIED":
		e.Reaction = byDescription(description)
	case status >= http.StatusInternalServerError:
		e.Reaction = Repeat
	}
	return e
}

// byDescription recognises the two errors of crm.lead.get that have no code
// (docs/bitrix24.md 6.2). Nothing else is decided by an error's text.
func byDescription(description string) Reaction {
	switch text := strings.ToLower(strings.TrimRight(description, ".! ")); text {
	case "not found", "element not found":
		return NotFound
	case "access denied":
		return NoAccess
	default:
		return Never
	}
}

// garbled is the error for an answer that is not what the method returns: a proxy's page,
// an empty body, half an answer.
func garbled(method string, status int, what string) *Error {
	e := &Error{Method: method, Status: status, Description: what, Reaction: Repeat}
	if status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout {
		e.Reaction = Never
	}
	return e
}
