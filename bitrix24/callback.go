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

// ParseCallback reads the body of a callback. The error is ErrForm if the body is not a
// form, ErrCallback if event, member_id or the id of a lead event is missing or invalid.
func ParseCallback(body string) (Callback, error) {
	form, err := ParseForm(body)
	if err != nil {
		return Callback{}, err
	}
	c := Callback{
		Event:            Event(strings.ToUpper(form.Text("event"))),
		SentAt:           number(form.Text("ts")),
		MemberID:         form.Text("auth", "member_id"),
		ApplicationToken: leads.Secret(form.Text("auth", "application_token")),
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
		if c.LeadID, err = leads.ParseID(form.Text("data", "FIELDS", "ID")); err != nil {
			return Callback{}, fmt.Errorf("%w: data[FIELDS][ID]: %w", ErrCallback, err)
		}
	}
	return c, nil
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
