package repo

import (
	"context"
	"database/sql"
	"fmt"

	"leadsync/leads"
)

// SavePortal writes a portal, in place of what was known of it. A zero UpdatedAt is now.
func (d *DB) SavePortal(ctx context.Context, p leads.Portal) error {
	args := append(d.portalArgs(p), sql.Named("admission", p.MemberID))
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		s := d.dialect.sql
		return execWith(ctx, tx, args, s.PortalUpdate, s.PortalInsert, s.PortalDomain)
	})
	return wrapped(err, "save portal %s", p.MemberID)
}

// first is the admission of a portal that comes in because there is no other.
const first = "first"

// Authorize stores what an installation or a log-in brought: the pair of tokens, and of
// the portal what is not empty. A portal that is unknown is let in, with onlyFirst only
// where there is no other: of two that try at the same moment, one. False, and nothing is
// stored, where it is not let in.
func (d *DB) Authorize(ctx context.Context, p leads.Portal, g leads.Grant, onlyFirst bool) (admitted bool, err error) {
	admission := p.MemberID
	if onlyFirst {
		admission = first
	}
	portal := append(d.portalArgs(p), sql.Named("admission", admission))
	s := d.dialect.sql
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, s.PortalAuthorize, portal...)
		if err == nil && n == 0 {
			n, err = affect(ctx, tx, s.PortalInsert, portal...)
		}
		if admitted = n > 0; err != nil || !admitted {
			return err
		}
		if err := d.saveGrant(ctx, tx, g); err != nil {
			return err
		}
		return execWith(ctx, tx, portal, s.PortalDomain)
	})
	return admitted && err == nil, wrapped(err, "authorize portal %s", p.MemberID)
}

// SetApplication makes an application the portal's own; an empty one is that of the
// settings. It is an error where the portal is unknown.
func (d *DB) SetApplication(ctx context.Context, memberID, clientID string, secret leads.Secret) error {
	n, err := d.exec(ctx, d.dialect.sql.PortalApplication, sql.Named("member_id", memberID), sql.Named("client_id", clientID),
		sql.Named("client_secret", d.seal.close(secret)), sql.Named("updated_at", instant(d.now())))
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return wrapped(err, "set the application of portal %s", memberID)
}

// portalArgs are the columns of a portal.
func (d *DB) portalArgs(p leads.Portal) []any {
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = d.now()
	}
	return []any{
		sql.Named("member_id", p.MemberID), sql.Named("domain", p.Domain), sql.Named("state", string(p.State)),
		sql.Named("client_endpoint", p.ClientEndpoint), sql.Named("server_endpoint", p.ServerEndpoint),
		sql.Named("webhook_url", d.seal.close(p.WebhookURL)), sql.Named("token_hash", p.TokenHash),
		sql.Named("user_id", p.UserID), sql.Named("updated_at", instant(p.UpdatedAt)),
		sql.Named("client_id", p.ClientID), sql.Named("client_secret", d.seal.close(p.ClientSecret)),
	}
}

// execWith runs statements that take the same parameters.
func execWith(ctx context.Context, tx *sql.Tx, args []any, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// Portal is what is known of a portal; false where it is unknown.
func (d *DB) Portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	portal, ok, err := one(ctx, d, d.scanPortal, d.dialect.sql.PortalGet, sql.Named("member_id", memberID))
	if err != nil {
		return leads.Portal{}, false, fmt.Errorf("portal %s: %w", memberID, err)
	}
	return portal, ok, nil
}

// Portals are all portals, by member_id.
func (d *DB) Portals(ctx context.Context) ([]leads.Portal, error) {
	portals, err := list(ctx, d, d.scanPortal, d.dialect.sql.PortalList)
	if err != nil {
		return nil, fmt.Errorf("portals: %w", err)
	}
	return portals, nil
}

// SetPortalState changes the state alone. It is an error where the portal is unknown.
func (d *DB) SetPortalState(ctx context.Context, memberID string, state leads.PortalState) error {
	n, err := d.exec(ctx, d.dialect.sql.PortalState,
		sql.Named("member_id", memberID), sql.Named("state", string(state)), sql.Named("updated_at", instant(d.now())))
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return fmt.Errorf("set portal %s %s: %w", memberID, state, err)
	}
	return nil
}

// SetPortalStateFrom changes the state of a portal whose record is still the one that was
// seen; false where somebody has written it since, or it is gone.
func (d *DB) SetPortalStateFrom(ctx context.Context, seen leads.Portal, state leads.PortalState) (bool, error) {
	n, err := d.exec(ctx, d.dialect.sql.PortalStateFrom,
		sql.Named("member_id", seen.MemberID), sql.Named("state", string(state)), sql.Named("updated_at", instant(d.now())),
		sql.Named("was_state", string(seen.State)), sql.Named("was_updated_at", instant(seen.UpdatedAt)))
	return n > 0, wrapped(err, "set portal %s %s", seen.MemberID, state)
}

func (d *DB) scanPortal(row scanner) (p leads.Portal, err error) {
	var webhook, secret string
	err = row.Scan(&p.MemberID, &p.Domain, &p.State, &p.ClientEndpoint, &p.ServerEndpoint,
		&webhook, &p.TokenHash, &p.UserID, instantColumn{&p.UpdatedAt}, textColumn{&p.ClientID}, textColumn{&secret})
	if err != nil {
		return leads.Portal{}, err
	}
	if p.WebhookURL, err = d.seal.open(webhook); err != nil {
		return p, err
	}
	p.ClientSecret, err = d.seal.open(secret)
	return p, err
}
