package repo

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"time"

	"leadsync/leads"
	"leadsync/retry"
)

// cardSetting is the row of leadsync_settings with the rules by which the stored cards were
// cleaned.
const cardSetting = "card_links"

// cleanCards removes the tokens from the links in stored cards, once for each version of
// leads.CardRules. Such a row gets a new revision, so that the topic receives the clean card
// too. Payloads in bitrix_import_lead_error are cleaned in place.
func (d *DB) cleanCards(ctx context.Context) (tables []string, err error) {
	kept, err := d.settings(ctx, d.read)
	if err != nil || kept[cardSetting] == leads.CardRules {
		return nil, wrap(d.explain(ctx, err), "read the rules of the stored cards")
	}
	portals, err := d.Portals(ctx)
	if err != nil {
		return nil, err
	}
	cleaned := 0
	for _, p := range portals {
		err := d.eachLead(ctx, p.MemberID, func(ctx context.Context, tx *sql.Tx, ids []int64) error {
			n, err := d.clean(ctx, tx, p.MemberID, ids)
			cleaned += n
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("clean the cards of %s: %w", p.MemberID, err)
		}
	}
	if err := d.cleanPayloads(ctx); err != nil {
		return nil, fmt.Errorf("clean the payloads of failures: %w", err)
	}
	if cleaned > 0 {
		tables = []string{"bitrix_leads"}
	}
	return tables, wrap(d.saveSetting(ctx, cardSetting, leads.CardRules), "store the rules of the stored cards")
}

// clean cleans the stored cards of these leads and announces them. It locks the leads, as
// Apply does, and writes only those that have tokens.
func (d *DB) clean(ctx context.Context, tx *sql.Tx, memberID string, ids []int64) (n int, err error) {
	entries := entriesOf(memberID, ids)
	if err := d.lock(ctx, tx, entries); err != nil {
		return 0, err
	}
	var dirty []entry
	for _, e := range entries {
		if e.clean() {
			dirty = append(dirty, e)
		}
	}
	r, err := d.gather(ctx, tx, dirty)
	if err != nil {
		return 0, err
	}
	r.cleaning = true
	return len(dirty), d.storeRows(ctx, tx, r, d.dialect.load)
}

// clean decides to write the stored card again without its tokens; false where it has none.
func (e *entry) clean() bool {
	if e.row == nil || bytes.Equal(e.row.raw, leads.WithoutTokens(e.row.raw)) {
		return false
	}
	lead, err := leads.Parse(e.row.raw)
	if err != nil {
		return false
	}
	e.snapshot.Lead, e.snapshot.ReadAt = lead, e.row.readAt
	e.complete()
	e.decision = e.row.announceAgain(false)
	e.decision.action = writeRow
	if !e.row.deleted.IsZero() { // the topic has no card of it, and the row no values
		e.decision.kind = ""
		return true
	}
	e.decision.outcome.Revision++
	return true
}

// payload is the text of a failure.
type payload struct {
	id   int64
	text string
}

// cleanPayloads cleans what portals sent of leads that failed.
func (d *DB) cleanPayloads(ctx context.Context) error {
	for after := int64(0); ; {
		began := time.Now()
		list, err := queryList(ctx, d, func(row scanner) (p payload, err error) {
			err = row.Scan(&p.id, textColumn{&p.text})
			return p, err
		}, d.dialect.sql.FailureList, sql.Named("after", after), sql.Named("limit", refillBatch))
		if err != nil || len(list) == 0 {
			return err
		}
		for _, p := range list {
			after = p.id
			clean := string(leads.WithoutTokens([]byte(p.text)))
			if clean == p.text {
				continue
			}
			if _, err := d.exec(ctx, d.dialect.sql.FailureClean, sql.Named("id", p.id), sql.Named("payload", text(clean))); err != nil {
				return err
			}
		}
		if err := retry.Wait(ctx, time.Since(began)); err != nil {
			return err
		}
	}
}
