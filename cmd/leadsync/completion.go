package main

import (
	"cmp"
	"context"
	"io"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"leadsync/leads"
	"leadsync/repo"
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

// portalsLimit is how long a person at the tab key waits for a database that is down.
const portalsLimit = 2 * time.Second

// Run answers.
func (c completeCmd) Run(ctx context.Context, a *app, command *kong.Context) error {
	words := c.Words[min(1, len(c.Words)):]
	if len(words) > 0 && words[0] == "help" { // see accustomed
		words = words[1:]
	}
	answer := shell.Complete(command.Model.Node, words, c.Word)
	if answer.Place == shell.Portals {
		a.named = configOf(words)
		answer = answer.Offer(a.portalNames(ctx))
	}
	return answer.Write(a.stdout)
}

// configOf is the settings file that a command line names; bash has the sign = as a word of its own.
func configOf(words []string) (file string) {
	for i, word := range words {
		name, value, joined := strings.Cut(word, "=")
		rest := words[i+1:]
		switch {
		case name != "--config":
		case joined:
			file = value
		case len(rest) > 1 && rest[0] == "=":
			file = rest[1]
		case len(rest) > 0:
			file = rest[0]
		}
	}
	return file
}

// portalNames are the portals of the database; none where it cannot be read, which another command says better.
func (a *app) portalNames(ctx context.Context) (names []shell.Candidate) {
	ctx, cancel := context.WithTimeout(ctx, portalsLimit)
	defer cancel()
	quiet := *a
	quiet.stderr, quiet.wait = io.Discard, nil
	_ = quiet.withDatabase(ctx, func(db *repo.DB) error {
		portals, err := db.Portals(ctx)
		for _, p := range portals {
			names = append(names, shell.Candidate{Word: cmp.Or(p.Domain, p.MemberID), Help: string(p.State)})
		}
		return err
	})
	return names
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
