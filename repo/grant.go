package repo

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"time"

	"leadsync/leads"
)

// SaveGrant stores the tokens of an installation or an authorization. They replace the
// portal's tokens of the same kind: the application's own user has a pair, and the user
// who installed it has another.
func (d *DB) SaveGrant(ctx context.Context, g leads.Grant) error {
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.saveGrant(ctx, tx, g) })
	return wrap(err, "save grant of %s", g.MemberID)
}

func (d *DB) saveGrant(ctx context.Context, tx *sql.Tx, g leads.Grant) error {
	kind := sql.Named("holder_kind", holderKind(g))
	if _, err := tx.ExecContext(ctx, d.dialect.sql.GrantDelete, sql.Named("member_id", g.MemberID), kind); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, d.dialect.sql.GrantInsert, append(d.grantArgs(g), kind)...)
	return err
}

// RotateGrant replaces the pair whose refresh token is old; false where another process
// has replaced that pair already.
func (d *DB) RotateGrant(ctx context.Context, old leads.Secret, next leads.Grant) (bool, error) {
	args := append(d.grantArgs(next), sql.Named("old_hash", leads.HashToken(old)))
	n, err := d.exec(ctx, d.dialect.sql.GrantRotate, args...)
	if err != nil {
		return false, fmt.Errorf("rotate grant of %s: %w", next.MemberID, err)
	}
	return n > 0, nil
}

// BeginRefresh notes that the process by is about to use the refresh token of a pair. It is
// false where the pair is no longer stored, or where another process has begun less than
// life ago and has not stored the result.
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

// Grants returns the portal's pairs of tokens, that of the application's own user first.
func (d *DB) Grants(ctx context.Context, memberID string) ([]leads.Grant, error) {
	grants, err := queryList(ctx, d, d.scanGrant, d.dialect.sql.GrantList, sql.Named("member_id", memberID))
	if err != nil {
		return nil, fmt.Errorf("grants of %s: %w", memberID, err)
	}
	return grants, nil
}

// Grant returns the first of Grants; false where the portal has no tokens.
func (d *DB) Grant(ctx context.Context, memberID string) (leads.Grant, bool, error) {
	grants, err := d.Grants(ctx, memberID)
	if err != nil || len(grants) == 0 {
		return leads.Grant{}, false, err
	}
	return grants[0], true, nil
}

// holderKind is the stored kind of a pair's user.
func holderKind(g leads.Grant) string {
	if g.System {
		return "system"
	}
	return ""
}

// grantArgs are the columns of a pair. A rotation finds the pair by the hash of its
// refresh token, because encrypting the same token twice gives different texts.
func (d *DB) grantArgs(g leads.Grant) []any {
	now := d.now()
	left := max(0, int64(g.ExpiresAt.Sub(now)/time.Second))
	return []any{
		sql.Named("member_id", g.MemberID), sql.Named("access_token", d.sealer.seal(g.AccessToken)),
		sql.Named("refresh_token", d.sealer.seal(g.RefreshToken)),
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
	if user != "" { // an adopted row may contain anything
		g.UserID, _ = strconv.ParseInt(user, 10, 64)
	}
	if g.AccessToken, err = d.sealer.unseal(access); err != nil {
		return leads.Grant{}, err
	}
	g.RefreshToken, err = d.sealer.unseal(refresh)
	return g, err
}
