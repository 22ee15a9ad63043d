// Package setup asks a person what leadsync needs to know, tries each answer and writes the settings file. Everything can be given
// without a person, too. It must not know how an answer is tried, nor what else a service does.
//
// Run makes a draft, each question adds to it what the court keeps, and next says what to do with the file.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/service"
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
	// Data tells what keeps a service of the user from working in the data directory; "" is who runs this.
	Data func(cfg service.Config, user string) error
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
	Program  string   // how a person calls leadsync here
	Owner    string   // the user to whom the file is to belong; "" is who runs this
	AsOwner  string   // what a command begins with to run as Owner
	Trials   Trials
	Out      io.Writer
	Style    doctor.Style // of what a trial found
}

// Errors that a user mends by other flags.
var (
	// ErrExists says that there is a settings file already.
	ErrExists = errors.New("there is a settings file already: choose another name with --output, or replace it with --force")
	// ErrAnswer says that an answer that was given is wrong.
	ErrAnswer = errors.New("a wrong answer")
)

// Spoken is an error in the language of whoever reads it.
func Spoken(err error, lang string) error { return spokenError{err, lang} }

// spokenError is that error.
type spokenError struct {
	error

	language string
}

func (e spokenError) Error() string { return language.Say(e.language, e.error.Error()) }

// Unwrap returns the error that callers test for.
func (e spokenError) Unwrap() error { return e.error }

// Run asks, tries, writes the file and says what comes next.
func Run(ctx context.Context, cfg Config) (err error) {
	if cfg.Output, err = filepath.Abs(cfg.Output); err != nil {
		return fmt.Errorf("the settings file: %w", err)
	}
	if _, err := os.Lstat(cfg.Output); err == nil && !cfg.Force {
		return fmt.Errorf("%s: %w", cfg.Output, spokenError{ErrExists, cfg.Language})
	}
	d, err := newDraft(cfg)
	if err != nil {
		return err
	}
	if err := d.checkFlags(); err != nil {
		return err
	}
	read, err := d.court.read(d.answers)
	if err == nil && !cfg.Untried {
		err = cfg.Trials.Data(read, cfg.Owner)
	}
	if err != nil { // nobody should be asked before that is mended
		return err
	}
	if d.person.there() {
		d.person.say("leadsync's settings are asked for and tried one after the other; Ctrl-C ends this, and nothing is written.")
	}
	for _, ask := range []func(context.Context, *draft) error{askDatabase, askAddress, askPortal} {
		if err := ask(ctx, d); err != nil {
			return err
		}
	}
	if _, err := d.court.read(d.answers); err != nil {
		return err
	}
	w, err := write(cfg, d)
	if err != nil {
		return err
	}
	next{cfg: cfg, draft: d, written: w}.say()
	return nil
}
