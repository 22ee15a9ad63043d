package emulator

import (
	"strconv"
	"strings"
	"sync"
	"time"
)

// user is an employee of the portal.
type user struct {
	id             int
	name, lastName string
	email, gender  string
	admin, blocked bool
}

// users are the portal's employees; the first is the administrator who installs.
var users = [...]user{
	{id: 1, name: "Анна", lastName: "Соколова", email: "sokolova@example.com", gender: "F", admin: true},
	{id: 7, name: "Игорь", lastName: "Крылов", email: "krylov@example.com", gender: "M"},
	{id: 9, name: "Мария", lastName: "Ким", email: "kim@example.com", gender: "F"},
	{id: 12, name: "Klaus", lastName: "Weber", email: "weber@example.com", gender: "M"},
	{id: 15, name: "Олег", lastName: "Третьяк", email: "tretyak@example.com", gender: "M"},
	{id: 512, name: "Система", lastName: "leadsync", email: "", admin: true}, // the application's system user
	{id: 21, name: "Вера", lastName: "Орлова", email: "orlova@example.com", gender: "F", admin: true},
	{id: 33, name: "Пётр", lastName: "Зуев", email: "zuev@example.com", gender: "M", blocked: true}, // dismissed
}

const systemUser = 512

// userIDs lists the users for messages.
func userIDs() string {
	var b strings.Builder
	for i := range users {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(users[i].id))
	}
	return "want one of " + b.String()
}

// employee is a user as Faults.Dismissed and Faults.Demoted leave him; nil if there is none.
func (p *Portal) employee(id int) *user {
	u := userByID(id)
	if u == nil {
		return nil
	}
	f, now := p.Faults(), *u
	now.blocked = now.blocked || id == f.Dismissed
	now.admin = now.admin && id != f.Demoted
	return &now
}

func userByID(id int) *user {
	for i := range users {
		if users[i].id == id {
			return &users[i]
		}
	}
	return nil
}

// app is the local application as its form was saved (docs/bitrix24.md 1.8).
type app struct {
	mu          sync.Mutex
	secrets     *rng
	now         identity
	installed   bool
	version     int
	eventsURL   string // initial installation path
	redirectURL string // handler path
}

// identity is what identifies the application. Deleting the application and adding it again
// gives it a new one (docs/bitrix24.md 1.7).
type identity struct {
	clientID, clientSecret string
	token                  string // application_token
}

// renew gives the application a new identity.
func (a *app) renew() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.now = identity{
		clientID:     "local." + a.secrets.hex(14) + "." + a.secrets.letters(8, "0123456789"),
		clientSecret: a.secrets.letters(50, alphanumeric+"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		token:        a.secrets.hex(32),
	}
}

func (a *app) identity() identity {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now
}

func (a *app) isInstalled() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.installed
}

func (a *app) currentVersion() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return max(1, a.version)
}

func (a *app) redirect() (to string, installed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.redirectURL, a.installed
}

// save stores the form; it returns true the first time. An empty address keeps the stored
// one.
func (a *app) save(eventsURL, redirectURL string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := !a.installed
	a.installed = true
	if a.version == 0 {
		a.version = 1
	}
	if eventsURL != "" {
		a.eventsURL = eventsURL
	}
	if redirectURL != "" {
		a.redirectURL = redirectURL
	}
	return first
}

// scopeText is the scope in the form that tokens and events carry.
func (p *Portal) scopeText() string { return strings.Join(p.cfg.Scope, ",") }

// appInfo is the portal's app.info (docs/bitrix24.md 1.14).
func appInfo(c *call) (answer, error) {
	plan := "std"
	if c.cfg.Enterprise {
		plan = "ent"
	}
	info := object{
		{"ID", 5},
		{"CODE", c.app.identity().clientID},
		{"VERSION", c.app.currentVersion()},
		{"STATUS", c.cfg.Status},
		{"INSTALLED", true},
		{"PAYMENT_EXPIRED", "N"},
		{"DAYS", nil},
		{"LANGUAGE_ID", "ru"},
		{"LICENSE", "ru_" + plan + "250"},
	}
	if !c.cfg.Switches.NoLicense {
		info = append(info, pair{"LICENSE_TYPE", plan + "250"}, pair{"LICENSE_FAMILY", plan})
	}
	return answer{result: info}, nil
}

// serverTime is server.time.
func serverTime(c *call) (answer, error) {
	return answer{result: c.now.In(c.zone).Format(time.RFC3339)}, nil
}

// profile is the short description of the caller.
func profile(c *call) (answer, error) {
	u := c.caller.user
	return answer{result: object{
		{"ID", strconv.Itoa(u.id)},
		{"ADMIN", u.admin},
		{"NAME", u.name},
		{"LAST_NAME", u.lastName},
		{"PERSONAL_GENDER", u.gender},
		{"TIME_ZONE", ""},
		{"TIME_ZONE_OFFSET", 0},
	}}, nil
}

// userAdmin is user.admin: whether the caller may manage applications. Everybody may ask.
func userAdmin(c *call) (answer, error) { return answer{result: c.caller.user.admin}, nil }

// scopeList is scope: what the caller may call, or with full everything there is.
func scopeList(c *call) (answer, error) {
	all := c.caller.scope
	if full := c.text("full"); full != "" && full != "0" && full != "false" {
		all = []string{"crm", "user", "user_brief", "user_basic", "department", "task", "im", "entity", "telephony"}
	}
	names := make(list, len(all))
	for i, s := range all {
		names[i] = s
	}
	return answer{result: names}, nil
}
