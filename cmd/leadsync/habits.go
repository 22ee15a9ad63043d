package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// accustomed reads what people type because other programs take it: -v, -?, and help before a command.
func accustomed(args []string) []string {
	if len(args) == 1 {
		switch args[0] {
		case "--version", "-version", "-v", "-V":
			return []string{"version"}
		case "-help", "-?", "/?":
			return []string{"--help"}
		}
	}
	if len(args) > 0 && args[0] == "help" {
		return append(slices.Clone(args[1:]), "--help")
	}
	return args
}

// habits are commands of other programs, and what does that here.
var habits = []struct{ words, here string }{
	{"status health check info state ping diagnose", "`leadsync doctor` examines the installation, `leadsync portals` lists the portals"},
	{"list ls show portal", "`leadsync portals` lists the portals, `leadsync reconcile history` past passes, `leadsync dead` the leads that were given up"},
	{"sync resync import pull fetch", "`leadsync serve` imports and follows every portal by itself, `leadsync reconcile` compares all leads now"},
	{"run start up daemon server", "`leadsync serve` runs the service in this terminal; an installed one is started by `systemctl start leadsync`, on Windows by `leadsync service start`"},
	{"stop restart reload down", "Ctrl-C ends `leadsync serve`; an installed service is restarted by `systemctl restart leadsync`, on Windows by `leadsync service stop` and `leadsync service start`"},
	{"log logs tail journal", "`leadsync serve` writes its log to stderr, which `journalctl -u leadsync` shows of an installed service; `leadsync why PORTAL/LEAD` tells what happened to a lead"},
	{"event events changes follow subscribe", "`leadsync watch` prints changes as they are announced"},
	{"lead leads get history", "`leadsync why PORTAL/LEAD` tells what happened to a lead, `leadsync lookup PHONE` finds leads by telephone number"},
	{"find search phone", "`leadsync lookup PHONE` finds the leads of a telephone number"},
	{"setup install configure wizard", "`leadsync init` asks for what leadsync needs and writes the settings file"},
	{"settings setting env environment", "`leadsync config` shows the settings in force, `leadsync init` writes the file, `leadsync serve --help` lists all"},
	{"connect add register webhook", "`leadsync init` connects the first portal, `leadsync portals add` a further one"},
	{"remove rm delete uninstall", "`leadsync portals remove PORTAL` erases what leadsync keeps of a portal; the program is removed as it was installed, on Windows after `leadsync service uninstall`"},
	{"error errors failed failures queue retry", "`leadsync dead` lists the leads that were given up, `leadsync dead replay` reads them again"},
	{"update upgrade schema", "`leadsync migrate` updates the tables; the program itself is updated as it was installed"},
	{"metrics monitor dashboard ui web console", "`leadsync serve` has the operators' pages and /metrics at LEADSYNC_ADMIN_ADDR, which is http://127.0.0.1:8081 unless it is set"},
	{"test try example", "`leadsync demo` shows leadsync at work without a portal, `leadsync doctor` examines an installation"},
}

// misread explains arguments that were not understood, as lines for a person.
func misread(err error, args []string) string {
	word, command := unexpected(err), "leadsync"
	if group := reached(err, args); group != nil {
		command = group.FullPath()
		if names := commandsOf(group); word != "" && names != "" {
			err = fmt.Errorf("there is no command %s %s, want one of %s", command, word, names)
		}
	} else if instead := here(word); instead != "" {
		err = fmt.Errorf("there is no command %s: %s", word, instead)
	}
	return fmt.Sprintf("leadsync: %v\nTry: %s --help\n", err, command)
}

// reached is the command that was typed before an error, without the one for which it is short; nil is none.
func reached(err error, args []string) *kong.Node {
	parsing := (*kong.ParseError)(nil)
	if !errors.As(err, &parsing) || parsing.Context == nil {
		return nil
	}
	for node := parsing.Context.Selected(); node != nil && node.Parent != nil; node = node.Parent {
		if slices.Contains(args, node.Name) {
			return node
		}
	}
	return nil
}

// commandsOf are the commands of a group, for a sentence; "" where it has none.
func commandsOf(group *kong.Node) string {
	var names []string
	for _, child := range group.Children {
		if !child.Hidden {
			names = append(names, child.Name)
		}
	}
	return strings.Join(names, ", ")
}

// unexpected is the word that is no command, or "". Only the text of kong's error names it.
func unexpected(err error) (word string) {
	if _, other := fmt.Sscanf(err.Error(), "unexpected argument %s", &word); other != nil {
		return ""
	}
	return strings.TrimSuffix(word, ",")
}

// here is what does here what a command does in other programs; "" is unknown.
func here(word string) string {
	for _, h := range habits {
		if slices.Contains(strings.Fields(h.words), word) {
			return h.here
		}
	}
	return ""
}
