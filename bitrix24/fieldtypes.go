package bitrix24

import (
	"context"
	"fmt"

	"leadsync/leads"
)

// FieldTypes returns the custom fields of the portal's leads. Source: docs/bitrix24.md 6.4.
func (l Leads) FieldTypes(ctx context.Context) ([]leads.FieldType, error) {
	var types []leads.FieldType
	for start := int64(0); ; {
		answer, err := l.client.Read(ctx, "crm.lead.userfield.list", Params{"order": Params{"ID": "ASC"}, "start": start})
		if err != nil {
			return nil, fmt.Errorf("list custom fields: %w", err)
		}
		rows, err := phpRows[struct {
			Name     lenientText `json:"FIELD_NAME"`
			Type     lenientText `json:"USER_TYPE_ID"`
			Multiple lenientBool `json:"MULTIPLE"`
			Label    lenientText `json:"EDIT_FORM_LABEL"`
		}](answer.Result)
		if err != nil {
			return nil, garbled("crm.lead.userfield.list", 200, "the answer is not a list of fields")
		}
		for _, row := range rows {
			types = append(types, leads.FieldType{
				Field: string(row.Name), Type: string(row.Type), Multiple: bool(row.Multiple), Label: string(row.Label),
			})
		}
		if answer.Next <= start || len(rows) == 0 {
			return types, nil
		}
		start = answer.Next
	}
}
