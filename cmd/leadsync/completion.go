package main

import (
	"io"

	"github.com/alecthomas/kong"

	"leadsync/leads"
	"leadsync/shell"
)

// completionCmd prints a script.
type completionCmd struct {
	Shell string `arg:"" enum:"${shells}" help:"${shells}."`
}

// Run prints it.
func (c completionCmd) Run(a *app) error {
	script, err := shell.Script(c.Shell)
	if err == nil {
		_, err = io.WriteString(a.stdout, script)
	}
	return err
}

// completeCmd is what the scripts ask.
type completeCmd struct {
	Word  string   `help:"The word at the cursor."`
	Words []string `arg:"" optional:"" passthrough:"" help:"The words before it, the program first."`
}

// Run answers.
func (c completeCmd) Run(a *app, ctx *kong.Context) error {
	return shell.Complete(ctx.Model.Node, c.Words[min(1, len(c.Words)):], c.Word).Write(a.stdout)
}

// manCmd prints the man page, for packages.
type manCmd struct {
	Date string `help:"The day of the page."`
}

// Run prints it.
func (m manCmd) Run(a *app, ctx *kong.Context) error {
	_, err := a.stdout.Write(shell.ManPage(ctx.Model, leads.Version(), m.Date))
	return err
}
