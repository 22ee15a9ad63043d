package emulator

import (
	"errors"
	"net"
	"net/http"
	"strconv"

	"leadsync/bitrix24"
)

// methods are the REST methods of the emulator (docs/bitrix24.md 9).
var methods map[string]method

func init() { // an initializer of the variable would be a cycle: batch uses methods
	methods = map[string]method{
		"app.info":                {run: appInfo, app: true},
		"batch":                   {run: batch, noBatch: true},
		"crm.item.get":            {run: crmItemGet, scope: "crm"},
		"crm.item.list":           {run: crmItemList, scope: "crm", page: true},
		"crm.lead.add":            {run: crmLeadAdd, scope: "crm"},
		"crm.lead.delete":         {run: crmLeadDelete, scope: "crm"},
		"crm.lead.fields":         {run: crmLeadFields, scope: "crm"},
		"crm.lead.get":            {run: crmLeadGet, scope: "crm"},
		"crm.lead.list":           {run: crmLeadList, scope: "crm", page: true},
		"crm.lead.update":         {run: crmLeadUpdate, scope: "crm"},
		"crm.lead.userfield.get":  {run: crmUserFieldGet, scope: "crm"},
		"crm.lead.userfield.list": {run: crmUserFieldList, scope: "crm"},
		"crm.settings.mode.get":   {run: crmModeGet, scope: "crm"},
		"crm.status.list":         {run: crmStatusList, scope: "crm"},
		"department.get":          {run: departmentGet, scope: "department"},
		"event.bind":              {run: eventBind, app: true},
		"event.get":               {run: eventGet, app: true},
		"event.offline.clear":     {run: offlineClear, app: true},
		"event.offline.error":     {run: offlineError, app: true},
		"event.offline.get":       {run: offlineGet, app: true},
		"event.offline.list":      {run: offlineList, app: true},
		"event.test":              {run: eventTest, app: true},
		"event.unbind":            {run: eventUnbind, app: true},
		"events":                  {run: eventsList, app: true},
		"feature.get":             {run: featureGet},
		"method.get":              {run: methodGet},
		"methods":                 {run: methodsList},
		"profile":                 {run: profile},
		"scope":                   {run: scopeList},
		"server.time":             {run: serverTime},
		"user.admin":              {run: userAdmin},
		"user.current":            {run: userCurrent, scope: "user"},
	}
}

// serveREST answers /rest/….
func (p *Portal) serveREST(w http.ResponseWriter, r *http.Request) {
	watch := p.watch()
	to := parseRoute(r.URL.Path)
	p.stats.request(to.method)
	if p.failREST(w, r) {
		return
	}
	status, body := p.answerREST(r, to, watch)
	p.send(w, status, body)
}

// answerREST runs one call and returns its status and body.
func (p *Portal) answerREST(r *http.Request, to route, watch *stopwatch) (int, []byte) {
	if r.TLS == nil && (p.cfg.TLS && !p.cfg.Switches.PlainHTTP || p.cfg.Switches.RequireHTTPS) {
		return refused(errHTTPS)
	}
	if err := p.admit(r); err != nil {
		return refused(err)
	}
	args, err := readArgs(r)
	if err != nil {
		return refused(errArgument(err.Error()))
	}
	who, err := p.authenticate(to, args)
	if err != nil {
		return refused(err)
	}
	c := &call{Portal: p, caller: who, method: to.method, args: args, now: watch.wall, clock: watch}
	a, t, err := c.invoke()
	if err != nil {
		return refused(err)
	}
	if watch.cost > p.cfg.Wall.Seconds() {
		return http.StatusGatewayTimeout, nil
	}
	if to.method != "batch" { // its results are odd or not one by one
		a.result = c.oddly(a.result)
	}
	return http.StatusOK, envelope(a, t)
}

// refused is the status and body for an error; an error that is not a refusal is an internal
// server error.
func refused(err error) (int, []byte) {
	var no *refusal
	if !errors.As(err, &no) {
		no = errInternal
	}
	return no.status, appendValue(nil, no.show())
}

// admit counts the request against its source address (docs/bitrix24.md 4).
func (p *Portal) admit(r *http.Request) error {
	if !p.limited() {
		return nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	if !p.buckets.take(host, p.clock.now()) {
		p.stats.refuse(errQueryLimit.code)
		return errQueryLimit
	}
	return nil
}

// authenticate identifies the caller, by the webhook in the path or by the token in the
// parameter auth (docs/bitrix24.md 3.1 and 1.15).
func (p *Portal) authenticate(to route, args *bitrix24.Form) (caller, error) {
	if to.user != "" {
		if to.user != strconv.Itoa(p.webhookUser) || to.secret != p.webhookSecret {
			if p.cfg.Switches.WebhookCredentials {
				return caller{}, errCredentials
			}
			return caller{}, errNoAuth
		}
		owner := p.employee(p.webhookUser)
		if owner.blocked { // docs/bitrix24.md 1.15
			return caller{}, errNoAuth
		}
		return caller{user: owner, key: "webhook", scope: p.scope(), token: to.secret}, nil
	}
	var token string
	if f := args.Fold("auth"); f != nil {
		token = f.Value
	}
	who, err := p.tokens.check(token, p.clock.now())
	if err != nil {
		return caller{}, err
	}
	if !p.app.isInstalled() {
		return caller{}, errNotInstalled
	}
	u := p.employee(who)
	if u == nil || u.blocked {
		return caller{}, errUserBlocked
	}
	return caller{user: u, app: true, key: p.app.identity().clientID, scope: p.scope(), token: token}, nil
}
