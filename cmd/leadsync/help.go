package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"leadsync/guide"
	"leadsync/settings"
	"leadsync/shell"
)

// printHelp prints the help of a command. Where a command alone is short for another one, as
// `leadsync reconcile` is, it has the flags of that one, so their help follows.
func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	node := ctx.Selected()
	if node == nil {
		return nil
	}
	if node.DefaultCmd == nil {
		shell.WriteExample(ctx.Stdout, node, guide.Page)
		return nil
	}
	fmt.Fprintf(ctx.Stdout, "\n`%s` alone is short for:\n\n", node.FullPath())
	ctx.Path = append(ctx.Path, &kong.Path{Parent: node, Command: node.DefaultCmd, Flags: node.DefaultCmd.Flags})
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	shell.WriteExample(ctx.Stdout, node.DefaultCmd, guide.Page)
	return nil
}

// endsAtGroup are arguments that end where a command has to follow, as `leadsync` and `leadsync service` do: who types
// that asks what there is. It is nil for every other error.
func endsAtGroup(err error) *kong.Context {
	parsing := (*kong.ParseError)(nil)
	if !errors.As(err, &parsing) || parsing.Context == nil || parsing.Context.Error != nil {
		return nil
	}
	node := parsing.Context.Model.Node
	if selected := parsing.Context.Selected(); selected != nil {
		node = selected
	}
	if len(node.Children) == 0 {
		return nil
	}
	return parsing.Context
}

// Help lists the settings below the flags of `leadsync serve`.
func (serveCmd) Help() string {
	var text strings.Builder
	text.WriteString("The settings of the service are environment variables, or lines NAME=value of the file of --config; all are optional. Where a setting is secret, NAME_FILE names a file with its value. " +
		guide.Page("docs/settings.md") + " says more of each.\n")
	for _, group := range settings.Groups {
		text.WriteString("\n" + group.Title + ":\n\n")
		for _, s := range group.Settings {
			fmt.Fprintf(&text, "    %s\n        %s", s.Name, s.Means)
			if otherwise := cmp.Or(s.Default, strings.ReplaceAll(s.Otherwise, "`", "")); otherwise != "" {
				fmt.Fprintf(&text, " (otherwise: %s)", otherwise)
			}
			if s.Secret {
				text.WriteString("; secret")
			}
			text.WriteString("\n")
		}
	}
	return text.String() + "\n`leadsync config show` shows what is in force, `leadsync doctor` examines it; the page at LEADSYNC_ADMIN_ADDR shows it, without secrets."
}
