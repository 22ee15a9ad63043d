package setup

import (
	"cmp"
	"context"
	"net/url"
	"slices"
	"strings"

	"leadsync/doctor"
	"leadsync/service"
	"leadsync/settings"
)

// sqliteFile is the answer that means a file in the data directory.
const sqliteFile = "sqlite"

// asBefore is the answer that means the former file's database, whose address is in a file of its own.
const asBefore = "as before"

// askDatabase asks where leads are kept.
func askDatabase(ctx context.Context, d *draft) error {
	q := server{person: d.person, dataDir: d.answers[dataDir], replaces: d.former.answers.has(databaseURL), former: cmp.Or(d.former.answers[databaseURL], asBefore)}
	for address, known := d.known(databaseURL, d.given.Database); ; known = false {
		var err error
		if !known {
			address, err = q.address(ctx)
		}
		if err != nil {
			return err
		}
		ok, err := tryDatabase(ctx, d, d.agreed(address))
		if ok || err != nil {
			return err
		}
	}
}

// way is how leadsync can connect all the same, where the person wants that.
type way struct {
	in               string // what the trial says
	question         string
	parameter, value string // of the address
	advised          bool   // the trial's advice is to do what the question offers
}

var ways = []way{
	{"certificate", "This machine does not know who has signed the server's certificate. Accept any certificate of this server?", "TrustServerCertificate", "true", false},
	{"does not support encryption", "This server cannot encrypt connections. Connect without encryption? Password and leads can then be read on their way", "encrypt", "disable", true},
}

// tryDatabase tries an address. Where that fails and there is another way, the person is asked for it before anything else.
func tryDatabase(ctx context.Context, d *draft, address string) (kept bool, err error) {
	a := d.answers.with(databaseURL, address)
	switch address {
	case sqliteFile:
		a = d.answers.without(databaseURL)
	case asBefore: // --set may have put another in its place
		name := databaseURL + settings.FileSuffix
		a = d.answers.with(name, d.former.answers[name])
	}
	var other *way
	instead := false
	kept, err = d.try(ctx, a, trial{name: databaseURL, look: func(ctx context.Context, cfg service.Config) (found []doctor.Finding) {
		found, d.takeOver = d.trials.Database(ctx, cfg)
		if d.person.there() {
			other = wayFor(found, address)
		}
		return found
	}, instead: func(ctx context.Context) (wanted bool, err error) {
		if other != nil {
			instead, err = d.person.yes(ctx, other.question)
		}
		return instead, err
	}})
	if instead && err == nil {
		d.ways[serverOf(address)] = append(d.ways[serverOf(address)], *other)
		return tryDatabase(ctx, d, withParameter(address, other.parameter, other.value))
	}
	return kept, err
}

// wayFor is the other way to connect to an address, nil where nothing is known. The question takes the place of advice that says
// the same.
func wayFor(found []doctor.Finding, address string) *way {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "sqlserver" { // one in a file of its own is not ours to change
		return nil
	}
	for i, f := range found {
		at := slices.IndexFunc(ways, func(w way) bool {
			return f.Level == doctor.Fault && strings.Contains(f.Found+f.Says, w.in) && u.Query().Get(spelt(u, w.parameter)) != w.value
		})
		if at < 0 {
			continue
		}
		if ways[at].advised {
			found[i].Do = ""
		}
		return &ways[at]
	}
	return nil
}

// agreed is an address with the ways that the person wants for its server, unless the address itself says how to connect: another
// fault may have it typed again.
func (d *draft) agreed(address string) string {
	for _, w := range d.ways[serverOf(address)] {
		if u, err := url.Parse(address); err == nil && !u.Query().Has(spelt(u, w.parameter)) {
			d.person.say("  with %s=%s, as you answered for this server", w.parameter, w.value)
			address = withParameter(address, w.parameter, w.value)
		}
	}
	return address
}

// serverOf is the server of an address, however that is written; "" where there is none.
func serverOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "sqlserver" {
		return ""
	}
	return strings.ToLower(u.Hostname() + ":" + cmp.Or(u.Port(), "1433") + strings.TrimSuffix(u.Path, "/"))
}

// spelt is the name of a parameter as the address has it: the driver takes it in any case, and refuses it twice.
func spelt(u *url.URL, parameter string) string {
	for name := range u.Query() {
		if strings.EqualFold(name, parameter) {
			return name
		}
	}
	return parameter
}

func withParameter(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Del(spelt(u, name))
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}
