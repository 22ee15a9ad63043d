package repo

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"leadsync/leads"
)

// MovePortal stores the new address of a renamed portal.
func (d *DB) MovePortal(ctx context.Context, memberID, domain, endpoint string) error {
	args := []any{
		sql.Named("member_id", memberID), sql.Named("domain", domain), sql.Named("client_endpoint", endpoint),
		sql.Named("updated_at", instant(d.now())),
	}
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		for _, statement := range []string{d.dialect.sql.PortalMove, d.dialect.sql.PortalDomain} {
			if _, err := tx.ExecContext(ctx, statement, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("move portal %s: %w", memberID, err)
	}
	return nil
}

// LearnToken stores the hash of a portal's application_token if none is stored yet; false
// where one is.
func (d *DB) LearnToken(ctx context.Context, memberID, tokenHash string) (bool, error) {
	n, err := d.exec(ctx, d.dialect.sql.PortalLearn, sql.Named("member_id", memberID),
		sql.Named("token_hash", tokenHash), sql.Named("updated_at", instant(d.now())))
	if err != nil {
		return false, fmt.Errorf("learn the application token of %s: %w", memberID, err)
	}
	return n > 0, nil
}

// SaveBound stores which events the portal sends to which of our addresses, as "EVENT URL".
func (d *DB) SaveBound(ctx context.Context, memberID string, bound []string) error {
	_, err := d.exec(ctx, d.dialect.sql.PortalBound, sql.Named("member_id", memberID),
		sql.Named("bound_events", strings.Join(bound, "\n")), sql.Named("bound_at", instant(d.now())))
	if err != nil {
		return fmt.Errorf("save the bound events of %s: %w", memberID, err)
	}
	return nil
}

// SaveBudget stores the state of a portal's request budget for other processes. It stores
// nothing where the epoch is not the portal's current one.
func (d *DB) SaveBudget(ctx context.Context, memberID string, epoch int64, b leads.Budget) error {
	_, err := d.exec(ctx, d.dialect.sql.OwnerBudget, sql.Named("member_id", memberID), sql.Named("epoch", epoch),
		sql.Named("budget_at", instant(d.now())), sql.Named("budget_level", b.Level), sql.Named("budget_depth", b.Depth),
		sql.Named("budget_share", b.Share), sql.Named("budget_refusals", b.Refusals), sql.Named("budget_plan", b.Plan))
	if err != nil {
		return fmt.Errorf("save the budget of %s: %w", memberID, err)
	}
	return nil
}

// SaveProblem stores Problem, ProblemSince and ProblemParts of a portal's standing; a Problem of
// "" says that it can be read. It stores nothing where Epoch is not the portal's current one.
func (d *DB) SaveProblem(ctx context.Context, memberID string, s leads.Standing) error {
	if s.Problem == "" {
		s.ProblemSince = time.Time{}
	}
	_, err := d.exec(ctx, d.dialect.sql.OwnerProblem, sql.Named("member_id", memberID), sql.Named("epoch", s.Epoch),
		sql.Named("problem", text(s.Problem)), sql.Named("problem_since", instant(s.ProblemSince)), sql.Named("problem_parts", text(s.ProblemParts)))
	return wrap(err, "save the problem of %s", memberID)
}

// SaveNote stores what people should know of a portal and is no problem; "" is nothing.
// It stores nothing where the epoch is not the portal's current one.
func (d *DB) SaveNote(ctx context.Context, memberID string, epoch int64, note string) error {
	_, err := d.exec(ctx, d.dialect.sql.OwnerNote, sql.Named("member_id", memberID), sql.Named("epoch", epoch), sql.Named("note", text(note)))
	return wrap(err, "save the note on %s", memberID)
}

// Standing returns what the portal's owners have stored about it; false where the portal is
// unknown.
func (d *DB) Standing(ctx context.Context, memberID string) (leads.Standing, bool, error) {
	standing, ok, err := queryOne(ctx, d, scanStanding, d.dialect.sql.PortalStanding, sql.Named("member_id", memberID))
	if err != nil {
		return leads.Standing{}, false, fmt.Errorf("standing of %s: %w", memberID, err)
	}
	return standing, ok, nil
}

func scanStanding(row scanner) (s leads.Standing, err error) {
	var bound string
	var epoch, refusals sql.NullInt64
	var level, depth, share sql.NullFloat64
	err = row.Scan(textColumn{&bound}, instantColumn{&s.BoundAt}, textColumn{&s.Owner}, &epoch,
		instantColumn{&s.Budget.At}, &level, &depth, &share, &refusals,
		textColumn{&s.Budget.Plan}, textColumn{&s.Problem}, instantColumn{&s.ProblemSince},
		textColumn{&s.ProblemParts}, textColumn{&s.Note}, instantColumn{&s.BeatAt})
	if bound != "" {
		s.Bound = strings.Split(bound, "\n")
	}
	s.Epoch, s.Budget.Refusals = epoch.Int64, refusals.Int64
	s.Budget.Level, s.Budget.Depth, s.Budget.Share = level.Float64, depth.Float64, share.Float64
	return s, err
}

// ErasePortal deletes everything about a portal except its epoch, by which Apply still
// rejects writes of a former owner. It deletes in small transactions. Leads go first,
// because a concurrent refill would fill the other tables from them, after announcements that
// take their cards from them; the portal's record goes last, so that an interrupted erasure can be repeated.
func (d *DB) ErasePortal(ctx context.Context, memberID string) error {
	ctx = patient(ctx)
	s := d.dialect.sql
	for _, statement := range []string{
		s.EraseOutbox, s.EraseLeads, s.EraseContacts, s.ErasePhones, s.EraseSolutions, s.EraseFields, s.EraseFieldTypes, s.EraseDuplicates, s.EraseFailures,
		s.EraseFieldsRead, s.EraseFailing, s.EraseCallbacks,
		s.EraseOutbox, s.EraseChanges, s.EraseFindings, s.EraseRuns, s.EraseGrants, s.ErasePortal,
	} {
		for {
			n, err := d.exec(ctx, statement, sql.Named("member_id", memberID))
			if err != nil {
				return fmt.Errorf("erase portal %s: %w", memberID, err)
			}
			if n < eraseStep {
				break
			}
		}
	}
	return nil
}

// eraseStep is the most rows that one erase statement deletes; the statements contain the
// same number.
const eraseStep = 1000
