package repo

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"leadsync/leads"
)

// SaveGrant writes the tokens that an installation or an authorization brought, in place
// of whatever the portal had.
func (d *DB) SaveGrant(ctx context.Context, g leads.Grant) error {
	args := d.grantArgs(g)
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.GrantDelete, sql.Named("member_id", g.MemberID)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, d.dialect.sql.GrantInsert, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("save grant of %s: %w", g.MemberID, err)
	}
	return nil
}

// RotateGrant replaces the pair of which old is the refresh token; false where that pair
// is no longer the stored one: somebody else has rotated already.
func (d *DB) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	args := append(d.grantArgs(next), sql.Named("old_hash", leads.HashToken(old)))
	n, err := d.exec(ctx, d.dialect.sql.GrantRotate, args...)
	if err != nil {
		return false, fmt.Errorf("rotate grant of %s: %w", next.MemberID, err)
	}
	return n > 0, nil
}

// Grant is the portal's present pair of tokens; false where there is none.
func (d *DB) Grant(ctx context.Context, memberID string) (leads.Grant, bool, error) {
	grant, ok, err := one(ctx, d, d.scanGrant, d.dialect.sql.GrantGet, sql.Named("member_id", memberID))
	if err != nil {
		return leads.Grant{}, false, fmt.Errorf("grant of %s: %w", memberID, err)
	}
	return grant, ok, nil
}

// grantArgs are the columns of a pair. The refresh token's hash is what a rotation looks
// for: a sealed token is never the same twice.
func (d *DB) grantArgs(g leads.Grant) []any {
	now := d.now()
	left := max(0, int64(g.ExpiresAt.Sub(now)/time.Second))
	return []any{
		sql.Named("member_id", g.MemberID), sql.Named("access_token", d.seal.close(g.AccessToken)),
		sql.Named("refresh_token", d.seal.close(g.RefreshToken)),
		sql.Named("refresh_token_hash", leads.HashToken(g.RefreshToken)),
		sql.Named("expires_in", strconv.FormatInt(left, 10)), sql.Named("scope", g.Scope),
		sql.Named("user_id", strconv.FormatInt(g.UserID, 10)), sql.Named("client_id", g.ClientID),
		sql.Named("expires_at", instant(g.ExpiresAt)), sql.Named("dateexec", wallClock(now)),
	}
}

func (d *DB) scanGrant(row scanner) (g leads.Grant, err error) {
	var access, refresh, user string
	err = row.Scan(textColumn{&g.MemberID}, textColumn{&access}, textColumn{&refresh}, instantColumn{&g.ExpiresAt},
		textColumn{&g.Scope}, textColumn{&user}, textColumn{&g.ClientID})
	if err != nil {
		return leads.Grant{}, err
	}
	if user != "" { // a row of the seed's may hold anything
		g.UserID, _ = strconv.ParseInt(user, 10, 64)
	}
	if g.AccessToken, err = d.seal.open(access); err != nil {
		return leads.Grant{}, err
	}
	g.RefreshToken, err = d.seal.open(refresh)
	return g, err
}
