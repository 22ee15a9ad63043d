package emulator

import (
	"fmt"
	"strconv"
	"time"

	"leadsync/bitrix24"
)

// Update saves a newer version of the application: the portal sends ONAPPUPDATE to the
// handlers that bound it, and keeps all handlers (docs/bitrix24.md 2.1, newer edition).
func (p *Portal) Update() {
	p.app.mu.Lock()
	p.app.version = max(1, p.app.version) + 1
	version := p.app.version
	p.app.mu.Unlock()
	pair := p.tokens.pair(users[0].id, p.clock.now())
	for _, b := range p.bindings.of("ONAPPUPDATE") {
		p.deliver(&notice{event: "ONAPPUPDATE", by: users[0].id, to: b, pair: &pair, data: [][2]string{
			{"VERSION", strconv.Itoa(version)},
			{"PREVIOUS_VERSION", strconv.Itoa(version - 1)},
			{"LANGUAGE_ID", "ru"},
		}})
	}
}

// Uninstall removes the application: its tokens are no longer valid, and its handlers are
// removed after a last ONAPPUNINSTALL. clean says that the administrator wants its data
// deleted (docs/bitrix24.md 1.12). Install installs the same application again; Recreate
// deletes it and adds a new one.
func (p *Portal) Uninstall(clean bool) {
	bound := p.bindings.of("ONAPPUNINSTALL")
	p.app.mu.Lock()
	p.app.installed = false
	p.app.mu.Unlock()
	p.bindings.remove(func(b binding) bool { return !b.webhook })
	flag := "0"
	if clean {
		flag = "1"
	}
	for _, b := range bound {
		p.deliver(&notice{event: "ONAPPUNINSTALL", to: b, noToken: true, data: [][2]string{{"LANGUAGE_ID", "ru"}, {"CLEAN", flag}}})
	}
}

// Recreate deletes the local application and adds it again. It then has another client id,
// secret and application_token for good, and the portal sends its ONAPPINSTALL before anybody
// has seen them (docs/bitrix24.md 1.7, 1.8). An empty address keeps the stored one.
func (p *Portal) Recreate(eventsURL, redirectURL string) {
	p.Uninstall(true)
	p.app.renew()
	p.app.mu.Lock()
	if eventsURL == "" {
		eventsURL = p.app.eventsURL
	}
	p.app.mu.Unlock()
	p.Install(eventsURL, redirectURL)
}

// UserReady sends ONAPPUSERREADY, with tokens of the application's system user, to the
// address of the installation (docs/bitrix24.md 1.13).
func (p *Portal) UserReady() {
	p.app.mu.Lock()
	address := p.app.eventsURL
	p.app.mu.Unlock()
	if address == "" {
		return
	}
	p.bindings.add(binding{event: "ONAPPUSERREADY", handler: address})
	now := p.clock.now()
	system, pair := p.tokens.pair(systemUser, now), p.tokens.pair(users[0].id, now)
	for _, b := range p.bindings.of("ONAPPUSERREADY") {
		p.deliver(&notice{event: "ONAPPUSERREADY", by: users[0].id, to: b, pair: &pair, data: [][2]string{
			{"access_token", system.access},
			{"refresh_token", system.refresh},
			{"expires_in", strconv.Itoa(int(p.cfg.AccessLife.Seconds()))},
			{"scope", p.scopeText()},
			{"domain", hostOf(p.oauthURL)},
			{"server_endpoint", p.oauthURL + "/rest/"},
			{"client_endpoint", p.portalURL + "/rest/"},
			{"member_id", p.memberID},
			{"user_id", strconv.Itoa(systemUser)},
			{"client_id", p.app.identity().clientID},
			{"status", p.cfg.Status},
			{"LANGUAGE_ID", "ru"},
		}})
	}
}

// ExpireTokens makes all access tokens expire now; refresh tokens stay valid.
func (p *Portal) ExpireTokens() { p.tokens.expire(p.clock.now()) }

// Advance moves the portal's clock forward: buckets leak, tokens expire.
func (p *Portal) Advance(d time.Duration) { p.clock.advance(d) }

// Merge merges the lead drop into the lead keep, as a portal's duplicate control does: keep
// gets its phones and addresses, and drop is deleted. That this sends an update and a
// deletion is a guess (docs/bitrix24.md 10, 10). The error is ErrNoLead.
func (p *Portal) Merge(keep, drop int64) error {
	from := p.store.get(drop)
	if from == nil || p.store.get(keep) == nil || keep == drop {
		return fmt.Errorf("merge of lead %d into %d: %w", drop, keep, ErrNoLead)
	}
	fields := &bitrix24.Form{}
	for which, name := range multiTypes {
		rows := from.multi(which)
		if len(rows) == 0 {
			continue
		}
		list := fields.Add(name, "")
		for _, m := range rows {
			row := list.Add("", "")
			row.Add("VALUE", m.value)
			row.Add("VALUE_TYPE", m.valueType)
		}
	}
	if !p.change(keep, fields, users[0].id, "") || !p.remove(drop, users[0].id, "") {
		return fmt.Errorf("merge of lead %d into %d: %w", drop, keep, ErrNoLead)
	}
	return nil
}
