package handlers

import (
	"net/http"

	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/portals"
)

// answer is what is answered for a reason: a page to people at a browser, its words as plain
// text to everybody else. An answer that is no refusal has no words.
type answer struct {
	status int
	words  words
	// explained pages show the words of the decision, too.
	explained bool
	// framed pages are shown inside the portal, whoever asks.
	framed bool
}

// words are what a page says, in English.
type words struct{ title, advice string }

// answers is the one place that maps reasons to HTTP.
var answers = map[portals.Reason]answer{
	portals.Accepted:       {status: http.StatusOK},
	portals.Forged:         {status: http.StatusOK}, // it was answered before it could be checked
	portals.UnknownEvent:   {status: http.StatusOK},
	portals.UnknownPortal:  notRecognised,
	portals.WrongToken:     notRecognised,
	portals.TokenNotLearnt: notRecognised,
	portals.Unparsable: {
		status: http.StatusBadRequest,
		words: words{
			"This is no event of Bitrix24",
			"leadsync cannot read an event, a portal and a lead in it and drops it. Something else posts to this address, or a proxy alters the body.",
		},
	},
	portals.TooLong: {
		status: http.StatusRequestEntityTooLarge,
		words:  words{"This is too long for an event of Bitrix24", "leadsync drops it. Something else posts to this address: events have about 1 KB, and leadsync reads 64 KB at most."},
	},
	portals.NotAForm: {
		status: http.StatusUnsupportedMediaType,
		words:  words{"This is not the form that Bitrix24 posts", "leadsync drops it. Something else posts to this address, or a proxy alters body and Content-Type: let it pass both on as they come."},
	},
	portals.RobotWebhook: {
		status: http.StatusBadRequest,
		words: words{
			"Webhooks of robots cannot be verified",
			"leadsync drops it. Create an outgoing webhook for the events of leads in Bitrix24 instead, and remove the robot's.",
		},
	},
	portals.WrongAddress: {
		status: http.StatusNotFound,
		words: words{
			"Events go to another address",
			"This event is lost, Bitrix24 does not send it again. Enter " + leads.CallbackPath + " behind leadsync's host name in Bitrix24, and check that the proxy leaves the path as it is.",
		},
	},
	portals.NotVerified: {
		status: http.StatusForbidden,
		words: words{
			"leadsync does not accept this installation",
			"Bitrix24's authorization server does not confirm it, or the portal is not let in here. Operators see under “Connect a portal” and in the log which; then save the application's form in Bitrix24 again.",
		},
	},
	portals.TooMany: {
		status: http.StatusTooManyRequests,
		words:  words{"Too many installations", "leadsync checks only a few a minute that nobody has confirmed. Save the application's form in Bitrix24 again in a minute."},
	},
	portals.NotStored: {
		status: http.StatusInternalServerError,
		words: words{
			"The event could not be stored",
			"Bitrix24 does not send it again; leadsync finds the change when it next compares its leads with Bitrix24. Operators see at /readyz what is failing.",
		},
	},
	portals.UnknownPath: {
		status: http.StatusNotFound,
		words:  words{"Nothing here", "leadsync has no page at this address. Callbacks go to " + leads.CallbackPath + ", log-ins begin at " + leads.LoginPath + "."},
	},
	portals.WrongMethod: {
		status: http.StatusMethodNotAllowed,
		words:  words{"This address is for Bitrix24", "leadsync answers here: Bitrix24 posts its events to this address. There is nothing to see in a browser."},
	},
	portals.ApplicationPage: {
		status: http.StatusOK, framed: true, // some proxies replace the page of any other status
		words: words{
			"Tick “Uses API only”",
			"leadsync works in the background and has no page inside Bitrix24. Open this application in “Developer resources”, tick “Uses API only” and save the form again. " +
				"Bitrix24 then calls leadsync, and the import starts.",
		},
	},
	portals.Unavailable: {
		status: http.StatusServiceUnavailable,
		words: words{
			"leadsync cannot do this now",
			"Its database or Bitrix24 did not answer in time. Begin the log-in again, or save the application's form in Bitrix24 again, in a minute. Operators see at /readyz what is failing.",
		},
	},
	portals.Starting: {
		status: http.StatusServiceUnavailable,
		words: words{
			"leadsync is still starting",
			"Its database is not ready yet, and Bitrix24 does not send this again. Begin the log-in again, or save the application's form in Bitrix24 again, in some seconds. Operators see at /readyz what it waits for.",
		},
	},
	portals.NotStarted: {
		status: http.StatusForbidden,
		words:  words{"This log-in was not started here", "Begin again in this browser, and finish within 15 minutes."},
	},
	portals.NotAdministrator: {
		status: http.StatusForbidden,
		words: words{
			"An administrator has to log in",
			"You are logged in at the portal as a user who does not administer it. leadsync would lose rights that it needs, so it keeps the connection that works. " +
				"Let an administrator of the portal open this link, or save the application's form.",
		},
	},
	portals.BadDomain: {
		status: http.StatusBadRequest,
		words:  words{"Which portal?", "Open this address with the portal's host name: " + leads.LoginPath + "?domain=example.bitrix24.com"},
	},
	portals.NoApplication: {
		status: http.StatusServiceUnavailable,
		words: words{
			"leadsync has no application yet",
			"Set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET to what Bitrix24 shows for the local application, and start leadsync again.",
		},
	},
	portals.NotServed: {
		status: http.StatusForbidden, explained: true,
		words: words{"This portal is not served here", ""},
	},
	portals.UntrustedServer: {
		status: http.StatusForbidden, explained: true,
		words: words{"The authorization server is unknown", ""},
	},
	portals.CodeExpired: {
		status: http.StatusBadGateway,
		words:  words{"The code is missing or no longer valid", "Bitrix24's codes live 30 seconds. Begin again."},
	},
	portals.WrongApplication: {
		status: http.StatusBadGateway,
		words:  words{"Bitrix24 does not know this application", "Check LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET against the application's form."},
	},
	portals.LoginFailed: {
		status: http.StatusBadGateway,
		words:  words{"Bitrix24 could not be reached", "Begin again in a minute. The log says what went wrong."},
	},
}

// notRecognised does not say what was wrong: strangers would learn which portals are connected.
var notRecognised = answer{
	status: http.StatusForbidden,
	words: words{
		"leadsync does not recognise the sender",
		"No portal that is connected here has this member_id and application_token: the event is dropped. " +
			"If it is your portal, save the application's form in Bitrix24 again, or check the token of the outgoing webhook; operators see more in the log.",
	},
}

// answerTo is 500 for a reason that has no answer yet.
func answerTo(reason portals.Reason) answer {
	if a, ok := answers[reason]; ok {
		return a
	}
	return answer{status: http.StatusInternalServerError, words: words{"leadsync cannot answer this", reason.String()}}
}

// plain is what a machine, or somebody who tries an address with curl, reads.
func (w words) plain() string { return w.title + ". " + w.advice + "\n" }

// in is what the page says in a language.
func (w words) in(lang string) words {
	return words{language.Say(lang, w.title), language.Say(lang, w.advice)}
}
