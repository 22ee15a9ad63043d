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
		ok, way, err := tryDatabase(ctx, d, address)
		if !ok && err == nil && way != nil && d.person.there() && address != "" && address != asBefore { // one in a file of its own is not ours to change
			ok, err = way.try(ctx, d, address)
		}
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
}

var ways = []way{
	{"certificate", "This machine does not know who has signed the server's certificate. Accept any certificate of this server?", "TrustServerCertificate", "true"},
	{"does not support encryption", "This server cannot encrypt connections. Connect without encryption? Password and leads can then be read on their way", "encrypt", "disable"},
}

// tryDatabase tries an address; other is how it may work all the same, nil where nothing is known.
func tryDatabase(ctx context.Context, d *draft, address string) (ok bool, other *way, err error) {
	a := d.answers.with(databaseURL, address)
	switch address {
	case sqliteFile:
		a = d.answers.without(databaseURL)
	case asBefore: // --set may have put another in its place
		name := databaseURL + settings.FileSuffix
		a = d.answers.with(name, d.former.answers[name])
	}
	ok, err = d.try(ctx, a, trial{name: databaseURL, look: func(ctx context.Context, cfg service.Config) (found []doctor.Finding) {
		found, d.takeOver = d.trials.Database(ctx, cfg)
		for _, f := range found {
			if at := slices.IndexFunc(ways, func(w way) bool { return f.Level == doctor.Fault && strings.Contains(f.Found, w.in) }); at >= 0 {
				other = &ways[at]
			}
		}
		return found
	}})
	return ok, other, err
}

// try tries an address in this way, where the person wants that.
func (w *way) try(ctx context.Context, d *draft, address string) (ok bool, err error) {
	wanted, err := d.person.yes(ctx, w.question)
	if !wanted || err != nil {
		return false, err
	}
	ok, _, err = tryDatabase(ctx, d, withParameter(address, w.parameter, w.value))
	return ok, err
}

func withParameter(address, name, value string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	query := u.Query()
	query.Set(name, value)
	u.RawQuery = query.Encode()
	return u.String()
}
