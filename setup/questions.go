package setup

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"runtime"
	"strings"

	"leadsync/doctor"
	"leadsync/service"
	"leadsync/settings"
)

// sqliteFile is the answer that means a file in the data directory.
const sqliteFile = "sqlite"

// database asks where leads are kept.
func (s *setup) database(ctx context.Context) error {
	given := s.given("LEADSYNC_DATABASE_URL", s.Given.Database)
	for {
		address, err := given, error(nil)
		if given == "" && s.Person != nil {
			address, err = s.askDatabase(ctx)
		}
		if err != nil {
			return err
		}
		if address == sqliteFile {
			address = ""
			s.put("LEADSYNC_DATABASE_URL", "")
		}
		ok, untrusted, err := s.tryDatabase(ctx, address)
		if !ok && err == nil && untrusted {
			trust, askErr := s.yes(ctx, "This machine does not know who has signed the server's certificate. Accept any certificate of this server?")
			if err = askErr; trust {
				ok, _, err = s.tryDatabase(ctx, withParameter(address, "TrustServerCertificate", "true"))
			}
		}
		if ok || err != nil {
			return err
		}
		given = ""
	}
}

// tryDatabase tries an address; untrusted says that the server's certificate is in the way.
func (s *setup) tryDatabase(ctx context.Context, address string) (ok, untrusted bool, err error) {
	ok, err = s.try(ctx, "LEADSYNC_DATABASE_URL", address, false, func(ctx context.Context, cfg service.Config) (found []doctor.Finding) {
		found, s.takeOver = s.Trials.Database(ctx, cfg)
		for _, f := range found {
			untrusted = untrusted || f.Level == doctor.Fault && strings.Contains(f.Found, "certificate")
		}
		return found
	})
	return ok, untrusted && s.Person != nil, err
}

// askDatabase asks for the parts of an address, so that nobody has to encode a password.
func (s *setup) askDatabase(ctx context.Context) (string, error) {
	host, err := s.askHost(ctx)
	switch {
	case err == nil && host == "" && s.had("LEADSYNC_DATABASE_URL"):
		return s.former["LEADSYNC_DATABASE_URL"], nil
	case err != nil || host == "" || host == sqliteFile:
		return sqliteFile, err
	case strings.Contains(host, ":") && (strings.Contains(host, "://") || strings.HasPrefix(host, "sqlite:")):
		return host, nil // the whole address
	}
	before := s.tried
	name, err := s.ask(ctx, "Name of the database (Enter: %s)", cmp.Or(before.database, "oktell"))
	if err != nil {
		return "", err
	}
	s.tried = login{host: host, database: cmp.Or(name, before.database, "oktell")}
	user, err := s.askUser(ctx, before.user, runtime.GOOS)
	if err != nil || user == "" {
		return sqlServer(host, s.tried.database, nil), err
	}
	question := "Its password (not shown)"
	if user == before.user && before.password != "" {
		question = "Its password (not shown; Enter: the same as before)"
	} else {
		before.password = ""
	}
	password, err := s.Person.AskSecret(ctx, s.words(question)+": ")
	s.tried.user, s.tried.password = user, cmp.Or(password, before.password)
	return sqlServer(host, s.tried.database, url.UserPassword(user, s.tried.password)), err
}

// login is what a person has answered about SQL Server, the default of the next time.
type login struct{ host, database, user, password string }

// askHost asks for the server; "" is the database of the former file, or SQLite.
func (s *setup) askHost(ctx context.Context) (string, error) {
	switch {
	case s.tried.host != "":
		host, err := s.ask(ctx, `SQL Server: its host, host:port or host\instance, or sqlite (Enter: %s)`, s.tried.host)
		return cmp.Or(host, s.tried.host), err
	case s.had("LEADSYNC_DATABASE_URL"):
		return s.ask(ctx, `SQL Server: its host, host:port or host\instance, or sqlite (Enter: the database of the former file)`)
	}
	return s.ask(ctx, `SQL Server: its host, host:port or host\instance (Enter: a SQLite file in %s)`, s.answers["LEADSYNC_DATA_DIR"])
}

// askUser asks for the login; "" is the account of the service, which only Windows has.
func (s *setup) askUser(ctx context.Context, before, system string) (string, error) {
	if before != "" {
		user, err := s.ask(ctx, "Login (Enter: %s)", before)
		return cmp.Or(user, before), err
	}
	if system == onWindows {
		return s.ask(ctx, "Login (Enter: the Windows account under which leadsync runs)")
	}
	for {
		if user, err := s.ask(ctx, "Login of SQL Server"); user != "" || err != nil {
			return user, err
		}
	}
}

// given is what need not be asked for: without a person that is the former file's value, too.
func (s *setup) given(name, flag string) string {
	given := cmp.Or(flag, s.Given.Others[name])
	if s.Person == nil {
		given = cmp.Or(given, s.answers[name])
	}
	return given
}

// withScheme completes an address that was given as a name alone.
func (s *setup) withScheme(address string) string {
	if address == "" || strings.Contains(address, "://") || !strings.Contains(address, ".") {
		return address
	}
	address = "https://" + address
	s.say("  https:// is missing, taken as %s", address)
	return address
}

// sqlServer is the address of a database; user is nil for a Windows log-in.
func sqlServer(host, database string, user *url.Userinfo) string {
	host, instance, _ := strings.Cut(host, `\`)
	if _, _, err := net.SplitHostPort(host); err != nil && instance == "" {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "1433")
	}
	u := url.URL{Scheme: "sqlserver", User: user, Host: host, Path: instance, RawQuery: url.Values{"database": {database}}.Encode()}
	return u.String()
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

// publicURL asks for the address at which Bitrix24 reaches leadsync.
func (s *setup) publicURL(ctx context.Context) error {
	question := s.words("Address at which Bitrix24 reaches leadsync, such as https://leads.example.com (Enter: none yet)")
	if former := s.former["LEADSYNC_PUBLIC_URL"]; former != "" {
		question = s.words("Address at which Bitrix24 reaches leadsync (Enter: %s)", former)
	}
	return s.until(ctx, "LEADSYNC_PUBLIC_URL", s.Given.PublicURL, question, true, func(ctx context.Context, cfg service.Config) []doctor.Finding {
		return s.Trials.Address(ctx, cfg)
	})
}

// until asks for a setting until an answer is kept. Without a person the answer is what is given.
func (s *setup) until(ctx context.Context, name, given, question string, early bool, trial func(context.Context, service.Config) []doctor.Finding) error {
	given = s.given(name, given)
	for {
		answer, err := given, error(nil)
		if given == "" && s.Person != nil {
			answer, err = s.ask(ctx, question)
			answer = cmp.Or(answer, s.former[name])
		}
		if err != nil {
			return err
		}
		if name == "LEADSYNC_PUBLIC_URL" {
			answer = s.withScheme(answer)
		}
		if ok, err := s.try(ctx, name, answer, early, trial); ok || err != nil {
			return err
		}
		given = ""
	}
}

const webhookURL = "LEADSYNC_B24_WEBHOOK_URL"

// portal asks how the portal is connected.
func (s *setup) portal(ctx context.Context) error {
	g := &s.Given
	if g.Webhook == "" && g.Portal == "" && g.ClientID == "" && s.Person != nil {
		question := "The portal's address, such as company.bitrix24.ru, or the whole inbound webhook, if there is one (Enter: the first portal that installs leadsync)"
		if s.had("LEADSYNC_B24_PORTALS") || s.had(webhookURL) {
			question = s.words("The portal's address, or the whole inbound webhook (Enter: as in the former file)")
		}
		answer, err := s.ask(ctx, question)
		if err != nil {
			return err
		}
		if strings.Contains(answer, "/rest/") {
			g.Webhook = answer
		} else {
			g.Portal = hostOf(answer)
		}
	}
	switch {
	case g.Webhook != "":
		return s.webhook(ctx)
	case s.had(webhookURL) && g.Portal == "" && g.ClientID == "":
		if g.WebhookToken != "" {
			s.put("LEADSYNC_B24_APPLICATION_TOKEN", g.WebhookToken)
		}
		s.answers["LEADSYNC_B24_MEMBER_ID"] = cmp.Or(g.MemberID, s.answers["LEADSYNC_B24_MEMBER_ID"])
		return nil
	case s.had(webhookURL): // an application takes its place
		for _, name := range []string{webhookURL, "LEADSYNC_B24_APPLICATION_TOKEN", "LEADSYNC_B24_MEMBER_ID"} {
			s.put(name, "")
		}
	}
	s.answers["LEADSYNC_B24_PORTALS"] = cmp.Or(hostOf(g.Portal), s.answers["LEADSYNC_B24_PORTALS"])
	return s.application(ctx)
}

// hostOf is the host of an address that was copied from a browser, or what was written.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimRight(address, "/")
}

// webhook takes an inbound webhook and the token of an outgoing one.
func (s *setup) webhook(ctx context.Context) error {
	g := s.Given
	token := cmp.Or(g.WebhookToken, s.answers["LEADSYNC_B24_APPLICATION_TOKEN"])
	byFile := s.answers["LEADSYNC_B24_APPLICATION_TOKEN"+settings.FileSuffix] != ""
	for token == "" && !byFile && s.Person != nil {
		answer, err := s.Person.AskSecret(ctx, s.words("The outgoing webhook's token, as Bitrix24 shows it (not shown here)")+": ")
		if err != nil {
			return err
		}
		token = strings.TrimSpace(answer)
	}
	if token != "" {
		s.put("LEADSYNC_B24_APPLICATION_TOKEN", token)
	}
	s.answers["LEADSYNC_B24_MEMBER_ID"] = cmp.Or(g.MemberID, s.answers["LEADSYNC_B24_MEMBER_ID"])
	s.put(webhookURL, g.Webhook) // the token is refused without it
	return s.until(ctx, "LEADSYNC_B24_WEBHOOK_URL", g.Webhook, "The inbound webhook, https://portal/rest/<user>/<secret>/", false, s.Trials.Webhook)
}

// application shows what the form of a local application asks for, and takes what it shows afterwards.
func (s *setup) application(ctx context.Context) error {
	id, secret := s.Given.ClientID, s.Given.ClientSecret
	if id == "" && s.answers["LEADSYNC_B24_CLIENT_ID"] != "" { // by --set, or in the former file
		if secret != "" {
			s.put("LEADSYNC_B24_CLIENT_SECRET", secret)
		}
		s.form()
		return nil
	}
	if id == "" && s.Person != nil {
		var err error
		if s.form(); s.answers["LEADSYNC_PUBLIC_URL"] == "" {
			return nil
		}
		if id, err = s.ask(ctx, "client_id, if the form has shown it already (Enter: later)"); err != nil {
			return err
		}
	}
	for id != "" && secret == "" && s.Person != nil {
		answer, err := s.Person.AskSecret(ctx, "client_secret"+s.words(" (not shown)")+": ")
		if err != nil {
			return err
		}
		secret = strings.TrimSpace(answer)
	}
	s.answers["LEADSYNC_B24_CLIENT_ID"] = id
	if secret != "" {
		s.put("LEADSYNC_B24_CLIENT_SECRET", secret)
	}
	return nil
}

// ask asks for a line.
func (s *setup) ask(ctx context.Context, question string, args ...any) (string, error) {
	answer, err := s.Person.Ask(ctx, s.words(question, args...)+": ")
	return strings.TrimSpace(answer), err
}

// yes asks a question; whatever is not yes is no.
func (s *setup) yes(ctx context.Context, question string) (bool, error) {
	answer, err := s.ask(ctx, question+" [y/N]")
	switch strings.ToLower(answer) {
	case "y", "yes", "д", "да":
		return true, err
	}
	return false, err
}

func (s *setup) say(format string, args ...any) { fmt.Fprintln(s.Out, s.words(format, args...)) }
