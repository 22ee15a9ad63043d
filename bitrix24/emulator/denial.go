package emulator

import (
	"net/http"
	"slices"
	"strings"
)

// refusable are the codes that Faults.Refuse and Faults.RefuseCommands accept: those of
// docs/bitrix24.md 3.4 with which a portal may refuse every call, and one that nobody has
// documented.
var refusable = func() map[string]*refusal {
	m := map[string]*refusal{}
	for _, r := range []*refusal{
		errExpired, errInvalidToken, errNoAuth, errUserBlocked, errNotInstalled, errPayment, errConfirmWaiting,
		errConfirmDenied, errCredentials, errScope, errUserAccess, errTariff, errAuthType, errNoMethod, errHTTPS,
		errOperating, errQueryLimit, errOverload, errInternal, errUnexpected, errPortalDeleted,
		{http.StatusUnauthorized, "APPLICATION_NOT_FOUND", "Application not found"},
		{http.StatusForbidden, "allowed_only_intranet_user", "Allowed only for intranet users"},
		{http.StatusForbidden, "ACCESS_ERROR", "Access denied"},
		{http.StatusNotFound, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available"},
		{http.StatusForbidden, "ERROR_NEVER_SEEN", "A code that no document has"},
	} {
		m[strings.ToLower(r.code)] = r
	}
	return m
}()

var refusableCodes = func() []string {
	codes := make([]string, 0, len(refusable))
	for _, r := range refusable {
		codes = append(codes, r.code)
	}
	slices.Sort(codes)
	return codes
}()

// denied returns the refusal of Faults.RefuseCommands: of every method but batch, inside a
// batch and alone.
func (c *call) denied() error {
	if c.method == "batch" {
		return nil
	}
	if no := refusable[strings.ToLower(c.Faults().RefuseCommands)]; no != nil {
		c.stats.refuse(no.code)
		return no
	}
	return nil
}

// failCommand returns the error of a fault in one command of a batch.
func (p *Portal) failCommand() error {
	f := p.Faults()
	switch {
	case p.happens(f.CommandLimit):
		p.stats.refuse(errOperating.code)
		return errOperating
	case p.happens(f.CommandError):
		return errInternal
	default:
		return nil
	}
}

// scope is what the application and the webhook may call now.
func (p *Portal) scope() []string {
	taken := p.Faults().ScopeTaken
	if taken == "" {
		return p.cfg.Scope
	}
	left := []string{}
	for _, s := range p.cfg.Scope {
		if !slices.ContainsFunc(strings.Split(taken, ","), func(t string) bool { return strings.TrimSpace(t) == s }) {
			left = append(left, s)
		}
	}
	return left
}
