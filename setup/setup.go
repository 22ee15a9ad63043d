// Package setup asks a person what leadsync needs to know, tries each answer and writes the settings file. Everything can be given
// without a person, too. It must not know how an answer is tried, nor what else a service does.
package setup

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"leadsync/doctor"
	"leadsync/leads"
	"leadsync/service"
	"leadsync/settings"
	"leadsync/winservice"
)

// Answers are what is asked for. What is empty is asked for, or left out.
type Answers struct {
	Database     string // an address of LEADSYNC_DATABASE_URL; "sqlite" is a file in the data directory
	DataDir      string
	PublicURL    string
	Portal       string // host or member_id of the portal that may install; "" is the first one
	ClientID     string
	ClientSecret string
	Webhook      string // the inbound webhook, instead of an application
	WebhookToken string // the outgoing one's
	MemberID     string // of the webhook's portal
	Others       map[string]string
}

// Terminal is a person.
type Terminal interface {
	// Ask shows a question and reads a line.
	Ask(ctx context.Context, question string) (string, error)
	// AskSecret does not show what is typed.
	AskSecret(ctx context.Context, question string) (string, error)
}

// Trials try answers, and change nothing.
type Trials struct {
	Database func(ctx context.Context, cfg service.Config) (found []doctor.Finding, takeOver bool)
	Address  func(ctx context.Context, cfg service.Config) []doctor.Finding
	Webhook  func(ctx context.Context, cfg service.Config) []doctor.Finding
}

// Config is a set-up.
type Config struct {
	Given    Answers
	Person   Terminal // nil where nobody can be asked
	Language string   // of questions: language.English or language.Russian
	DataDir  string   // the data directory where neither Given nor a former file names one
	Output   string   // the file
	Standard bool     // it is the one that commands read by themselves
	Force    bool     // an existing file is replaced
	Untried  bool     // answers are checked, and not tried
	Unit     bool     // a systemd unit starts the service
	Owner    string   // the user to whom the file is to belong; "" is who runs this
	Trials   Trials
	Out      io.Writer
	Paint    func(doctor.Level, string) string // colours what a trial found; nil does not
}

// Errors that a user mends by other flags.
var (
	// ErrExists says that there is a settings file already.
	ErrExists = errors.New("there is a settings file already")
	// ErrAnswer says that an answer that was given is wrong.
	ErrAnswer = errors.New("a wrong answer")
)

// setup is one under way.
type setup struct {
	Config

	answers       map[string]string // by the name of the setting
	former        map[string]string // what the file has that is replaced; nil where there is none
	formerAt      func(name string) string
	formerWebhook string   // its webhook, also where that is in a file of its own
	old           string   // the name of the former file afterwards
	foreign       []string // its lines that are not leadsync's
	tried         login    // the last answers about SQL Server
	takeOver      bool     // the database has a call centre's tables
	closed        bool     // nobody but administrators and the service can read the file on Windows
}

// Run asks, tries, writes the file and says what comes next.
func Run(ctx context.Context, cfg Config) error {
	var err error
	if cfg.Output, err = filepath.Abs(cfg.Output); err != nil {
		return fmt.Errorf("the settings file: %w", err)
	}
	s := &setup{Config: cfg, answers: map[string]string{}}
	if _, err := os.Lstat(cfg.Output); err == nil && !cfg.Force {
		return fmt.Errorf("%s: %w, want another name by --output, or --force to replace it", cfg.Output, ErrExists)
	}
	if cfg.Force {
		if err := s.readFormer(); err != nil {
			return err
		}
	}
	for name, value := range cfg.Given.Others {
		s.put(name, value)
	}
	data, err := filepath.Abs(cmp.Or(s.Given.DataDir, s.former["LEADSYNC_DATA_DIR"], s.DataDir))
	if err != nil {
		return fmt.Errorf("the data directory: %w", err)
	}
	s.answers["LEADSYNC_DATA_DIR"] = data
	if s.answers["LEADSYNC_SECRET_KEY"]+s.answers["LEADSYNC_SECRET_KEY"+settings.FileSuffix] == "" {
		s.answers["LEADSYNC_SECRET_KEY"] = newKey()
	}
	if _, err := s.check(); err != nil { // nobody should be asked before that is mended
		return err
	}
	if cfg.Person != nil {
		s.say("leadsync's settings are asked for and tried one after the other; Ctrl-C ends this, and nothing is written.")
	}
	for _, step := range []func(context.Context) error{s.database, s.publicURL, s.portal} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if _, err := s.check(); err != nil {
		return err
	}
	if err := s.write(); err != nil {
		return err
	}
	s.next()
	return nil
}

// newKey is a value for LEADSYNC_SECRET_KEY.
func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // it never fails
	return base64.StdEncoding.EncodeToString(key)
}

// check reads the answers as the service will.
func (s *setup) check() (service.Config, error) {
	var lines []string
	for name, value := range s.answers {
		lines = append(lines, name+"="+value)
	}
	values, faults := settings.Read(settings.Sources{Environment: lines})
	cfg, err := service.ReadConfig(values.Lookup)
	if err := errors.Join(faults, settings.Located(err, s.from)); err != nil {
		return cfg, fmt.Errorf("%w:\n%w", ErrAnswer, err)
	}
	return cfg, nil
}

// try sets an answer and tries it. Where it does not work, a person may keep it; without one that is an error, unless
// the trial cannot know yet.
func (s *setup) try(ctx context.Context, name, value string, early bool, trial func(context.Context, service.Config) []doctor.Finding) (ok bool, err error) {
	before := maps.Clone(s.answers)
	if value != "" {
		s.put(name, value)
	} else {
		s.answers[name] = ""
	}
	defer func() {
		if !ok {
			s.answers = before
		}
	}()
	cfg, err := s.check()
	switch {
	case err != nil && s.Person == nil:
		return false, err
	case err != nil:
		s.say("  %s", err)
		return false, nil
	case s.Untried || value == "" && name != "LEADSYNC_DATABASE_URL":
		return true, nil
	}
	found := trial(ctx, cfg)
	if err := doctor.Write(s.Out, found, s.Paint); err != nil {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	switch {
	case doctor.Healthy(found):
		return true, nil
	case s.Person != nil:
		return s.yes(ctx, "Something does not work yet (see «fault»). Keep this answer?")
	case early:
		return true, nil
	}
	return false, fmt.Errorf("%s: does not work, nothing is written; --skip-checks writes it untried", name)
}

// write writes the file for its owner alone. One that is there is replaced as a whole.
func (s *setup) write() error {
	var err error
	if s.closed, err = makeFolder(filepath.Dir(s.Output), s.Standard); err != nil {
		return fmt.Errorf("make the folder of the settings file: %w", err)
	}
	f, err := s.create()
	if err != nil {
		return fmt.Errorf("write the settings file: %w", err)
	}
	_, err = f.WriteString(s.text())
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = give(f.Name(), s.Owner)
	}
	if err == nil {
		err = s.saveFormer()
	}
	if err == nil {
		err = os.Rename(f.Name(), s.Output)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the settings file %s: %w", s.Output, err), ignoreMissing(os.Remove(f.Name())))
	}
	return nil
}

// create makes a file that its owner alone can read: the settings file, or one that replaces it.
func (s *setup) create() (*os.File, error) {
	if s.Force {
		return os.CreateTemp(filepath.Dir(s.Output), ".leadsync-*.env")
	}
	return os.OpenFile(s.Output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // nobody's that was made meanwhile
}

func ignoreMissing(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// text is the file, in the order of the documentation.
func (s *setup) text() string {
	var text strings.Builder
	text.WriteString("# Settings of leadsync, written by `leadsync init`. They have secrets: only leadsync's user may read this file.\n# Keep a copy of LEADSYNC_SECRET_KEY elsewhere: without it leadsync cannot read the tokens in the database.\n# `leadsync serve --help` lists all settings, `leadsync config show` what is in force.\n")
	for _, group := range settings.Groups {
		first := true
		for _, setting := range group.Settings {
			for _, name := range []string{setting.Name, setting.Name + settings.FileSuffix} {
				value := s.answers[name]
				if value == "" {
					continue
				}
				if first {
					fmt.Fprintf(&text, "\n# %s\n", group.Title)
					first = false
				}
				text.WriteString(settings.Line(name, value) + "\n")
			}
		}
	}
	if len(s.foreign) > 0 {
		text.WriteString("\n# Not leadsync's, from the former file\n" + strings.Join(s.foreign, "\n") + "\n")
	}
	return text.String()
}

// form prints what Bitrix24's form asks for.
func (s *setup) form() {
	if public := s.answers["LEADSYNC_PUBLIC_URL"]; public != "" {
		public = strings.TrimRight(public, "/")
		s.say(formText, public+leads.RedirectPath, public+leads.CallbackPath)
	}
}

// next says what a person does next.
func (s *setup) next() {
	if readers := s.readers(runtime.GOOS); readers != "" {
		s.say("\nWritten: %s, readable by %s only.", s.Output, readers)
	} else {
		s.say("\nWritten: %s. Its folder decides who can read it: want administrators and leadsync's account only.", s.Output)
	}
	switch {
	case s.keepsKey():
		s.say("kept LEADSYNC_SECRET_KEY; the former file is %s", s.old)
	case s.former != nil:
		s.say("the former file is %s", s.old)
	}
	s.say("Keep a copy of LEADSYNC_SECRET_KEY elsewhere: without it leadsync cannot read the tokens in the database.")
	if s.has(webhookURL) {
		if public := s.answers["LEADSYNC_PUBLIC_URL"]; public != "" {
			s.say("The outgoing webhook in Bitrix24 calls this address:\n  %s", strings.TrimRight(public, "/")+leads.CallbackPath)
		}
	} else if s.Person == nil { // who was asked has seen it
		s.form()
	}
	named := ""
	if !s.Standard {
		named = " --config " + s.Output
	}
	s.say("\nNext:")
	leadsync := s.asOwner("leadsync")
	if s.takeOver {
		s.say("  %s", leadsync+" migrate --plan"+named)
		s.say("  %s", leadsync+" migrate"+named)
	}
	for _, command := range s.starts(runtime.GOOS, named, winservice.Installed()) {
		s.say("  %s", command)
	}
	s.nextForm()
	s.say("  %s", leadsync+" doctor"+named)
}

// nextForm says what is left to do for the form of the local application.
func (s *setup) nextForm() {
	switch {
	case s.has(webhookURL):
	case !s.has("LEADSYNC_PUBLIC_URL"): // the form asks for addresses below it
		s.say("  set LEADSYNC_PUBLIC_URL in the file and restart leadsync: the form of the local application in Bitrix24 needs that address")
	case s.has("LEADSYNC_B24_CLIENT_ID") && s.has("LEADSYNC_B24_CLIENT_SECRET"):
		s.say("  save the form of the local application in Bitrix24 while leadsync runs")
	default:
		s.say("  save the form of the local application in Bitrix24, then put client_id and client_secret into the file and restart leadsync within the hour")
	}
}

// asOwner is a command as the user of the service where there is one: leadsync refuses to work as root in that user's directory.
func (s *setup) asOwner(command string) string {
	if s.Owner == "" {
		return command
	}
	return "sudo -u " + s.Owner + " " + command
}

// starts are the commands that start what is set up. On Windows a person at a terminal is no service, and the account of the
// service cannot read a file elsewhere.
func (s *setup) starts(system, named string, installed bool) []string {
	switch {
	case system == onWindows && s.Standard && installed:
		return []string{"leadsync service start"}
	case system == onWindows && s.Standard:
		return []string{"leadsync service install", "leadsync service start"}
	case s.Unit:
		return []string{"systemctl enable --now leadsync"}
	}
	return []string{s.asOwner("leadsync serve" + named)}
}

// readers are who can read the file; "" where its mode does not say, as on Windows.
func (s *setup) readers(system string) string {
	switch {
	case system == onWindows && s.closed:
		return s.words("administrators and the service")
	case system == onWindows:
		return ""
	case s.Owner != "":
		return s.Owner
	}
	return s.words("you")
}
