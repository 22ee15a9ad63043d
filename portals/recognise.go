package portals

import (
	"context"
	"errors"
	"strings"

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
	case portal.RecognisesHash(c.tokenHash):
		return portal, Accepted, nil
	case portal.TokenHash == "" && portal.WebhookURL == "" && c.tokenHash != noToken:
		return portal, TokenNotLearnt, nil
	}
	return portal, WrongToken, nil
}

var noToken = leads.HashToken("")

// proves tells whether a claim proves the configured outgoing webhook, nil where there is
// none: the first callback of a portal that is not known yet, or one with a token of the
// settings for a portal that is known by a webhook of the same host with other tokens,
// because the outgoing webhook was recreated in Bitrix24 and the settings followed. Where
// the settings name the portal, no other is meant.
func (c claim) proves(webhook *leads.Portal, portal leads.Portal, known bool) bool {
	if webhook == nil || !webhook.RecognisesHash(c.tokenHash) || portal.RecognisesHash(c.tokenHash) {
		return false
	}
	if webhook.MemberID != "" {
		return strings.EqualFold(webhook.MemberID, c.memberID)
	}
	return !known || portal.WebhookURL != "" && portal.Domain == webhook.Domain
}

// Recognise says which portal sent a callback that is not an installation. What cannot be
// decided now is accepted as not verified.
func (r *Registry) Recognise(ctx context.Context, cb bitrix24.Callback) Decision {
	cb.MemberID = leads.CanonicalMemberID(cb.MemberID)
	busy := r.verifying.of(cb.MemberID)
	portal, reason, err := r.identify(ctx, claim{cb.MemberID, leads.HashToken(cb.ApplicationToken)}, r.cached)
	if err != nil {
		return r.recogniseByHash(ctx, cb, err)
	}
	d := Decision{Reason: reason, MemberID: cb.MemberID, Known: reason != UnknownPortal, Domain: portal.Domain, LeadID: cb.LeadID}
	if reason == TokenNotLearnt {
		d.Reason = r.learnToken(ctx, &portal, cb)
	}
	switch d.Reason {
	case Accepted:
		d.Verified = true
		r.rememberHash(ctx, portal.MemberID, portal.TokenHash)
		return d
	case UnknownPortal:
		r.rememberHash(ctx, cb.MemberID, "")
	default: // the hash that is remembered stays
	}
	if (busy || d.Reason == TokenNotLearnt) && cb.ApplicationToken != "" && r.kept.allow(cb.MemberID, r.cfg.Now()) {
		d.Reason = Accepted
	}
	return d
}

// cached finds a portal without a query for each callback. Where the token is another one
// it reads the portal again: another replica may have taken an installation.
func (r *Registry) cached(ctx context.Context, c claim) (leads.Portal, bool, error) {
	portal, known, err := r.known.portal(ctx, c.memberID)
	if known && !portal.RecognisesHash(c.tokenHash) && r.known.rereads.allow(c.memberID, r.cfg.Now()) {
		portal, known, err = r.known.read(ctx, c.memberID)
	}
	return portal, known, err
}

// stored finds a portal in the database.
func (r *Registry) stored(ctx context.Context, c claim) (leads.Portal, bool, error) {
	return r.cfg.Store.Portal(ctx, c.memberID)
}

// recogniseByHash decides while the database is down. The hash on disk may be older than
// the portal's token: a callback with another one is kept and verified later.
func (r *Registry) recogniseByHash(ctx context.Context, cb bitrix24.Callback, cause error) Decision {
	hash, ok := r.cfg.Hashes.hash(cb.MemberID)
	r.Stats.Blind.Add(1)
	r.cfg.Log.DebugContext(ctx, "portal not looked up", "member_id", cb.MemberID, "hash_known", ok, "error", cause)
	if cb.ApplicationToken == "" {
		return Decision{Reason: WrongToken, MemberID: cb.MemberID, Known: ok, Err: cause}
	}
	portal := leads.Portal{TokenHash: hash}
	return Decision{MemberID: cb.MemberID, Known: ok, Verified: portal.Recognises(cb.ApplicationToken), Err: cause}
}

// errUndecided says that a callback cannot be verified yet.
var errUndecided = errors.New("the portal is being verified, or its application_token is not learnt yet")

// Verify says whether an entry that could not be verified when it was taken is genuine. An
// error means that it cannot be decided yet.
func (r *Registry) Verify(ctx context.Context, e events.Entry) (bool, error) {
	busy := r.verifying.of(e.MemberID) // before the look-up: what ends meanwhile is found by it
	portal, reason, err := r.identify(ctx, claim{e.MemberID, e.TokenHash}, r.stored)
	switch {
	case err != nil:
		return false, err
	case reason == Accepted:
		return true, nil
	case busy, reason == TokenNotLearnt && r.deadlines.ahead(e.MemberID, e.At, r.cfg.Now()):
		return false, errUndecided
	}
	r.Count(ctx, Decision{Reason: Forged, MemberID: e.MemberID, Known: reason != UnknownPortal, Domain: portal.Domain})
	return false, nil
}
