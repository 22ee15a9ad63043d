package bitrix24

import (
	"errors"
	"net/http"

	"leadsync/leads"
)

// A portal, or what stands before it, may refuse a token without saying why. Then the token
// may have expired, so it is refreshed once before the refusal is taken as anything else.

// unexplained reports whether the portal refused a token with 401 and did not say why, or in
// a way that nobody knows: a page of HTML, nothing, another code. The token may have expired.
func unexplained(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusUnauthorized {
		return false
	}
	_, reacts := reactions[e.Code]
	_, advised := refusalAdvice[e.Code]
	return !reacts && !advised && e.Reaction != Stop
}

// doubt reports whether a token that was refused without a reason may have expired: not if it
// is the one that replaced another for that. Otherwise a portal behind a wall would cost a
// refresh for each call.
func (s *shared) doubt(token leads.Secret) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.doubtful == "" || s.doubtful != token
}

func (s *shared) setDoubtful(token leads.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubtful = token
}

// accepted ends the doubt about a token: when it is refused again, it has expired.
func (s *shared) accepted(token leads.Secret) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.doubtful == token {
		s.doubtful = ""
	}
}
