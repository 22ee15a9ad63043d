package setup

import (
	"runtime"
	"strings"

	"leadsync/leads"
	"leadsync/winservice"
)

// formText is what Bitrix24's form asks for. Like every paragraph it begins with a blank line, and ends without one.
const formText = `
In Bitrix24: Developer resources → Other → Local application
  handler path               %s
  initial installation path  %s
  tick «Uses API only», permission CRM (crm), save.
leadsync must run before you save, and have written «database and NATS are ready»: Bitrix24 calls it at once.`

// sayForm says what Bitrix24's form asks for, where there is an address.
func sayForm(person dialogue, public string) {
	if public != "" {
		public = strings.TrimRight(public, "/")
		person.say(formText, public+leads.RedirectPath, public+leads.CallbackPath)
	}
}

// next says what is written, and what a person does next.
type next struct {
	cfg     Config
	draft   *draft
	written written
}

func (n next) say() {
	n.file()
	if n.draft.answers.has(webhookURL) {
		if public := n.draft.answers[publicURL]; public != "" {
			n.draft.person.say("The outgoing webhook in Bitrix24 calls this address:\n  %s", strings.TrimRight(public, "/")+leads.CallbackPath)
		}
	} else if !n.draft.person.there() { // who was asked has seen it
		sayForm(n.draft.person, n.draft.answers[publicURL])
	}
	n.commands()
}

// file says where the file is, who can read it, and what became of the former one.
func (n next) file() {
	say := n.draft.person.say
	if readers := n.readers(runtime.GOOS); readers != "" {
		say("\nWritten: %s, readable by %s only.", n.cfg.Output, readers)
	} else {
		say("\nWritten: %s. Its folder decides who can read it: want administrators and leadsync's account only.", n.cfg.Output)
	}
	former := n.draft.former
	switch {
	case former.answers.has(secretKey) && former.answers.same(secretKey, n.draft.answers):
		say("kept LEADSYNC_SECRET_KEY; the former file is %s", n.written.old)
	case former.exists():
		say("the former file is %s", n.written.old)
	}
	say("Keep a copy of LEADSYNC_SECRET_KEY elsewhere: without it leadsync cannot read the tokens in the database.")
}

// commands says which commands come next, and what is to be done between them.
func (n next) commands() {
	say := n.draft.person.say
	say("\nNext:")
	if n.draft.takeOver {
		say("  %s", n.command(runtime.GOOS, "migrate --plan"))
		say("  %s", n.command(runtime.GOOS, "migrate"))
	}
	for _, command := range n.starts(runtime.GOOS, winservice.Installed()) {
		say("  %s", command)
	}
	n.form()
	say("  %s", n.command(runtime.GOOS, "doctor"))
}

// form says what is left to do for the form of the local application.
func (n next) form() {
	a, say := n.draft.answers, n.draft.person.say
	switch {
	case a.has(webhookURL):
	case !a.has(publicURL): // the form asks for addresses below it
		again := n.program(runtime.GOOS, "init --force")
		if !n.cfg.Standard {
			again += " --output " + quoted(runtime.GOOS, n.cfg.Output)
		}
		say("  when there is a public address: %s\n  (it tries the address and says what the form of the local application in Bitrix24 asks for)", again)
	case a.has(clientID) && a.has(clientSecret):
		say("  save the form of the local application in Bitrix24 while leadsync runs")
	default:
		say("  save the form of the local application in Bitrix24, then put client_id and client_secret into the file and restart leadsync within the hour")
	}
}

// command is one that reads the settings file, as the user of the service where there is one: leadsync refuses to work as root in
// that user's directory.
func (n next) command(system, name string) string {
	words := n.program(system, name)
	if n.cfg.AsOwner != "" {
		words = n.cfg.AsOwner + " " + words
	}
	if !n.cfg.Standard {
		words += " --config " + quoted(system, n.cfg.Output)
	}
	return words
}

// program is a command as whoever runs this.
func (n next) program(system, name string) string { return quoted(system, n.cfg.Program) + " " + name }

// starts are the commands that start what is set up. On Windows a person at a terminal is no service, and the account of the
// service cannot read a file elsewhere.
func (n next) starts(system string, installed bool) []string {
	switch {
	case system == onWindows && n.cfg.Standard && installed:
		return []string{n.program(system, "service start")}
	case system == onWindows && n.cfg.Standard:
		return []string{n.program(system, "service install"), n.program(system, "service start")}
	case n.cfg.Unit:
		return []string{"systemctl enable --now leadsync"}
	}
	return []string{n.command(system, "serve")}
}

// readers are who can read the file; "" where its mode does not say, as on Windows.
func (n next) readers(system string) string {
	switch {
	case system == onWindows && n.written.closed:
		return n.draft.person.words("administrators and the service")
	case system == onWindows:
		return ""
	case n.cfg.Owner != "":
		return n.cfg.Owner
	}
	return n.draft.person.words("you")
}
