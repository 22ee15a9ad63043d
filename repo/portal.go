package repo

import (
	"context"
	"database/sql"
	"fmt"

	"leadsync/leads"
)

// SavePortal writes a portal, in place of what was known of it. A zero UpdatedAt is now.
func (d *DB) SavePortal(ctx context.Context, p leads.Portal) error {
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = d.now()
	}
	args := []any{
		sql.Named("member_id", p.MemberID), sql.Named("domain", p.Domain), sql.Named("state", string(p.State)),
		sql.Named("client_endpoint", p.ClientEndpoint), sql.Named("server_endpoint", p.ServerEndpoint),
		sql.Named("webhook_url", d.seal.close(p.WebhookURL)), sql.Named("token_hash", p.TokenHash),
		sql.Named("user_id", p.UserID), sql.Named("updated_at", instant(p.UpdatedAt)),
	}
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		s := d.dialect.sql
		for _, statement := range []string{s.PortalUpdate, s.PortalInsert, s.PortalDomain} {
			if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("save portal %s: %w", p.MemberID, err)
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

func (d *DB) scanPortal(row scanner) (p leads.Portal, err error) {
	var webhook string
	err = row.Scan(&p.MemberID, &p.Domain, &p.State, &p.ClientEndpoint, &p.ServerEndpoint,
		&webhook, &p.TokenHash, &p.UserID, instantColumn{&p.UpdatedAt})
	if err != nil {
		return leads.Portal{}, err
	}
	p.WebhookURL, err = d.seal.open(webhook)
	return p, err
}
