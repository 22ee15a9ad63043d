package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"leadsync/bitrix24"
	"leadsync/doctor"
	"leadsync/guide"
	"leadsync/leads"
	"leadsync/repo"
)

// TryDatabase tries the database of settings that nobody uses yet, and changes nothing. takeOver says that it has the tables of a
// call centre.
func TryDatabase(ctx context.Context, cfg Config, log *slog.Logger) (found []doctor.Finding, takeOver bool) {
	ok := func(words string) doctor.Finding {
		return doctor.Finding{Check: "database", Level: doctor.OK, Found: words}
	}
	fault := func(err error) []doctor.Finding {
		f := unopened(err)
		f.Do = cmp.Or(f.Do, "start the server; check its address, the database's name, login and password")
		return []doctor.Finding{f}
	}
	if file, missing := cfg.MissingDatabase(); missing { // opening would make it
		return []doctor.Finding{ok("the first start creates " + absolute(file))}, false
	}
	if CheckOwner(cfg) != nil && strings.HasPrefix(cfg.DatabaseURL, "sqlite:") { // opening would leave files of this user, who is not the service's
		return []doctor.Finding{{Check: "database", Level: doctor.Unknown, Found: "not looked at: its files belong to the service's user", Do: "run leadsync doctor as that user"}}, false
	}
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	db, err := OpenDatabase(ctx, cfg, log)
	if err != nil {
		return fault(err), false
	}
	defer func() { _ = db.Close() }() // it was only read
	pending, err := db.MigrationPlan(ctx)
	if err != nil {
		return fault(err), false
	}
	if len(pending) == 0 {
		return append(doctor.Run(ctx, []doctor.Check{doctor.CheckDatabase(db)}), strangers(ctx, db)...), false
	}
	if takeOver, err = db.NeedsAdoption(ctx); err != nil {
		return fault(err), false
	}
	found = doctor.Run(ctx, []doctor.Check{doctor.CheckBeforeMigration(db)})
	return append([]doctor.Finding{ok("it answers (" + db.Dialect() + ")")}, found...), takeOver
}

// strangers tells that the database has secrets which the key cannot decrypt: another installation has encrypted them.
func strangers(ctx context.Context, db *repo.DB) []doctor.Finding {
	portals, err := db.Portals(ctx)
	for _, portal := range portals {
		if err == nil {
			_, err = db.Grants(ctx, portal.MemberID)
		}
	}
	if !errors.Is(err, leads.ErrMisconfigured) {
		return nil // what else may be wrong is told where it matters
	}
	return []doctor.Finding{{
		Check: "database", Level: doctor.Warning, Found: "its tokens were encrypted with the key of another installation", Means: "leadsync cannot read them",
		Do: "set LEADSYNC_SECRET_KEY to the key in that installation's settings file, or have each portal authorized again", See: guide.Key.String(),
	}}
}

// openLimit is how long a database may take that is tried or examined.
const openLimit = time.Minute

// unopened is what is wrong with a database that could not be opened or asked, with the advice of its cause; Do is "" where no cause is
// known.
func unopened(err error) doctor.Finding {
	f := doctor.Finding{Check: "database", Level: doctor.Fault, Found: err.Error(), See: guide.DatabaseDown.String()}
	e, advised := errors.AsType[repo.AdvisedError](err)
	switch {
	case withoutEncryption(err):
		f.Found = "the server does not support encryption: with encrypt=disable leadsync connects without"
		f.Do = "give the whole address: sqlserver://user:password@host:1433?database=name&encrypt=disable"
	case advised:
		f.Found, f.Do = e.Unwrap().Error(), e.Advice
	}
	if f = f.Apart(); f.Found == err.Error() {
		f.Found, f.Says = "the database cannot be opened or asked", leads.OneLine(f.Found)
	}
	return f
}

// withoutEncryption tells whether the server cannot encrypt connections. The driver has only these words for it.
func withoutEncryption(err error) bool {
	return strings.Contains(err.Error(), "server does not support encryption")
}

// TryAddress tries the public address, at which nobody need answer yet.
func TryAddress(ctx context.Context, cfg Config) []doctor.Finding {
	return doctor.Run(ctx, []doctor.Check{doctor.CheckAddress(doctor.Address{URL: cfg.PublicURL, Resolve: resolve, HTTP: bitrix24.NewHTTP(), Now: cfg.Now, Early: true})})
}

// TryWebhook asks the inbound webhook what it may do.
func TryWebhook(ctx context.Context, cfg Config) []doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	f := doctor.Finding{Check: "webhook", Level: doctor.OK, Found: "it answers, and may read the CRM"}
	answer, err := bitrix24.NewClient(bitrix24.ClientConfig{Endpoint: cfg.WebhookURL}).Call(ctx, "scope", nil)
	var scope []string
	if err != nil {
		f.Level, f.Found, f.Says, f.Do = doctor.Fault, "it cannot be used", err.Error(), "copy the inbound webhook again, as Bitrix24 shows it"
	} else if json.Unmarshal(answer.Result, &scope) == nil && !slices.Contains(scope, "crm") {
		f.Level, f.Found, f.Do = doctor.Fault, "it may not read the CRM", "give it the permission crm in Bitrix24"
	}
	return []doctor.Finding{f}
}
