package emulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// What reaches the address of the events and is no event.

// eventsAddress is where the application or an outgoing webhook takes events; "" if nowhere.
func (p *Portal) eventsAddress() string {
	p.app.mu.Lock()
	address := p.app.eventsURL
	p.app.mu.Unlock()
	if address != "" {
		return address
	}
	for _, b := range p.bindings.list() {
		if b.webhook {
			return b.handler
		}
	}
	return ""
}

// Robot sends what the automation robot "Outgoing webhook" sends about a lead: no event and no
// application token, so nobody can verify it. An empty address is that of the events. It
// returns false if there is no address.
func (p *Portal) Robot(address string, lead int64) bool {
	if address == "" {
		address = p.eventsAddress()
	}
	if address == "" {
		return false
	}
	var f form
	f.add("auth[domain]", hostOf(p.portalURL))
	f.add("auth[client_endpoint]", p.portalURL+"/rest/")
	f.add("auth[server_endpoint]", p.oauthURL+"/rest/")
	f.add("auth[member_id]", p.memberID)
	f.add("document_id[0]", "crm")
	f.add("document_id[1]", "CCrmDocumentLead")
	f.add("document_id[2]", "LEAD_"+strconv.FormatInt(lead, 10))
	p.queue.push(p, &notice{event: "robot", lead: lead, to: binding{handler: address}, raw: f.b.String()}, false)
	return true
}

// Page is what an application showed in its frame.
type Page struct {
	Status      int    `json:"status"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// errNoHandler is the error of what goes to the address of the events while there is none.
var errNoHandler = clickError{"nothing takes events: connect leadsync first", nil}

// OpenApp opens the application's page, as the portal does in a frame if "Uses API only" was
// not ticked: it posts tokens of the user to the address. An empty address is that of the
// events, user 0 is the administrator, an empty language is ru.
func (p *Portal) OpenApp(ctx context.Context, address string, user int, language string) (Page, error) {
	if address == "" {
		address = p.eventsAddress()
	}
	if address == "" {
		return Page{}, errNoHandler
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return Page{}, fmt.Errorf("url: got %q, want the address of the application's page", address)
	}
	if userByID(user) == nil {
		user = users[0].id
	}
	if language == "" {
		language = "ru"
	}
	protocol := "0"
	if strings.HasPrefix(p.portalURL, "https:") {
		protocol = "1"
	}
	q := u.Query()
	for key, value := range map[string]string{"DOMAIN": hostOf(p.portalURL), "PROTOCOL": protocol, "LANG": language, "APP_SID": "0123456789abcdef0123456789abcdef"} {
		q.Set(key, value)
	}
	u.RawQuery = q.Encode()
	pair := p.tokens.pair(user, p.clock.now())
	var f form
	f.add("AUTH_ID", pair.access)
	f.add("AUTH_EXPIRES", strconv.Itoa(int(p.cfg.AccessLife.Seconds())))
	f.add("REFRESH_ID", pair.refresh)
	f.add("SERVER_ENDPOINT", p.oauthURL+"/rest/")
	f.add("member_id", p.memberID)
	f.add("status", p.cfg.Status)
	f.add("PLACEMENT", "DEFAULT")
	f.add("PLACEMENT_OPTIONS", `{"any":"7\/"}`)
	return p.queue.open(ctx, u.String(), f.b.String())
}

// open posts a form as a browser does and returns the page.
func (q *queue) open(ctx context.Context, address, body string) (Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return Page{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "Mozilla/5.0")
	resp, err := q.client.Do(req)
	if err != nil {
		return Page{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return Page{Status: resp.StatusCode, ContentType: resp.Header.Get("Content-Type"), Body: string(text)}, err
}

// spelled is a handler's address as Faults.PathSlash spells it.
func (p *Portal) spelled(address string) string {
	slash := strings.ToLower(p.Faults().PathSlash)
	u, err := url.Parse(address)
	if slash == "" || err != nil {
		return address
	}
	switch at := strings.LastIndexByte(u.Path, '/'); {
	case slash == "end":
		u.Path += "/"
	case slash == "start":
		u.Path = "/" + u.Path
	case at >= 0:
		u.Path = u.Path[:at] + "/" + u.Path[at:]
	}
	u.RawPath = ""
	return u.String()
}
