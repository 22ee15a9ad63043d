package handlers

import "leadsync/portals"

// Answers tells whether a reason is in the table.
func Answers(reason portals.Reason) bool {
	_, ok := answers[reason]
	return ok
}

// StatusOf is the HTTP status for a reason.
func StatusOf(reason portals.Reason) int { return answerTo(reason).status }
