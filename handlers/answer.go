package handlers

import (
	"net/http"

	"leadsync/handlers/language"
	"leadsync/leads"
	"leadsync/portals"
)

// answer is what is answered for a reason. Callbacks get the status alone; people at a
// browser get a page.
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
	portals.Unparsable:     {status: http.StatusBadRequest},
	portals.TooLong:        {status: http.StatusRequestEntityTooLarge},
	portals.UnknownPortal:  {status: http.StatusForbidden},
	portals.WrongToken:     {status: http.StatusForbidden},
	portals.TokenNotLearnt: {status: http.StatusForbidden},
	portals.NotVerified:    {status: http.StatusForbidden},
	portals.TooMany:        {status: http.StatusTooManyRequests},
	portals.NotStored:      {status: http.StatusInternalServerError},
	portals.Forged:         {status: http.StatusOK}, // it was answered before it could be checked
	portals.UnknownEvent:   {status: http.StatusOK},
	portals.RobotWebhook:   {status: http.StatusBadRequest},
	portals.NotAForm:       {status: http.StatusUnsupportedMediaType},
	portals.WrongAddress:   {status: http.StatusNotFound},
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
		words:  words{"The database does not answer", "Begin again in a minute. Operators see at /readyz what is failing."},
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
				"Let an administrator of the portal open this link.",
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
		words:  words{"The code is no longer valid", "Bitrix24's codes live 30 seconds. Begin again."},
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

// answerTo is 500 for a reason that has no answer yet.
func answerTo(reason portals.Reason) answer {
	if a, ok := answers[reason]; ok {
		return a
	}
	return answer{status: http.StatusInternalServerError, words: words{"leadsync cannot answer this", reason.String()}}
}

// in is what the page says in a language.
func (w words) in(lang string) words {
	return words{language.Say(lang, w.title), language.Say(lang, w.advice)}
}
