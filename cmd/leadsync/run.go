package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"time"

	"leadsync/guide"
	"leadsync/leads"
	"leadsync/service"
	"leadsync/shell"
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
	called         string   // the program, as it was called
	environment    []string // NAME=value
	settings       string   // the file that is read without --config, if it is there; "" is none
	stdin          io.Reader
	stdout, stderr io.Writer
	zone           func(*time.Location) // takes the time zone of a settings file; nil leaves it alone
}

// app is what every command gets.
type app struct {
	surroundings

	named string           // the settings file of --config; "" where none is named
	wait  *service.Waiting // says what takes long; nil where JSON is wanted
}

type cli struct {
	Config string `placeholder:"FILE" complete:"file" help:"Settings file of lines NAME=value; the environment wins. Otherwise ${settings_file}, if it is there. «none» reads no file."`

	Demo      demoCmd      `cmd:"" help:"Watch leads travel from an emulated portal into SQL and out on a topic." example:"leadsync demo --leads 500 --for 10s" more:"README.md"`
	Init      initCmd      `cmd:"" help:"Ask for what leadsync needs, try it and write the settings file." example:"leadsync init --database 'sqlserver://user:password@host:1433?database=oktell' --public-url https://leads.example.com" more:"docs/install.md"`
	Serve     serveCmd     `cmd:"" help:"Run the service: take callbacks, mirror leads, announce changes." example:"leadsync serve --config leadsync.env" more:"docs/settings.md"`
	Emulator  emulatorCmd  `cmd:"" help:"Run an emulated Bitrix24 portal, with its authorization server." example:"leadsync emulator --leads 200" more:"bitrix24/emulator/FIDELITY.md"`
	Migrate   migrateCmd   `cmd:"" help:"Create or update the tables." example:"leadsync migrate --plan" more:"docs/sqlserver.md"`
	Reconcile reconcileCmd `cmd:"" help:"Compare every lead of the portal with the mirror and repair what differs."`
	Portals   portalsCmd   `cmd:"" help:"List, show, add, rebind or remove portals."`
	Lookup    lookupCmd    `cmd:"" help:"Find the leads of a telephone number." example:"leadsync lookup +79123456789" more:"docs/callcentre.md"`
	Why       whyCmd       `cmd:"" help:"Tell what happened to a lead, and why: callbacks, reads, rows, announcements, passes, outages." example:"leadsync why company.bitrix24.ru/17 --since 30d" more:"docs/why.md"`
	Republish republishCmd `cmd:"" help:"Make the topic equal to the tables, after NATS or the database was lost or restored." example:"leadsync republish --portal company.bitrix24.ru" more:"docs/subscribing.md"`
	Watch     watchCmd     `cmd:"" help:"Print changes of leads as they are announced." example:"leadsync watch --from-start" more:"docs/subscribing.md"`
	Dead      deadCmd      `cmd:"" help:"List, show, replay or drop notices that leadsync gave up."`
	Backup    backupCmd    `cmd:"" help:"Copy the SQLite database of a service, also while it runs." example:"leadsync backup /var/backups/leadsync" more:"docs/operations.md#backup"`
	Doctor    doctorCmd    `cmd:"" help:"Examine the installation: what works, what does not, what it means and what to do." example:"leadsync doctor" more:"docs/trouble.md"`
	Settings  configCmd    `cmd:"" name:"config" help:"Show the settings in force and where each comes from."`
	Service   serviceCmd   `cmd:"" help:"Install, start or stop leadsync as a service of Windows."`
	Version   versionCmd   `cmd:"" help:"Print the version." example:"leadsync version" more:"docs/operations.md"`

	NATSAccounts natsAccountsCmd `cmd:"" name:"nats-accounts" help:"Print the accounts block for a NATS server of your own, with a subscriber for each name." example:"leadsync nats-accounts billing reports" more:"docs/subscribing.md"`

	Completion  completionCmd  `cmd:"" help:"Print a script that has a shell complete commands, flags and their values." example:"leadsync completion bash >>~/.bashrc" more:"docs/commands.md"`
	Complete    completeCmd    `cmd:"" name:"__complete" hidden:"" help:"Say what may stand at the cursor; the scripts of completion ask this."`
	Man         manCmd         `cmd:"" hidden:"" help:"Print the man page; for packages."`
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
	args = accustomed(args)
	command, err := parser.Parse(args)
	if unfinished := endsAtGroup(err); unfinished != nil {
		if err = unfinished.PrintUsage(false); err == nil {
			return exitOK
		}
	}
	if err != nil {
		fmt.Fprint(s.stderr, misread(err, args))
		return exitUsage
	}
	a := &app{surroundings: s, named: flags.Config}
	if !wantsJSON(command) {
		a.wait = service.NewWaiting(s.stderr)
		defer a.wait.Stop()
		a.stdout, a.stderr = a.wait.Over(s.stdout), a.wait.Over(s.stderr)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(a); err != nil {
		return a.complain(ctx, err)
	}
	return exitOK
}

// wantsJSON tells whether programs read the output: then nothing else is printed.
func wantsJSON(command *kong.Context) bool {
	return slices.ContainsFunc(command.Flags(), func(f *kong.Flag) bool { return f.Name == "json" && command.FlagValue(f) == true })
}

// helpVars are what help texts and defaults name; settings is the file that is read by default.
func helpVars(settings string) kong.Vars {
	return kong.Vars{"settings_file": cmp.Or(settings, "no file"), "virtual_account": winservice.VirtualAccount, "shells": shell.Shells}
}

// complain prints an error once, as a line a person can act on.
func (a *app) complain(ctx context.Context, err error) int {
	var usage usageError
	var asked service.UsageError
	switch {
	case errors.As(err, &usage), errors.As(err, &asked):
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
