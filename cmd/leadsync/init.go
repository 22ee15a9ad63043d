package main

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/service"
	"leadsync/settings"
	"leadsync/setup"
)

type initCmd struct {
	Database     string            `placeholder:"ADDRESS" help:"sqlserver://user:password@host:1433?database=name, sqlite:FILE, or sqlite for a file in the data directory."`
	PublicURL    string            `name:"public-url" placeholder:"URL" help:"Address at which Bitrix24 reaches leadsync."`
	Portal       string            `placeholder:"HOST" help:"The portal that may install leadsync, by its host or its member_id; otherwise the first one that does."`
	ClientID     string            `name:"client-id" help:"client_id of the local application, where Bitrix24 has shown it already."`
	ClientSecret string            `name:"client-secret" help:"Its client_secret."`
	Webhook      string            `placeholder:"URL" help:"The complete inbound webhook, instead of an application."`
	WebhookToken string            `name:"webhook-token" help:"The outgoing webhook's application token."`
	MemberID     string            `name:"member-id" help:"The member_id of the webhook's portal."`
	DataDir      string            `name:"data-dir" placeholder:"DIR" complete:"dir" help:"The data directory; it is written as a whole path."`
	Set          map[string]string `placeholder:"NAME=VALUE" mapsep:"none" help:"Another setting; may be repeated."`
	Output       string            `placeholder:"FILE" complete:"file" help:"The settings file; otherwise the one that commands read by themselves where root runs this, and ./leadsync.env where another user does."`
	Force        bool              `help:"Replace a file that is there. What no flag says stays as it was; the former file is kept as FILE.old, or FILE.old.2 and so on where there is one."`
	SkipChecks   bool              `name:"skip-checks" help:"Try nothing: write answers also where database, address or webhook do not work yet. leadsync doctor tries them later."`
	Yes          bool              `help:"Ask nothing: what no flag says has its default."`
	Lang         string            `enum:"en,ru," default:"" placeholder:"en|ru" help:"Language of the questions; otherwise that of the locale."`
}

// Run asks, tries and writes.
func (i initCmd) Run(ctx context.Context, a *app) error {
	cfg := i.config(a)
	if screen := setup.OpenScreen(a.stdin, a.stdout); screen != nil && !i.Yes {
		cfg.Person = screen
	}
	if cfg.Person == nil && !i.Yes && i.Database == "" {
		return usageError{errors.New(language.Say(cfg.Language, "init asks in a terminal; elsewhere say what is to be written by --database, --public-url and so on, or take the defaults by --yes"))}
	}
	err := setup.Run(ctx, cfg)
	if errors.Is(err, setup.ErrExists) || errors.Is(err, setup.ErrAnswer) {
		return usageError{err}
	}
	return err
}

func (i initCmd) config(a *app) setup.Config {
	output := i.Output
	if output == "" && a.named != noFile {
		output = a.named
	}
	if output == "" && a.settings != "" && writable(a.settings) {
		output = a.settings
	}
	output = cmp.Or(output, "leadsync.env")
	data := "data"
	if output == a.settings {
		data = setup.DataDir(output)
	}
	owner, lang := setup.ServiceUser(), cmp.Or(i.Lang, setup.Locale(a.lookup))
	log := service.NewLog(a.stderr, service.Config{LogFormat: "text"})
	return setup.Config{
		Given: setup.Answers{
			Database: i.Database, DataDir: i.DataDir, PublicURL: i.PublicURL, Portal: i.Portal, ClientID: i.ClientID, ClientSecret: i.ClientSecret,
			Webhook: i.Webhook, WebhookToken: i.WebhookToken, MemberID: i.MemberID, Others: i.Set,
		},
		Language: lang, DataDir: data, Output: output, Standard: output == a.settings, Force: i.Force, Untried: i.SkipChecks, Out: a.stdout, Style: a.style(lang),
		Unit: output == a.settings && setup.HasUnit("/"), Program: setup.Program(a.called), Owner: owner, AsOwner: settings.AsUser(owner, exec.LookPath),
		Trials: setup.Trials{
			Database: func(ctx context.Context, cfg service.Config) ([]doctor.Finding, bool) {
				defer a.trying(lang, "Trying the database")()
				return service.TryDatabase(ctx, cfg, log)
			},
			Address: func(ctx context.Context, cfg service.Config) []doctor.Finding {
				defer a.trying(lang, "Trying the address")()
				return service.TryAddress(ctx, cfg)
			},
			Webhook: func(ctx context.Context, cfg service.Config) []doctor.Finding {
				defer a.trying(lang, "Trying the webhook")()
				return service.TryWebhook(ctx, cfg)
			},
			Data: service.CheckServiceOwner,
		},
	}
}

// trying says what init tries, until it is called.
func (a *app) trying(lang, what string) func() {
	a.wait.Speak(lang)
	a.wait.Begin(language.Say(lang, what))
	return func() { a.wait.Begin("") }
}

// lookup is the environment.
func (a *app) lookup(name string) (string, bool) {
	for _, variable := range a.environment {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// writable tells whether this user may make a file.
func writable(path string) bool {
	_, err := os.Stat(path)
	f, openErr := os.CreateTemp(filepath.Dir(path), ".leadsync-*")
	if openErr != nil {
		return err == nil || errors.Is(openErr, fs.ErrNotExist) && os.Geteuid() <= 0 // Windows' folder, which an administrator makes
	}
	_ = errors.Join(f.Close(), os.Remove(f.Name())) // it was only tried
	return true
}
