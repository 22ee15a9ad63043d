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
// of what the portal had of the same kind: the application's own user has tokens beside
// the installer's.
func (d *DB) SaveGrant(ctx context.Context, g leads.Grant) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.saveGrant(ctx, tx, g) })
	return wrapped(err, "save grant of %s", g.MemberID)
}

func (d *DB) saveGrant(ctx context.Context, tx *sql.Tx, g leads.Grant) error {
	kind := sql.Named("holder_kind", holderKind(g))
	if _, err := tx.ExecContext(ctx, d.dialect.sql.GrantDelete, sql.Named("member_id", g.MemberID), kind); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, d.dialect.sql.GrantInsert, append(d.grantArgs(g), kind)...)
	return err
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

// BeginRefresh notes that by is about to spend the refresh token of a pair. False where
// the pair is no longer stored, or where somebody else has begun less than life ago and
// has not stored what came.
func (d *DB) BeginRefresh(ctx context.Context, pair leads.Grant, by string, life time.Duration) (bool, error) {
	now := d.now()
	n, err := d.exec(ctx, d.dialect.sql.GrantBegin,
		sql.Named("member_id", pair.MemberID), sql.Named("old_hash", leads.HashToken(pair.RefreshToken)),
		sql.Named("began_by", by), sql.Named("now", instant(now)), sql.Named("stale", instant(now.Add(-life))),
		sql.Named("ahead", instant(now.Add(life))))
	if err != nil {
		return false, fmt.Errorf("begin to refresh the tokens of %s: %w", pair.MemberID, err)
	}
	return n > 0, nil
}

// Grants are the portal's present pairs of tokens, the application's own user's first.
func (d *DB) Grants(ctx context.Context, memberID string) ([]leads.Grant, error) {
	grants, err := list(ctx, d, d.scanGrant, d.dialect.sql.GrantList, sql.Named("member_id", memberID))
	if err != nil {
		return nil, fmt.Errorf("grants of %s: %w", memberID, err)
	}
	return grants, nil
}

// Grant is the preferred of the portal's present pairs; false where there is none.
func (d *DB) Grant(ctx context.Context, memberID string) (leads.Grant, bool, error) {
	grants, err := d.Grants(ctx, memberID)
	if err != nil || len(grants) == 0 {
		return leads.Grant{}, false, err
	}
	return grants[0], true, nil
}

// holderKind is how the kind of a pair's user is stored.
func holderKind(g leads.Grant) string {
	if g.System {
		return "system"
	}
	return ""
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
	var access, refresh, user, kind string
	err = row.Scan(textColumn{&g.MemberID}, textColumn{&access}, textColumn{&refresh}, instantColumn{&g.ExpiresAt},
		textColumn{&g.Scope}, textColumn{&user}, textColumn{&g.ClientID}, textColumn{&kind}, instantColumn{&g.RefreshBegan})
	if err != nil {
		return leads.Grant{}, err
	}
	g.System = kind == "system"
	if user != "" { // a row of the seed's may hold anything
		g.UserID, _ = strconv.ParseInt(user, 10, 64)
	}
	if g.AccessToken, err = d.seal.open(access); err != nil {
		return leads.Grant{}, err
	}
	g.RefreshToken, err = d.seal.open(refresh)
	return g, err
}
