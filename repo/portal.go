package repo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"leadsync/leads"
)

// SavePortal stores a portal and replaces its former record. A zero UpdatedAt means now.
func (d *DB) SavePortal(ctx context.Context, p leads.Portal) error {
	args := append(d.portalArgs(p), sql.Named("admission", p.MemberID))
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		s := d.dialect.sql
		return execWith(ctx, tx, args, s.PortalUpdate, s.PortalInsert, s.PortalDomain)
	})
	return wrap(err, "save portal %s", p.MemberID)
}

// first is the admission of the portal that was accepted because there was no other.
const first = "first"

// Authorize stores the result of an installation or a log-in: the pair of tokens, and the
// portal's fields that are not empty. It accepts an unknown portal; with onlyFirst only
// where there is no portal yet, so that one of two concurrent calls succeeds. Where it does
// not accept the portal, it stores nothing and returns false.
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
	return admitted && err == nil, wrap(err, "authorize portal %s", p.MemberID)
}

// SetApplication stores the portal's own application; an empty one means the application
// of the settings. It returns an error where the portal is unknown.
func (d *DB) SetApplication(ctx context.Context, memberID, clientID string, secret leads.Secret) error {
	n, err := d.exec(ctx, d.dialect.sql.PortalApplication, sql.Named("member_id", memberID), sql.Named("client_id", clientID),
		sql.Named("client_secret", d.sealer.seal(secret)), sql.Named("updated_at", instant(d.now())))
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	return wrap(err, "set the application of portal %s", memberID)
}

// portalArgs are the columns of a portal.
func (d *DB) portalArgs(p leads.Portal) []any {
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = d.now()
	}
	return []any{
		sql.Named("member_id", p.MemberID), sql.Named("domain", p.Domain), sql.Named("state", string(p.State)),
		sql.Named("client_endpoint", p.ClientEndpoint), sql.Named("server_endpoint", p.ServerEndpoint),
		sql.Named("webhook_url", d.sealer.seal(p.WebhookURL)), sql.Named("token_hash", p.TokenHash),
		sql.Named("user_id", p.UserID), sql.Named("updated_at", instant(p.UpdatedAt)),
		sql.Named("client_id", p.ClientID), sql.Named("client_secret", d.sealer.seal(p.ClientSecret)),
	}
}

// execWith runs statements that have the same parameters.
func execWith(ctx context.Context, tx *sql.Tx, args []any, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// Portal returns the record of a portal; false where it is unknown.
func (d *DB) Portal(ctx context.Context, memberID string) (leads.Portal, bool, error) {
	portal, ok, err := queryOne(ctx, d, d.scanPortal, d.dialect.sql.PortalGet, sql.Named("member_id", memberID))
	if err != nil {
		return leads.Portal{}, false, fmt.Errorf("portal %s: %w", memberID, err)
	}
	return portal, ok, nil
}

// Portals returns all portals, sorted by member_id.
func (d *DB) Portals(ctx context.Context) ([]leads.Portal, error) {
	portals, err := queryList(ctx, d, d.scanPortal, d.dialect.sql.PortalList)
	if err != nil {
		return nil, fmt.Errorf("portals: %w", err)
	}
	return portals, nil
}

// SetPortalState changes only the state. It returns an error where the portal is unknown.
func (d *DB) SetPortalState(ctx context.Context, memberID string, state leads.PortalState) error {
	n, err := d.exec(ctx, d.dialect.sql.PortalState,
		sql.Named("member_id", memberID), sql.Named("state", string(state)), sql.Named("updated_at", instant(d.now())))
	if err == nil && n == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return fmt.Errorf("set portal %s to %s: %w", memberID, state, err)
	}
	return nil
}

// SetPortalStateFrom changes the state of a portal if its record is still the given one;
// false where the record has changed or was deleted since. Nobody else who has read the given record
// can change it so afterwards.
func (d *DB) SetPortalStateFrom(ctx context.Context, seen leads.Portal, state leads.PortalState) (bool, error) {
	n, err := d.exec(ctx, d.dialect.sql.PortalStateFrom,
		sql.Named("member_id", seen.MemberID), sql.Named("state", string(state)), sql.Named("updated_at", instant(later(d.now(), seen.UpdatedAt))),
		sql.Named("was_state", string(seen.State)), sql.Named("was_updated_at", instant(seen.UpdatedAt)))
	return n > 0, wrap(err, "set portal %s to %s", seen.MemberID, state)
}

// later is now, unless the database could not tell that from before: it keeps milliseconds, and the
// clock may have been set back.
func later(now, before time.Time) time.Time {
	if now.Sub(before) < time.Millisecond {
		return before.Add(time.Millisecond)
	}
	return now
}

func (d *DB) scanPortal(row scanner) (p leads.Portal, err error) {
	var webhook, secret string
	err = row.Scan(&p.MemberID, &p.Domain, &p.State, &p.ClientEndpoint, &p.ServerEndpoint,
		&webhook, &p.TokenHash, &p.UserID, instantColumn{&p.UpdatedAt}, textColumn{&p.ClientID}, textColumn{&secret})
	if err != nil {
		return leads.Portal{}, err
	}
	if p.WebhookURL, err = d.sealer.unseal(webhook); err != nil {
		return p, err
	}
	p.ClientSecret, err = d.sealer.unseal(secret)
	return p, err
}
