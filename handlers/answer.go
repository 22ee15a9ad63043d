package handlers

import (
	"net/http"

	"leadsync/portals"
)

// answer is what is answered for a reason. Callbacks get the status alone; people at a
// browser get a page.
type answer struct {
	status        int
	title, advice string
	// explained pages show the words of the decision instead of an advice.
	explained bool
}

// answers is the one place that maps reasons to HTTP.
var answers = map[portals.Reason]answer{
	portals.Accepted:      {status: http.StatusOK},
	portals.Unparsable:    {status: http.StatusBadRequest},
	portals.TooLong:       {status: http.StatusRequestEntityTooLarge},
	portals.UnknownPortal: {status: http.StatusForbidden},
	portals.WrongToken:    {status: http.StatusForbidden},
	portals.NotVerified:   {status: http.StatusForbidden},
	portals.NotStored:     {status: http.StatusInternalServerError},
	portals.Forged:        {status: http.StatusOK}, // it was answered before it could be checked
	portals.UnknownEvent:  {status: http.StatusOK},
	portals.Unavailable: {
		status: http.StatusServiceUnavailable, title: "The database does not answer",
		advice: "Begin again in a minute. /readyz reports what is failing.",
	},
	portals.BadDomain: {
		status: http.StatusBadRequest, title: "Which portal?",
		advice: "Open this address with the portal's host name: /bitrix24/oauth/start?domain=example.bitrix24.com",
	},
	portals.NoApplication: {
		status: http.StatusServiceUnavailable, title: "leadsync has no application yet",
		advice: "Set LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET to what Bitrix24 shows for the local application, and start leadsync again.",
	},
	portals.NotServed:       {status: http.StatusForbidden, title: "This portal is not served here", explained: true},
	portals.UntrustedServer: {status: http.StatusForbidden, title: "The authorization server is unknown", explained: true},
	portals.CodeExpired: {
		status: http.StatusBadGateway, title: "The code is no longer valid",
		advice: "Bitrix24's codes live 30 seconds. Begin again at /bitrix24/oauth/start?domain=…",
	},
	portals.WrongApplication: {
		status: http.StatusBadGateway, title: "Bitrix24 does not know this application",
		advice: "Check LEADSYNC_B24_CLIENT_ID and LEADSYNC_B24_CLIENT_SECRET against the application's form.",
	},
	portals.LoginFailed: {
		status: http.StatusBadGateway, title: "Bitrix24 could not be reached",
		advice: "Begin again in a minute. The log says what went wrong.",
	},
}

// answerTo is 500 for a reason that has no answer yet.
func answerTo(reason portals.Reason) answer {
	if a, ok := answers[reason]; ok {
		return a
	}
	return answer{status: http.StatusInternalServerError, title: "leadsync cannot answer this", advice: reason.String()}
}
