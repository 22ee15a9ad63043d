package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"leadsync/guide"
	"leadsync/leads"
	"leadsync/winservice"

	"github.com/alecthomas/kong"
)

// Exit codes, as docs/commands.md promises them.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a wrong flag or a wrong environment: the user can mend it.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// surroundings are what a process finds around it; tests have their own.
type surroundings struct {
	environment    []string // NAME=value
	settings       string   // the file that is read without --config, if it is there; "" is none
	stdin          io.Reader
	stdout, stderr io.Writer
	zone           func(*time.Location) // takes the time zone of a settings file; nil leaves it alone
}

// app is what every command gets.
type app struct {
	surroundings

	named string // the settings file of --config; "" where none is named
}

type cli struct {
	Config string `placeholder:"FILE" help:"Settings file of lines NAME=value; the environment wins. Otherwise ${settings_file}, if it is there. «none» reads no file."`

	Demo      demoCmd      `cmd:"" help:"Watch leads travel from an emulated portal into SQL and out on a topic."`
	Init      initCmd      `cmd:"" help:"Ask for what leadsync needs, try it and write the settings file."`
	Serve     serveCmd     `cmd:"" help:"Run the service: take callbacks, mirror leads, announce changes."`
	Emulator  emulatorCmd  `cmd:"" help:"Run an emulated Bitrix24 portal, with its authorization server."`
	Migrate   migrateCmd   `cmd:"" help:"Create or update the tables."`
	Reconcile reconcileCmd `cmd:"" help:"Compare every lead of the portal with the mirror and repair what differs."`
	Portals   portalsCmd   `cmd:"" help:"List, show, add, rebind or remove portals."`
	Lookup    lookupCmd    `cmd:"" help:"Find the leads of a telephone number."`
	Why       whyCmd       `cmd:"" help:"Tell what happened to a lead, and why: callbacks, reads, rows, announcements, passes, outages."`
	Republish republishCmd `cmd:"" help:"Make the topic equal to the tables, after NATS or the database was lost or restored."`
	Watch     watchCmd     `cmd:"" help:"Print changes of leads as they are announced."`
	Dead      deadCmd      `cmd:"" help:"List, show, replay or drop notices that leadsync gave up."`
	Backup    backupCmd    `cmd:"" help:"Copy the SQLite database of a service, also while it runs."`
	Doctor    doctorCmd    `cmd:"" help:"Examine the installation: what works, what does not, what it means and what to do."`
	Settings  configCmd    `cmd:"" name:"config" help:"Show the settings in force and where each comes from."`
	Service   serviceCmd   `cmd:"" help:"Install, start or stop leadsync as a service of Windows."`
	Version   versionCmd   `cmd:"" help:"Print the version."`

	NATSAccounts natsAccountsCmd `cmd:"" name:"nats-accounts" help:"Print the accounts block for a NATS server of your own, with a subscriber for each name."`

	Healthcheck healthcheckCmd `cmd:"" hidden:"" help:"Check that the service is alive; for containers."`
}

const about = `Keeps Bitrix24 leads in SQL Server (or SQLite) about a second behind the portal, and proves that nothing is missing.

The service is configured by environment variables LEADSYNC_… or a file of them; leadsync serve --help lists them. Without any, everything is embedded under ./data.`

// exit carries kong's wish to end the program, after --help, out of its parser.
type exit int

// run is the whole program: it returns the exit code.
func run(ctx context.Context, args []string, s surroundings) (code int) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exit:
			code = int(r)
		default:
			fmt.Fprintf(s.stderr, "leadsync: internal error: %v\n%s", r, debug.Stack())
			code = exitFailure
		}
	}()
	var flags cli
	parser := kong.Must(&flags, kong.Name("leadsync"), kong.Description(about), kong.UsageOnError(),
		kong.Writers(s.stdout, s.stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}), kong.Help(printHelp), helpVars(s.settings))
	command, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(s.stderr, "leadsync: %v\nTry: leadsync --help\n", err)
		return exitUsage
	}
	a := &app{surroundings: s, named: flags.Config}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(a); err != nil {
		return a.complain(ctx, err)
	}
	return exitOK
}

// helpVars are what help texts and defaults name; settings is the file that is read by default.
func helpVars(settings string) kong.Vars {
	return kong.Vars{"settings_file": cmp.Or(settings, "no file"), "virtual_account": winservice.VirtualAccount}
}

// complain prints an error once, as a line a person can act on.
func (a *app) complain(ctx context.Context, err error) int {
	var usage usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintf(a.stderr, "leadsync: %v\n%s", err, see(err))
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		fmt.Fprintln(a.stderr, "leadsync: stopped")
	default:
		fmt.Fprintf(a.stderr, "leadsync: %v\n%s", err, see(err))
	}
	return exitFailure
}

// see is a line that says where an error is explained; "" where it is not.
func see(err error) string {
	if heading := guide.Of(err); heading != "" {
		return "See " + heading.String() + "\n"
	}
	return ""
}

type versionCmd struct{}

// Run prints the version that the build knows.
func (versionCmd) Run(a *app) error {
	_, err := fmt.Fprintln(a.stdout, "leadsync", leads.Version())
	return err
}
