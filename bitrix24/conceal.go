package bitrix24

import (
	"encoding/json"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"leadsync/leads"
)

// Servers, and what stands before them, repeat the address of a request, or what was sent, in what
// they answer: a firewall in the text of an error, a renamed portal in a redirect, net/http in the
// error for an answer that it cannot read. So whatever came from outside is shown without secrets,
// in one line, and not at any length.

// concealed is such a text without these secrets, and without whatever looks like one.
func concealed(text string, secrets []leads.Secret, limit int) string {
	for _, s := range secrets {
		if len(s) >= shortestSecret {
			plain := string([]rune(s.Reveal()))                                                   // strangers post tokens that are no UTF-8, which regexp refuses, and JSON repeats so
			text = regexp.MustCompile(`(?i)`+regexp.QuoteMeta(plain)).ReplaceAllString(text, "-") // codes are in capitals
		}
	}
	text = leads.OneLine(string(leads.WithoutTokens(json.RawMessage(text))))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return text
}

// conceal removes secrets from what a server said.
func (e *Error) conceal(secrets []leads.Secret) {
	e.Code, e.Description = concealed(e.Code, secrets, codeLimit), concealed(e.Description, secrets, textLimit)
}

// shortestSecret is the length below which a text may be a word. Bitrix24's secrets have 16 characters
// and more.
const shortestSecret = 8

// The longest texts that are kept, in bytes. Codes of Bitrix24 have some thirty letters.
const (
	codeLimit = 100
	textLimit = 4 * descriptionLimit // characters of UTF-8
)

// webhookPath is the part of a webhook's address that is a secret; "" of an application's endpoint.
func webhookPath(endpoint leads.Secret) leads.Secret {
	u, err := url.Parse(endpoint.Reveal())
	if err != nil {
		return ""
	}
	path := strings.Trim(u.Path, "/")
	if strings.Count(path, "/") < 2 { // rest/1/secret
		return ""
	}
	return leads.Secret(path)
}

// quietError is an error of the network in words that can be shown.
type quietError struct {
	text string
	err  error
}

func (e *quietError) Error() string { return e.text }
func (e *quietError) Unwrap() error { return e.err }

// quiet is an error of the network without the URL that net/http puts into it, and without what
// the server sent.
func quiet(err error, secrets []leads.Secret) error {
	innermost := err
	for strings.Contains(innermost.Error(), "://") {
		inner := errors.Unwrap(innermost)
		if inner == nil {
			break
		}
		innermost = inner
	}
	return &quietError{text: concealed(innermost.Error(), secrets, textLimit), err: innermost}
}
