package console

import (
	"strings"

	"leadsync/handlers/language"
)

// adviceFor is what a person does about a problem, by the beginning of the component's name.
var adviceFor = []struct{ component, words string }{
	{"nats", "Callbacks are kept on disk meanwhile. Start the NATS server, or correct LEADSYNC_NATS_URL and its log-in; where it is embedded, look at the room on the disk."},
	{"spool", "Make room on the disk of LEADSYNC_DATA_DIR, and have NATS and the database back: then what waits follows by itself. What was lost is found by the next pass."},
	{"database", "Callbacks are kept meanwhile. Start the database server; check LEADSYNC_DATABASE_URL, the network, the log-in's rights and the room on its disk."},
	{"outbox", "The rows are right; subscribers hear of them late. Look at NATS first: the examination says which limit of it is reached."},
	{"adopted leads", "Give them to the portal they came from: leadsync portals claim."},
	{"callbacks of ", "Is the public address reachable from the internet, with a certificate that is valid? The examination looks at it; then bind the events again on the page of portals."},
	{"portal ", "Does the portal open in a browser, and does this machine reach it? The page of portals says what it lacks; where it asks for a log-in, an administrator of the portal opens the link there."},
}

// partName names a component of problems in a language.
func partName(lang, component string) string {
	for _, of := range []string{"portal ", "callbacks of "} {
		if host, ok := strings.CutPrefix(component, of); ok {
			return language.Say(lang, of+"%s", host)
		}
	}
	return language.Say(lang, component)
}

// advice is what a person does about a problem of a component; "" where nothing is known.
func advice(component string) string {
	for _, a := range adviceFor {
		if strings.HasPrefix(component, a.component) {
			return a.words
		}
	}
	return ""
}
