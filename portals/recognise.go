package portals

import (
	"context"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// claim is what a callback says of its sender: all that is believed, and only together.
// Everything else in a callback can be invented.
type claim struct {
	memberID  string
	tokenHash string // leads.HashToken of its application_token
}

// lookup finds the portal of a claim; false where it is unknown.
type lookup func(context.Context, claim) (leads.Portal, bool, error)

// identify is the one place that decides which portal sent a callback. A callback is
// genuine if its token is that of a known portal, or if it proves the configured webhook;
// then the webhook's portal is adopted. An error means that it cannot be decided now.
func (r *Registry) identify(ctx context.Context, c claim, find lookup) (leads.Portal, Reason, error) {
	portal, known, err := find(ctx, c)
	if err == nil && c.proves(r.cfg.Webhook, portal, known) {
		portal, err = r.adoptAs(ctx, c.memberID)
		known = true
	}
	switch {
	case err != nil:
		return leads.Portal{}, Unavailable, err
	case !known:
		return leads.Portal{}, UnknownPortal, nil
	case !portal.RecognisesHash(c.tokenHash):
		return portal, WrongToken, nil
	}
	return portal, Accepted, nil
}

// proves tells whether a claim proves the configured outgoing webhook, nil where there is
// none: the first callback of a portal that is not known yet, or one with the token of the
// settings for a portal that is known by a webhook of the same host with another token,
// because the outgoing webhook was recreated in Bitrix24 and the settings followed.
func (c claim) proves(webhook *leads.Portal, portal leads.Portal, known bool) bool {
	if webhook == nil || webhook.MemberID != "" || !webhook.RecognisesHash(c.tokenHash) {
		return false
	}
	return !known || portal.WebhookURL != "" && portal.Domain == webhook.Domain && !portal.RecognisesHash(c.tokenHash)
}

// Recognise says which portal sent a callback that is not an installation. While the
// database is down the hash on disk decides; without one the callback is accepted as not
// verified.
func (r *Registry) Recognise(ctx context.Context, cb bitrix24.Callback) Decision {
	portal, reason, err := r.identify(ctx, claim{cb.MemberID, leads.HashToken(cb.ApplicationToken)}, r.cached)
	if err != nil {
		return r.recogniseByHash(ctx, cb, err)
	}
	if reason == WrongToken && r.learnToken(ctx, &portal, cb) {
		reason = Accepted
	}
	if reason != Accepted {
		return Decision{Reason: reason}
	}
	if err := r.cfg.Hashes.remember(portal.MemberID, portal.TokenHash); err != nil {
		r.cfg.Log.WarnContext(ctx, "hash of the token not saved", "member_id", portal.MemberID, "error", err)
	}
	return Decision{Domain: portal.Domain, Verified: true}
}

// cached finds a portal without a query for each callback. Where the token is another one
// it reads the portal again: another replica may have taken an installation.
func (r *Registry) cached(ctx context.Context, c claim) (leads.Portal, bool, error) {
	portal, known, err := r.known.portal(ctx, c.memberID)
	if known && !portal.RecognisesHash(c.tokenHash) && r.known.outdated(c.memberID) {
		portal, known, err = r.known.portal(ctx, c.memberID)
	}
	return portal, known, err
}

// stored finds a portal in the database.
func (r *Registry) stored(ctx context.Context, c claim) (leads.Portal, bool, error) {
	return r.cfg.Store.Portal(ctx, c.memberID)
}

// recogniseByHash decides while the database is down.
func (r *Registry) recogniseByHash(ctx context.Context, cb bitrix24.Callback, cause error) Decision {
	hash, ok := r.cfg.Hashes.hash(cb.MemberID)
	r.Stats.Blind.Add(1)
	r.cfg.Log.DebugContext(ctx, "portal not looked up", "member_id", cb.MemberID, "hash_known", ok, "error", cause)
	if !ok {
		return Decision{Err: cause}
	}
	portal := leads.Portal{TokenHash: hash}
	if !portal.Recognises(cb.ApplicationToken) {
		return Decision{Reason: WrongToken, Err: cause}
	}
	return Decision{Verified: true, Err: cause}
}

// Verify says whether an entry that was taken while the database was down is genuine. An
// error means that it cannot be decided yet.
func (r *Registry) Verify(ctx context.Context, e events.Entry) (bool, error) {
	_, reason, err := r.identify(ctx, claim{e.MemberID, e.TokenHash}, r.stored)
	if err != nil {
		return false, err
	}
	if reason != Accepted {
		r.Stats.Count(Forged)
		return false, nil
	}
	return true, nil
}
