package shell

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// ManPage is the page for man, of a program's version and day. Two calls make the same bytes.
func ManPage(app *kong.Application, version, day string) []byte {
	var page strings.Builder
	fmt.Fprintf(&page, "%% %s 1 %q %q\n\n# NAME\n\n%s - %s\n\n", strings.ToUpper(app.Name), day, app.Name+" "+version, app.Name, firstSentence(app.Help))
	fmt.Fprintf(&page, "# SYNOPSIS\n\n**%s** *COMMAND* [*FLAG*...]\n\n# DESCRIPTION\n\n%s\n\n", app.Name, plain(app.Help))
	page.WriteString("# FLAGS OF EVERY COMMAND\n\n")
	writeFlags(&page, app.Flags)
	page.WriteString("# COMMANDS\n\n")
	for _, node := range app.Leaves(true) {
		writeCommand(&page, app, node)
	}
	page.WriteString("# EXIT STATUS\n\n**0**\n: success\n\n**1**\n: failure\n\n**2**\n: wrong usage or settings\n\n")
	page.WriteString("# ENVIRONMENT\n\n**leadsync serve --help** lists the settings. **NO_COLOR**, set to anything, switches colours off.\n\n")
	fmt.Fprintf(&page, "# FILES\n\nThe pages named here are below **/usr/share/doc/%s** if a package installed %[1]s, and in its archive beside the program.\n", app.Name)
	plainDots := strings.ReplaceAll(page.String(), "…", "...") // a terminal without UTF-8 shows nothing instead of …
	return md2man.Render([]byte(plainDots))
}

func writeCommand(page *strings.Builder, app *kong.Application, node *kong.Node) {
	fmt.Fprintf(page, "### %s\n\n%s\n\n", plain(CommandLine(app, node)), plain(node.Help))
	writeFlags(page, node.Flags)
	if example := Example(node); example != "" {
		fmt.Fprintf(page, "Example:\n\n    %s\n\n", example)
	}
	if more := More(node); more != "" {
		fmt.Fprintf(page, "More: %s\n\n", plain(more))
	}
}

func writeFlags(page *strings.Builder, flags []*kong.Flag) {
	for _, flag := range flags {
		if !flag.Hidden {
			fmt.Fprintf(page, "**%s**\n: %s\n\n", plain(strings.TrimSpace(flag.String())), plain(flag.Help))
		}
	}
}

// CommandLine is what a person types: a command alone may be short for one below it.
func CommandLine(app *kong.Application, node *kong.Node) string {
	name := node.Path()
	if node.Parent != nil && node.Parent.DefaultCmd == node {
		name = node.Parent.Path()
	}
	words := []string{app.Name, name}
	for _, arg := range node.Positional {
		words = append(words, arg.Summary())
	}
	return strings.Join(words, " ")
}

func firstSentence(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	return plain(strings.TrimSuffix(first, "."))
}

var marks = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|]")

// plain is a text whose marks mean nothing to Markdown.
func plain(text string) string { return marks.ReplaceAllString(text, `\$0`) }
