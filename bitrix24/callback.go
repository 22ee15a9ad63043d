package bitrix24

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"leadsync/leads"
)

// Event is the name of an event of a portal, in upper case.
type Event string

// The events leadsync knows. Source: docs/bitrix24.md 1.9–1.13, 2.2, 2.4 and 2.6.
const (
	LeadAdd      Event = "ONCRMLEADADD"
	LeadUpdate   Event = "ONCRMLEADUPDATE"
	LeadDelete   Event = "ONCRMLEADDELETE"
	AppInstall   Event = "ONAPPINSTALL"
	AppUpdate    Event = "ONAPPUPDATE"
	AppUninstall Event = "ONAPPUNINSTALL"
	UserReady    Event = "ONAPPUSERREADY"
	AppTest      Event = "ONAPPTEST" // sent on event.test
	// OfflineSignal says that the portal's offline queue is not empty.
	OfflineSignal Event = "ONOFFLINEEVENT"
)

// IsLead reports whether the event is about one lead.
func (e Event) IsLead() bool { return e == LeadAdd || e == LeadUpdate || e == LeadDelete }

// ErrCallback says that a body is not a callback of Bitrix24. Its text never contains the
// body.
var ErrCallback = errors.New("not a Bitrix24 callback")

// Callback is what a portal posts when an event happens. Unknown keys are ignored, optional
// ones may be empty. Source: docs/bitrix24.md 2.3.
type Callback struct {
	Event            Event
	LeadID           int64 // for lead events, else 0
	SentAt           int64 // unix seconds; when it was sent, which is later than the change
	MemberID         string
	ApplicationToken leads.Secret

	// The rest comes with some events only. None of it may be trusted before the
	// authorization server has confirmed it.
	Domain         string
	ServerEndpoint string
	ClientEndpoint string
	Scope          string
	AccessToken    leads.Secret
	RefreshToken   leads.Secret
	ExpiresIn      int64 // seconds, of AccessToken; an hour where the form does not say
	UserID         int64
}

// ParseCallback reads the body of a callback, a form or JSON (see ParseBody). The error is
// ErrForm if the body is neither, ErrCallback if event, member_id or the id of a lead event is
// missing, invalid, or given twice in different ways.
func ParseCallback(body string) (Callback, error) {
	form, err := ParseBody(body)
	if err != nil {
		return Callback{}, err
	}
	for _, path := range [][]string{{"event"}, {"auth", "member_id"}, {"auth", "application_token"}, {"data", "FIELDS", "ID"}} {
		if form.ambiguous(path) {
			return Callback{}, fmt.Errorf("%w: two different values of %s", ErrCallback, strings.Join(path, "."))
		}
	}
	c := Callback{
		Event:            Event(strings.ToUpper(strings.TrimSpace(form.Text("event")))),
		SentAt:           number(form.Text("ts")),
		MemberID:         memberID(form.Text("auth", "member_id")),
		ApplicationToken: leads.Secret(strings.TrimSpace(form.Text("auth", "application_token"))),
		Domain:           form.Text("auth", "domain"),
	}
	c.takeGrant(form.At("auth"))
	if c.Event == UserReady {
		// The system user's tokens are in data, the installer's in auth (docs/bitrix24.md 1.13).
		c.takeGrant(form.At("data"))
	}
	if c.Event == "" {
		return Callback{}, fmt.Errorf("%w: event is missing", ErrCallback)
	}
	if !leads.ValidMemberID(c.MemberID) {
		return Callback{}, fmt.Errorf("%w: auth[member_id] is missing or invalid", ErrCallback)
	}
	if c.Event.IsLead() {
		if c.LeadID, err = form.At("data", "FIELDS", "ID").leadID(); err != nil {
			return Callback{}, fmt.Errorf("%w: data[FIELDS][ID]: %w", ErrCallback, err)
		}
	}
	return c, nil
}

// memberID writes the id of a portal as Bitrix24 does: hexadecimal digits are small letters.
func memberID(text string) string {
	text = strings.TrimSpace(text)
	if strings.Trim(text, "0123456789abcdefABCDEF") != "" {
		return text
	}
	return strings.ToLower(text)
}

// leadID is the one id of a lead that stands here, alone or in a list.
func (f *Form) leadID() (id int64, err error) {
	switch {
	case f == nil:
		return 0, errors.New("is missing")
	case len(f.Children) == 0:
		return leads.PortalID(f.Value)
	}
	for i, c := range f.Children {
		if _, err := strconv.Atoi(c.Name); err != nil || len(c.Children) > 0 {
			return 0, errors.New("not a number, nor a list of numbers")
		}
		next, err := c.leadID()
		switch {
		case err != nil:
			return 0, err
		case i > 0 && next != id:
			return 0, errors.New("two different ids")
		}
		id = next
	}
	return id, nil
}

func (c *Callback) takeGrant(f *Form) {
	c.ServerEndpoint = cmp.Or(f.Text("server_endpoint"), c.ServerEndpoint)
	c.ClientEndpoint = cmp.Or(f.Text("client_endpoint"), c.ClientEndpoint)
	c.Scope = cmp.Or(f.Text("scope"), c.Scope)
	c.AccessToken = leads.Secret(f.Text("access_token"))
	c.RefreshToken = leads.Secret(f.Text("refresh_token"))
	c.ExpiresIn = number(f.Text("expires_in"))
	if c.AccessToken != "" {
		c.ExpiresIn = int64(lifeOf(float64(c.ExpiresIn)).Seconds())
	}
	c.UserID = number(f.Text("user_id"))
}

// number reads a whole number; 0 if the text is not one.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
