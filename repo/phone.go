package repo

import (
	"context"
	"database/sql"
	"fmt"

	"leadsync/leads"
)

// phoneRegion is the country of numbers without a country code, where none is given.
const phoneRegion = "RU"

var phoneColumns = []string{"digits10", "member_id", "lead_id", "contact_id", "position", "e164", "extension", "repeated"}

// phoneRows are the numbers of a lead as rows of leadsync_phones.
func phoneRows(ref leads.Ref, keys []leads.PhoneKey) [][]any {
	rows := make([][]any, len(keys))
	for i, k := range keys {
		rows[i] = []any{
			k.Digits, ref.MemberID, ref.LeadID, text(leads.Contact{ID: k.ContactID}.Columns().ID), i + 1,
			text(k.E164), text(k.Extension), k.Repeated,
		}
	}
	return rows
}

// phoneKeys is the setting that says how leadsync_phones was filled: version and region.
const phoneKeys = "phone_keys"

// KeyPhones fills leadsync_phones anew from the contacts, where it was filled by other
// rules or for another region, or not at all; it tells whether it did. What Apply writes
// meanwhile is right already. Cut short, it begins anew the next time.
func (d *DB) KeyPhones(ctx context.Context) (done bool, err error) {
	want := leads.PhoneRules + " " + d.region
	setting := func(row scanner) (value string, err error) { err = row.Scan(&value); return value, err }
	have, _, err := one(ctx, d, setting, d.dialect.sql.SettingGet, sql.Named("name", phoneKeys))
	if err != nil || have == want {
		return false, wrapped(err, "read how phones are keyed")
	}
	portals, err := d.Portals(ctx)
	if err != nil {
		return false, err
	}
	for _, p := range portals {
		if err := d.keyPortal(ctx, p.MemberID); err != nil {
			return false, fmt.Errorf("key phones of %s: %w", p.MemberID, err)
		}
	}
	args := []any{sql.Named("name", phoneKeys), sql.Named("value", want)}
	err = d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, d.dialect.sql.SettingUpdate, args...)
		if err == nil && n == 0 {
			_, err = affect(ctx, tx, d.dialect.sql.SettingInsert, args...)
		}
		return err
	})
	return err == nil, wrapped(err, "note how phones are keyed")
}

func (d *DB) keyPortal(ctx context.Context, memberID string) error {
	for after := int64(0); ; {
		rows, err := d.IDs(ctx, memberID, after, leads.MaxID, batchSize)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].LeadID
		ids := make([]int64, len(rows))
		for i := range rows {
			ids[i] = rows[i].LeadID
		}
		if err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error { return d.keyLeads(ctx, tx, memberID, ids) }); err != nil {
			return err
		}
	}
}

// keyLeads replaces the numbers of these leads by what their contacts say now. The rows
// are locked first, as Apply does, so that neither overtakes the other.
func (d *DB) keyLeads(ctx context.Context, tx *sql.Tx, memberID string, ids []int64) error {
	which, err := idList(ids)
	if err != nil {
		return err
	}
	args := []any{sql.Named("member_id", memberID), sql.Named("ids", which)}
	if _, err := query(ctx, tx, scanCurrent, d.dialect.sql.LeadsLock, args...); err != nil {
		return err
	}
	contacts, err := query(ctx, tx, scanContact, d.dialect.sql.HeldRowsContacts, args...)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, d.dialect.sql.PhonesDeleteRows, args...); err != nil {
		return err
	}
	return d.storeRows(ctx, tx, &rows{phones: d.phonesOf(memberID, contacts)}, d.dialect.load)
}

// phonesOf are the rows of contacts that come ordered by lead.
func (d *DB) phonesOf(memberID string, contacts []leadContact) [][]any {
	var all [][]any
	for len(contacts) > 0 {
		lead := leads.Lead{ID: contacts[0].leadID}
		for len(contacts) > 0 && contacts[0].leadID == lead.ID {
			lead.Contacts = append(lead.Contacts, contacts[0].contact)
			contacts = contacts[1:]
		}
		all = append(all, phoneRows(leads.Ref{MemberID: memberID, LeadID: lead.ID}, lead.Phones(d.region))...)
	}
	return all
}
