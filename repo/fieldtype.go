package repo

import (
	"context"
	"database/sql"

	"leadsync/leads"
)

var (
	typeNameColumn  = leads.Field{Max: 64}
	typeLabelColumn = leads.Field{Max: 1000}
	fieldNameColumn = leads.Field{Max: 128}
)

// SaveFieldTypes replaces the stored types of the portal's custom fields.
func (d *DB) SaveFieldTypes(ctx context.Context, memberID string, types []leads.FieldType) error {
	member := sql.Named("member_id", memberID)
	err := d.transact(ctx, func(ctx context.Context, tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, d.dialect.sql.FieldTypesDelete, member); err != nil {
			return err
		}
		for _, t := range types {
			_, err := tx.ExecContext(ctx, d.dialect.sql.FieldTypesInsert, member,
				sql.Named("field", fieldNameColumn.Column(storable(t.Field))), sql.Named("type", typeNameColumn.Column(storable(t.Type))),
				sql.Named("multiple", t.Multiple), sql.Named("label", typeLabelColumn.Column(storable(t.Label))))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "save field types of %s", memberID)
}
