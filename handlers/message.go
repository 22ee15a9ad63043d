package handlers

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/portals"
)

// bodyLimit is the largest callback that is read, in bytes; real ones have about 1 KB.
const bodyLimit = 64 << 10

// message is what a request carries, in its address and in its body.
type message struct {
	query, body *bitrix24.Form // empty where there is no form
	text        string         // the body, for bitrix24.ParseCallback
	contentType string         // of the body as it came, without parameters
}

// queryOf reads the address of a request alone.
func queryOf(r *http.Request) message {
	return message{query: formOf(r.URL.RawQuery), body: &bitrix24.Form{}}
}

// read reads a request with its body as far as it is allowed to go. The decision says why
// there is no body.
func read(c echo.Context) (message, portals.Decision) {
	sent := queryOf(c.Request())
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit))
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return sent, sent.decision(portals.TooLong, nil)
	}
	if err != nil {
		return sent, sent.decision(portals.Unparsable, fmt.Errorf("read the body: %w", err))
	}
	contentType := c.Request().Header.Get("Content-Type")
	first, _, _ := strings.Cut(contentType, ";")
	sent.contentType = strings.ToLower(strings.TrimSpace(first))
	sent.text = textOf(contentType, body)
	if form, err := bitrix24.ParseBody(sent.text); err == nil {
		sent.body = form
	}
	return sent, sent.decision(portals.Accepted, nil)
}

func formOf(text string) *bitrix24.Form {
	form, err := bitrix24.ParseForm(text)
	if err != nil {
		return &bitrix24.Form{}
	}
	return form
}

// textOf is a body as the parser of callbacks reads it. Whatever its content type says, it
// is passed on as it came: Bitrix24 posts forms, but proxies and integration platforms
// rewrite or forget the type. Only a form in parts, as they and curl -F send it, is written
// as Bitrix24 writes forms.
func textOf(contentType string, body []byte) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/form-data" {
		return string(body)
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	var pairs []string
	for {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF) && len(pairs) > 0:
			return strings.Join(pairs, "&")
		case err != nil:
			return string(body)
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return string(body)
		}
		pairs = append(pairs, url.QueryEscape(part.FormName())+"="+url.QueryEscape(string(value)))
	}
}

// value is a value of the body or else of the address.
func (m message) value(name string) string { return cmp.Or(m.body.Text(name), m.query.Text(name)) }

func (m message) has(name string) bool { return m.body.At(name) != nil || m.query.At(name) != nil }

// what tells apart what Bitrix24 sends although it is no callback: the browser of somebody
// who opens the application's page in the portal (docs/bitrix24.md 1.11.1), and the webhook of
// a robot or a business process, which names its document and no event. Accepted is
// anything else.
func (m message) what() portals.Reason {
	if m.value("event") != "" {
		return portals.Accepted
	}
	if slices.ContainsFunc([]string{"AUTH_ID", "REFRESH_ID", "PLACEMENT", "APP_SID", "DOMAIN"}, m.has) {
		return portals.ApplicationPage
	}
	if m.has("document_id") {
		return portals.RobotWebhook
	}
	return portals.Accepted
}

// isCallback tells whether the body carries an event of Bitrix24, whose names all begin
// with ON. Of a body that is not a form the parser knows.
func (m message) isCallback() bool {
	if strings.HasPrefix(strings.ToUpper(m.body.Text("event")), "ON") {
		return true
	}
	_, err := bitrix24.ParseCallback(m.text)
	return err == nil
}

// decision is the decision on a message for a reason that has nothing to do with who sent
// it. The portal is what the message says, for the log.
func (m message) decision(reason portals.Reason, err error) portals.Decision {
	return portals.Decision{Reason: reason, Err: err, Domain: hostIn(cmp.Or(m.body.Text("auth", "domain"), m.query.Text("DOMAIN")))}
}

// unreadable is the decision on a message in which the parser finds no callback. If its
// body does not even claim to be a form, that is a reason of its own.
func (m message) unreadable(err error) portals.Decision {
	if m.contentType == "" || m.contentType == "application/x-www-form-urlencoded" {
		return portals.Decision{Reason: portals.Unparsable, Err: err}
	}
	return portals.Decision{Reason: portals.NotAForm, Err: fmt.Errorf("content type %.100q: %w", m.contentType, err)}
}

// hostIn is a host that somebody has written, "" where it cannot be one.
func hostIn(text string) string {
	host := strings.ToLower(text)
	if len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.:") != "" {
		return ""
	}
	return host
}
