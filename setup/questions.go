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
	name, err := s.insist(ctx, s.line, s.words("Name of the database (Enter: %s)", cmp.Or(before.database, "oktell")), s.words("SQL Server asks for the database's name"))
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
	password, err := s.insist(ctx, s.hidden, s.words(question), s.words("SQL Server asks for the login's password"))
	s.tried.user, s.tried.password = user, cmp.Or(password, before.password)
	return sqlServer(host, s.tried.database, url.UserPassword(user, s.tried.password)), err
}

// login is what a person has answered about SQL Server, the default of the next time.
type login struct{ host, database, user, password string }

// askHost asks for the server; "" is the database of the former file, or SQLite.
func (s *setup) askHost(ctx context.Context) (string, error) {
	question := s.words(`SQL Server: its host, host:port or host\instance (Enter: a SQLite file in %s)`, s.answers["LEADSYNC_DATA_DIR"])
	switch {
	case s.tried.host != "":
		question = s.words(`SQL Server: its host, host:port or host\instance, or sqlite (Enter: %s)`, s.tried.host)
	case s.had("LEADSYNC_DATABASE_URL"):
		question = s.words(`SQL Server: its host, host:port or host\instance, or sqlite (Enter: the database of the former file)`)
	}
	host, err := s.insist(ctx, s.line, question, s.words("leads need a database; sqlite is a file in %s", s.answers["LEADSYNC_DATA_DIR"]))
	return cmp.Or(host, s.tried.host), err
}

// askUser asks for the login; "" is the account of the service, which only Windows has.
func (s *setup) askUser(ctx context.Context, before, system string) (string, error) {
	if system == onWindows {
		question := s.words("Login (Enter: the Windows account under which leadsync runs)")
		if before != "" {
			question = s.words("Login (Enter: %s; -: the Windows account under which leadsync runs)", before)
		}
		user, err := s.line(ctx, question)
		return cleared(cmp.Or(user, before)), err
	}
	question := s.words("Login of SQL Server")
	if before != "" {
		question = s.words("Login (Enter: %s)", before)
	}
	for {
		user, err := s.insist(ctx, s.line, question, s.words("SQL Server asks for a login"))
		if user = cmp.Or(user, before); user != "" || err != nil {
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
		question = s.words("Address at which Bitrix24 reaches leadsync (Enter: %s; -: none yet)", former)
	}
	given := s.given("LEADSYNC_PUBLIC_URL", s.Given.PublicURL)
	for {
		answer, err := given, error(nil)
		if given == "" && s.Person != nil {
			answer, err = s.line(ctx, question)
			answer = cleared(cmp.Or(answer, s.former["LEADSYNC_PUBLIC_URL"]))
		}
		if err != nil {
			return err
		}
		if ok, err := s.try(ctx, "LEADSYNC_PUBLIC_URL", s.withScheme(answer), true, s.Trials.Address); ok || err != nil {
			return err
		}
		given = ""
	}
}

const (
	clientID     = "LEADSYNC_B24_CLIENT_ID"
	clientSecret = "LEADSYNC_B24_CLIENT_SECRET" //nolint:gosec // the name of a setting
)

// portal asks how the portal is connected.
func (s *setup) portal(ctx context.Context) error {
	g, another := &s.Given, false
	if g.Webhook == "" && g.Portal == "" && g.ClientID == "" && s.Person != nil {
		question := s.words("The portal's address, such as company.bitrix24.ru, or the whole inbound webhook, if there is one (Enter: the first portal that installs leadsync)")
		if s.had("LEADSYNC_B24_PORTALS") || s.had(clientID) || s.had(webhookURL) {
			question = s.words("The portal's address, or the whole inbound webhook (Enter: as in the former file; -: the first portal that installs leadsync)")
		}
		answer, err := s.line(ctx, question)
		if err != nil {
			return err
		}
		another = answer != ""
		if answer == clearing {
			s.answers["LEADSYNC_B24_PORTALS"] = ""
		}
		if answer = cleared(answer); strings.Contains(answer, "/rest/") {
			g.Webhook = answer
		} else {
			g.Portal = hostOf(answer)
		}
	}
	switch {
	case g.Webhook != "":
		return s.webhook(ctx)
	case s.had(webhookURL) && g.Portal == "" && g.ClientID == "" && !another:
		if g.WebhookToken != "" {
			s.put(webhookToken, g.WebhookToken)
		}
		s.answers[memberID] = cmp.Or(g.MemberID, s.answers[memberID])
		return nil
	case s.had(webhookURL): // an application takes its place
		for _, name := range []string{webhookURL, webhookToken, memberID} {
			s.put(name, "")
		}
	}
	s.answers["LEADSYNC_B24_PORTALS"] = cmp.Or(hostOf(g.Portal), s.answers["LEADSYNC_B24_PORTALS"])
	return s.application(ctx, another)
}

// hostOf is the host of an address that was copied from a browser, or what was written.
func hostOf(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" {
		return u.Host
	}
	return strings.TrimRight(address, "/")
}

// application shows what the form of a local application asks for, and takes what it shows afterwards. The former file's
// is that of its portal, and in question where a person has answered another one.
func (s *setup) application(ctx context.Context, another bool) error {
	if s.Person != nil {
		s.form()
	}
	id, secret := s.Given.ClientID, s.Given.ClientSecret
	former := s.answers[clientID]
	if id == "" && s.Person != nil && (former == "" && s.has("LEADSYNC_PUBLIC_URL") || another && s.Given.Others[clientID] == "") {
		question := s.words("client_id, if the form has shown it already (Enter: later)")
		if former != "" {
			question = s.words("client_id of the portal's application (Enter: %s; -: later)", former)
		}
		answer, err := s.line(ctx, question)
		if err != nil {
			return err
		}
		if answer == clearing {
			s.put(clientID, "")
			s.put(clientSecret, "")
			return nil
		}
		id = answer
	}
	for id != "" && id != former && secret == "" && s.Person != nil {
		answer, err := s.insist(ctx, s.hidden, "client_secret"+s.words(" (not shown)"), s.words("a client_id is of use only with its client_secret"))
		if err != nil {
			return err
		}
		secret = strings.TrimSpace(answer)
	}
	s.answers[clientID] = cmp.Or(id, former)
	if secret != "" {
		s.put(clientSecret, secret)
	}
	return nil
}

// clearing is the answer that empties what the former file has.
const clearing = "-"

// cleared is an answer that may be empty.
func cleared(answer string) string {
	if answer == clearing {
		return ""
	}
	return answer
}

// insist asks for what may not be cleared, because of the reason.
func (s *setup) insist(ctx context.Context, ask func(context.Context, string) (string, error), question, reason string) (string, error) {
	for {
		answer, err := ask(ctx, question)
		if strings.TrimSpace(answer) != clearing || err != nil {
			return answer, err
		}
		s.say("  this cannot be cleared: %s", reason)
	}
}

// line asks a question in the person's language.
func (s *setup) line(ctx context.Context, question string) (string, error) {
	answer, err := s.Person.Ask(ctx, question+": ")
	return strings.TrimSpace(answer), err
}

// hidden asks for what is not shown; spaces may be part of a password.
func (s *setup) hidden(ctx context.Context, question string) (string, error) {
	return s.Person.AskSecret(ctx, question+": ")
}

// yes asks a question; whatever is not yes is no.
func (s *setup) yes(ctx context.Context, question string) (bool, error) {
	answer, err := s.line(ctx, s.words(question+" [y/N]"))
	switch strings.ToLower(answer) {
	case "y", "yes", "д", "да":
		return true, err
	}
	return false, err
}

func (s *setup) say(format string, args ...any) { fmt.Fprintln(s.Out, s.words(format, args...)) }
