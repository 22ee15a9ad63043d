package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"leadsync/leads"
)

// Portals are the portals that are served.
type Portals interface {
	Reports(ctx context.Context) ([]Portal, error)
	// Rebind asks the portal's owner to bind its events again.
	Rebind(ctx context.Context, memberID string) error
	// Connection says what a portal that is to be connected will find.
	Connection(ctx context.Context) Connection
	// Invite lets a portal in whose application is yet to be installed. Its error is ErrConflict where
	// that makes no sense, with what to do instead.
	Invite(ctx context.Context, i Invitation) error
	// Remove begins to erase a portal and everything that is kept of it.
	Remove(ctx context.Context, memberID string) error
}

// portalPages are the pages of portals.
type portalPages struct {
	portals   Portals
	status    Status
	refusals  func() []Refusal // nil knows of none
	publicURL string
}

func (p portalPages) routes() map[string]route {
	return map[string]route{
		"GET /portals":                  find(p.list),
		"GET /portals/connect":          find(p.connect),
		"POST /portals":                 find(p.invite),
		"POST /portals/{member}/rebind": find(p.rebind),
		"POST /portals/{member}/remove": find(p.remove),
	}
}

// Portal is a portal with what a person needs to know of it, without secrets.
type Portal struct {
	MemberID, Domain string
	State            leads.PortalState
	Webhook          bool
	TokenKnown       bool // of callbacks
	Tokens           []Tokens
	Bound            []string // events, as "EVENT URL"
	Unbound          []string // events that ought to be bound and are not
	BoundAt          time.Time
	Owner            string
	Problem, Note    string
	Leads            int64
	Remedy           string // what a person does where the portal no longer accepts us; "" where it does
	Imported         bool   // a pass has completed
	// Import is the pass that has not ended, or failed last; nil where there is none.
	Import *leads.Run
	// Removing says that the portal is being erased.
	Removing bool
}

// Tokens are a pair of tokens, without them.
type Tokens struct {
	UserID     int64
	System     bool
	AccessEnds time.Time
	// RefreshEnds is about when the refresh token dies unless it is used before.
	RefreshEnds time.Time
}

// Connection is what a portal that is to be connected will find.
type Connection struct {
	Address     []Check // of the address at which Bitrix24 reaches leadsync
	Application bool    // LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET are set
	Open        bool    // the next portal comes in by itself
}

// AddressWorks tells whether nothing speaks against the address.
func (c Connection) AddressWorks() bool { return Examination{Checks: c.Address}.Count("fault") == 0 }

// Invitation lets a portal in.
type Invitation struct {
	MemberID, Domain string
	// ClientID and ClientSecret are those of an application of the portal's own; "" are the settings'.
	ClientID     string
	ClientSecret leads.Secret
}

// CanRebind tells portals whose events leadsync binds itself.
func (p Portal) CanRebind() bool { return !p.Webhook && p.State == leads.PortalActive && !p.Removing }

// Connected tells portals that accept us.
func (p Portal) Connected() bool {
	return p.State == leads.PortalActive && (p.Webhook || len(p.Tokens) > 0)
}

// AllBound tells whether the portal sends us all events, as far as leadsync can see: webhooks are
// bound by a person.
func (p Portal) AllBound() bool { return p.Webhook || !p.BoundAt.IsZero() && len(p.Unbound) == 0 }

// portalView is a portal with how it stands.
type portalView struct {
	Portal

	Standing PortalStatus // as the overview has it
	Wrong    []string     // what does not work
}

// Reason is why the mirror is not current; "" also where what does not work says the same.
func (v portalView) Reason() string {
	if slices.Contains(v.Wrong, v.Standing.Mirror.Reason) {
		return ""
	}
	return v.Standing.Mirror.Reason
}

type portalsData struct {
	Portals   []portalView
	LoginPath string // without a domain; "" where LEADSYNC_PUBLIC_URL is not set
}

// list lists the portals.
func (p portalPages) list(r *http.Request) (view, error) {
	listed, err := p.views(r.Context())
	return view{page: "portals", data: listed}, err
}

func (p portalPages) views(ctx context.Context) (d portalsData, err error) {
	reports, err := p.portals.Reports(ctx)
	if err != nil {
		return d, err
	}
	overview, err := p.status.Overview(ctx)
	if err != nil {
		overview = Overview{} // how portals stand is not known then
	}
	for i := range reports {
		d.Portals = append(d.Portals, viewPortal(reports[i], overview))
	}
	if at := p.publicURL; at != "" {
		d.LoginPath = at + leads.LoginPath
	}
	return d, nil
}

// viewPortal finds how a portal stands: the state of its log-in alone says nothing of that.
func viewPortal(portal Portal, o Overview) portalView {
	v := portalView{Portal: portal, Standing: PortalStatus{State: portal.State}}
	for _, status := range o.Portals {
		if status.MemberID == portal.MemberID {
			v.Standing = status
		}
	}
	for _, component := range []string{"portal ", "callbacks of "} {
		if problem := o.Problems[component+portal.Domain]; problem != "" && portal.Remedy == "" {
			v.Wrong = append(v.Wrong, problem)
		}
	}
	if len(v.Wrong) == 0 && portal.Problem != "" {
		v.Wrong = []string{portal.Problem}
	}
	return v
}

type connectData struct {
	portalsData
	Connection

	PublicURL string
	// The values of Bitrix24's form for a local application; "" where LEADSYNC_PUBLIC_URL is not set.
	HandlerPath, InstallPath string
	Refusals                 []Refusal
	Tells                    bool            // whoever is refused is among them, not in the log alone
	In                       map[string]bool // the portals that are connected, also where they were refused before
	// MemberID and Host are those of a portal that was refused and is to be let in.
	MemberID, Host string
}

// Refusal is an installation or a log-in that leadsync refused; several that are the same are one.
type Refusal struct {
	At       time.Time // of the last
	Count    int64
	MemberID string // as the sender says
	Host     string // as the sender says; "" where it says none
	Reason   string // the label of the metric leadsync_callbacks_refused_total
	Detail   string // the error; "" where there is none
}

// refusalsShown is how many refusals are shown: anybody can cause them.
const refusalsShown = 20

// Why says why it was refused.
func (r Refusal) Why() string { return refusalWords[r.Reason].why }

// Do says what a person does about it.
func (r Refusal) Do() string { return refusalWords[r.Reason].do }

// Invitable tells whether the person can let the portal in from here.
func (r Refusal) Invitable() bool {
	return leads.ValidMemberID(r.MemberID) && refusalWords[r.Reason].invite
}

// connect says step by step how a portal is connected, and how far that is.
func (p portalPages) connect(r *http.Request) (view, error) {
	listed, err := p.views(r.Context())
	if err != nil {
		return view{}, err
	}
	d := connectData{portalsData: listed, Connection: p.portals.Connection(r.Context()), PublicURL: p.publicURL}
	if d.PublicURL != "" {
		d.HandlerPath, d.InstallPath = d.PublicURL+leads.RedirectPath, d.PublicURL+leads.CallbackPath
	}
	if d.Tells = p.refusals != nil; d.Tells {
		d.Refusals = slices.DeleteFunc(slices.Clone(p.refusals()), func(r Refusal) bool { return r.Why() == "" })
		d.Refusals = d.Refusals[:min(len(d.Refusals), refusalsShown)]
	}
	d.In = map[string]bool{}
	for _, portal := range d.Portals {
		d.In[portal.MemberID] = portal.Connected()
	}
	for _, refused := range d.Refusals { // no other value of the address is shown in the form
		if refused.MemberID == r.URL.Query().Get("member_id") {
			d.MemberID, d.Host = refused.MemberID, refused.Host
		}
	}
	return view{page: "connect", data: d}, nil
}

// invite lets another portal in.
func (p portalPages) invite(r *http.Request) (view, error) {
	i := Invitation{
		MemberID: strings.TrimSpace(r.PostFormValue("member_id")), Domain: strings.ToLower(strings.TrimSpace(r.PostFormValue("domain"))),
		ClientID: strings.TrimSpace(r.PostFormValue("client_id")), ClientSecret: leads.Secret(strings.TrimSpace(r.PostFormValue("client_secret"))),
	}
	// People paste addresses.
	if u, err := url.Parse(i.Domain); err == nil && u.Host != "" {
		i.Domain = u.Host
	}
	if !leads.ValidMemberID(i.MemberID) || i.Domain == "" || (i.ClientID == "") != (i.ClientSecret == "") {
		return view{}, errBadForm
	}
	if err := p.portals.Invite(r.Context(), i); err != nil {
		return view{}, err
	}
	return seeOther("/portals/connect?done=invited")
}

func (p portalPages) rebind(r *http.Request) (view, error) {
	member := r.PathValue("member")
	if !leads.ValidMemberID(member) {
		return view{}, ErrNotFound
	}
	if err := p.portals.Rebind(r.Context(), member); err != nil {
		return view{}, err
	}
	return seeOther("/portals?done=rebound")
}

// remove erases a portal, where the person has written its name: the button alone is too near to
// the others.
func (p portalPages) remove(r *http.Request) (view, error) {
	member := r.PathValue("member")
	reports, err := p.portals.Reports(r.Context())
	if err != nil {
		return view{}, err
	}
	for _, report := range reports {
		if report.MemberID != member {
			continue
		}
		if !strings.EqualFold(strings.TrimSpace(r.PostFormValue("domain")), report.Domain) {
			return view{}, errBadForm
		}
		if err := p.portals.Remove(r.Context(), member); err != nil {
			return view{}, err
		}
		return seeOther("/portals?done=removing")
	}
	return view{}, ErrNotFound
}
