package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"leadsync/service"
)

// printHelp prints the help of a command. Where a command alone is short for another one, as
// `leadsync reconcile` is, it has the flags of that one, so their help follows.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	node := ctx.Selected()
	if node == nil || node.DefaultCmd == nil {
		return nil
	}
	fmt.Fprintf(ctx.Stdout, "\n`%s` alone is short for:\n\n", node.FullPath())
	ctx.Path = append(ctx.Path, &kong.Path{Parent: node, Command: node.DefaultCmd, Flags: node.DefaultCmd.Flags})
	return kong.DefaultHelpPrinter(options, ctx)
}

// Help lists the settings below the flags of `leadsync serve`.
func (serveCmd) Help() string {
	var text strings.Builder
	text.WriteString("The service has no flags: environment variables are its settings, all optional. README.md, \"Settings\", says what each means and what it is without a value. They are:\n\n")
	for _, name := range service.SettingNames() {
		text.WriteString("    " + name + "\n")
	}
	return text.String() + "\n`leadsync doctor` examines what is set; the page at LEADSYNC_ADMIN_ADDR shows it, without secrets."
}
