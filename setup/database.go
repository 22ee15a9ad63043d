package setup

import (
	"cmp"
	"context"
	"net/url"
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
		ok, untrusted, err := tryDatabase(ctx, d, address)
		if !ok && err == nil && untrusted && d.person.there() && address != "" && address != asBefore { // one in a file of its own is not ours to change
			ok, err = trustDatabase(ctx, d, address)
		}
		if ok || err != nil {
			return err
		}
	}
}

// tryDatabase tries an address; untrusted says that the server's certificate is in the way.
func tryDatabase(ctx context.Context, d *draft, address string) (ok, untrusted bool, err error) {
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
			untrusted = untrusted || f.Level == doctor.Fault && strings.Contains(f.Found, "certificate")
		}
		return found
	}})
	return ok, untrusted, err
}

// trustDatabase tries an address without a look at the certificate, where the person wants that.
func trustDatabase(ctx context.Context, d *draft, address string) (ok bool, err error) {
	trust, err := d.person.yes(ctx, "This machine does not know who has signed the server's certificate. Accept any certificate of this server?")
	if !trust || err != nil {
		return false, err
	}
	ok, _, err = tryDatabase(ctx, d, withParameter(address, "TrustServerCertificate", "true"))
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
