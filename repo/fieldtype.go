package repo

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"leadsync/leads"
)

// Schema returns what is stored of the portal's custom fields. Its time is zero where they
// were never read.
func (d *DB) Schema(ctx context.Context, memberID string) (schema leads.Schema, err error) {
	member := sql.Named("member_id", memberID)
	if schema.ReadAt, _, err = queryOne(ctx, d, scanInstant, d.dialect.sql.OwnerFieldsGet, member); err != nil {
		return leads.Schema{}, fmt.Errorf("field types of %s: %w", memberID, err)
	}
	if schema.Fields, err = queryList(ctx, d, scanFieldType, d.dialect.sql.FieldTypesList, member); err != nil {
		return leads.Schema{}, fmt.Errorf("field types of %s: %w", memberID, err)
	}
	return schema, nil
}

func scanInstant(row scanner) (at time.Time, err error) {
	err = row.Scan(instantColumn{&at})
	return at, err
}

func scanFieldType(row scanner) (t leads.FieldType, err error) {
	err = row.Scan(&t.Field, &t.Type, &t.Multiple, &t.Label)
	return t, err
}

// SaveSchema replaces what is stored of the portal's custom fields. It returns
// leads.ErrNotOwner where the epoch is not the portal's current one: a former owner must not
// put its older reading in place of a newer one.
func (d *DB) SaveSchema(ctx context.Context, memberID string, epoch int64, schema leads.Schema) error {
	member := sql.Named("member_id", memberID)
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err := affect(ctx, tx, d.dialect.sql.OwnerFields, member, sql.Named("epoch", epoch), sql.Named("read_at", instant(schema.ReadAt)))
		if err == nil && n == 0 {
			err = leads.ErrNotOwner
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, d.dialect.sql.FieldTypesDelete, member); err != nil {
			return err
		}
		for _, t := range schema.Fields {
			t = t.Columns()
			_, err := tx.ExecContext(ctx, d.dialect.sql.FieldTypesInsert, member, sql.Named("field", t.Field),
				sql.Named("type", t.Type), sql.Named("multiple", t.Multiple), sql.Named("label", t.Label))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "save field types of %s", memberID)
}
