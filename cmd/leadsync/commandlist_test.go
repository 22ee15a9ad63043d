package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"leadsync/docs/docstest"
	"leadsync/shell"
)

// parserOf is the parser of the command line, without what makes it end the process.
func parserOf(t *testing.T) *kong.Kong {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("leadsync"), helpVars("/etc/leadsync.env"), kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	return parser
}

// The page of commands has every command and every flag, as the help has them.
func TestPageListsEveryCommand(t *testing.T) {
	t.Parallel()
	var commands, flags strings.Builder
	commands.WriteString("| command | does |\n|---|---|\n")
	flags.WriteString("| flag | of | meaning |\n|---|---|---|\n")
	meanings := map[[2]string][]string{}
	parser := parserOf(t)
	for _, node := range parser.Model.Leaves(true) {
		commands.WriteString(docstest.Row("`"+shell.CommandLine(parser.Model, node)+"`", node.Help))
		for _, group := range node.AllFlags(true) {
			for _, f := range group {
				key, of := [2]string{strings.TrimSpace(f.String()), f.Help}, "`"+strings.SplitN(shell.CommandLine(parser.Model, node), " <", 2)[0]+"`"
				if slices.Contains(parser.Model.Flags, f) {
					of = "every command"
				}
				if !slices.Contains(meanings[key], of) {
					meanings[key] = append(meanings[key], of)
				}
			}
		}
	}
	keys := make([][2]string, 0, len(meanings))
	for key := range meanings {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int {
		return strings.Compare(a[0]+"\x00"+meanings[a][0], b[0]+"\x00"+meanings[b][0])
	})
	for _, key := range keys {
		flags.WriteString(docstest.Row("`"+key[0]+"`", strings.Join(meanings[key], ", "), key[1]))
	}
	const write = "go test ./cmd/leadsync -run TestPageListsEveryCommand"
	docstest.Generated(t, "../../docs/commands.md", "commands", write, commands.String())
	docstest.Generated(t, "../../docs/commands.md", "flags", write, flags.String())
}
