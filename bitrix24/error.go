package bitrix24

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

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
	// Wait is how long a method without operating time stays blocked, how long a busy server
	// asks to wait, or how long the client leaves a portal alone that refuses everything; 0 if
	// unknown.
	Wait time.Duration
	// Advice is set where the portal refuses every call for this reason, which no lead causes:
	// what is wrong, and where in Bitrix24 a person changes it.
	Advice string

	unsent bool // this client refused the call: it would have had to wait for too long
}

// RetryAfter is how long not to call the method; 0 if the portal did not say.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// descriptionLimit is how much of a portal's text an error shows.
const descriptionLimit = 300

// Error contains the method, the status, the code and the description, never a token.
func (e *Error) Error() string {
	parts := []string{e.Method}
	if e.Status != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	if e.Description != "" {
		parts = append(parts, fmt.Sprintf("%.*s", descriptionLimit, e.Description))
	}
	said := strings.Join(parts, ": ")
	if e.Advice != "" {
		return e.Advice + " (" + said + ")"
	}
	return said
}

// Is lets errors.Is match leads.ErrPortalRefuses, leads.ErrStopped, leads.ErrUnauthorized
// and leads.ErrRefused.
func (e *Error) Is(target error) bool {
	switch target {
	case leads.ErrPortalRefuses:
		return e.Advice != ""
	case leads.ErrStopped:
		return e.Reaction == Stop
	case leads.ErrUnauthorized:
		return e.Reaction == Reauthorize && e.Advice == ""
	case leads.ErrRefused:
		return (e.Reaction == Never || e.Reaction == NoAccess) && e.Advice == ""
	default:
		return false
	}
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

// codeLength is the refusal of a batch, or of the commands of a batch, that are more than the portal
// takes.
const codeLength = "ERROR_BATCH_LENGTH_EXCEEDED"

// codeCrowded is the refusal of a call that came while the portal's bucket was full.
const codeCrowded = "QUERY_LIMIT_EXCEEDED"

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
	codeOverload:              Stop,
	"PORTAL_DELETED":          Stop,
	codeCrowded:               SlowDown,
	codeOperating:             SlowDown,
	codeLength:                Repeat, // with fewer commands
	"INTERNAL_SERVER_ERROR":   Repeat,
	"ERROR_UNEXPECTED_ANSWER": Repeat,
}

// newError decides what an error means. Codes are compared without regard to case. The
// lead methods have no code, only a description.
func newError(method string, status int, code, description string) *Error {
	e := &Error{Method: method, Status: status, Code: strings.ToUpper(code), Description: description}
	e.conceal(nil)
	if reaction, ok := reactions[e.Code]; ok {
		e.Reaction = reaction
		return e
	}
	switch {
	case (e.Code == "" || e.Code == "ACCESS_DENIED") && namesTariff(description):
		e.Reaction = Stop
	case e.Code == "" || e.Code == "ACCESS_DENIED" || notFoundCodes[e.Code]:
		e.Reaction = byDescription(e.Code, description)
	case status >= http.StatusInternalServerError:
		e.Reaction = Repeat
	}
	if status == http.StatusTooManyRequests && e.Reaction == Never {
		e.Reaction = SlowDown
	}
	return e
}

// blockedFor adds how long a method stays blocked, according to the time block of its answer.
func (e *Error) blockedFor(t Time) *Error {
	if e.Code == codeOperating {
		e.Wait = t.untilReset()
	}
	return e
}

// notFoundCodes are codes beside which the text still decides: they may also mean a method, a
// portal, or a lead's company.
var notFoundCodes = map[string]bool{
	"NOT_FOUND": true, "ERROR_NOT_FOUND": true, "ELEMENT_NOT_FOUND": true, "ENTITY_NOT_FOUND": true, "LEAD_NOT_FOUND": true, "ERROR_CORE": true,
}

// The texts of the two errors of crm.lead.get that have no code (docs/bitrix24.md 6.2), as
// plainWords writes them. A text that is not here deletes nothing.
var (
	notFoundTexts = map[string]bool{
		"not found": true, "element not found": true, "lead not found": true, "item not found": true,
		"не найден": true, "не найдено": true, "элемент не найден": true, "лид не найден": true,
	}
	noAccessTexts = map[string]bool{"access denied": true, "доступ запрещен": true}
)

// byDescription recognises those two errors. Only namesTariff also decides by an error's text.
func byDescription(code, description string) Reaction {
	switch text := plainWords(description); {
	case notFoundTexts[text] && code != "ACCESS_DENIED":
		return NotFound
	case noAccessTexts[text]:
		return NoAccess
	default:
		return Never
	}
}

// tag is a tag of HTML: some modules of Bitrix24 write <br> behind a text.
var tag = regexp.MustCompile(`<[^<>]*>`)

// plainWords are the words of a text in lower case, without HTML and punctuation.
func plainWords(text string) string {
	text = tag.ReplaceAllString(html.UnescapeString(text), " ")
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return strings.ReplaceAll(strings.Join(words, " "), "ё", "е")
}

// namesTariff tells the ACCESS_DENIED of a portal whose plan has no REST API from that of a
// lead: both have the same code (docs/bitrix24.md 3.4.13 and 6.2).
func namesTariff(description string) bool {
	text := strings.ToLower(description)
	for _, word := range [...]string{
		" plan", "tariff", "subscription", "commercial", "trial", "licen",
		"тариф", "коммерческ", "подписк", "пробн", "демо-", "лиценз",
	} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// useless reports whether a whole batch got no answer that can be used: none, half of one,
// a page of HTML, an error of the server. One of its commands may be the reason.
func useless(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Status {
		case http.StatusRequestEntityTooLarge, http.StatusRequestTimeout:
			return true
		default:
			return e.Method == "batch" && e.Reaction == Repeat && (e.Status < 300 || e.Status >= 400)
		}
	}
	_, broken := errors.AsType[*brokenError](err)
	return broken
}

// garbled is the error for an answer that is not what the method returns: a proxy's page,
// an empty body, half an answer.
func garbled(method string, status int, what string) *Error {
	e := &Error{Method: method, Status: status, Description: what, Reaction: Repeat}
	switch {
	case status == http.StatusTooManyRequests:
		e.Reaction = SlowDown // a proxy's limit
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout:
		e.Reaction = Never
	}
	return e
}
