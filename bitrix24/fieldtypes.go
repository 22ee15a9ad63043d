package bitrix24

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"leadsync/leads"
)

// The methods that describe custom fields (docs/bitrix24.md 6.4.1, 6.4.3).
const (
	methodUserFields = "crm.lead.userfield.list"
	methodFields     = "crm.lead.fields"
)

// FieldTypes returns the custom fields of the portal's leads, from the description of all
// fields: one answer has them all, with their titles. That method is deprecated; where the portal
// refuses it, their own list is read, which has no titles.
//
// An answer that is unusable in part is an error: the field that it is about would look removed
// or retyped.
func (l Leads) FieldTypes(ctx context.Context) ([]leads.FieldType, error) {
	types, err := l.describeFieldTypes(ctx)
	if errors.Is(err, leads.ErrRefused) {
		return l.listFieldTypes(ctx)
	}
	return types, err
}

// listFieldTypes reads the list of custom fields.
func (l Leads) listFieldTypes(ctx context.Context) ([]leads.FieldType, error) {
	var types []leads.FieldType
	for start := int64(0); ; {
		answer, err := l.client.Read(ctx, methodUserFields, Params{"order": Params{"ID": "ASC"}, "start": start})
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
			return nil, garbled(methodUserFields, 200, "the answer is not a list of fields")
		}
		for _, row := range rows {
			if !leads.ValidFieldName(string(row.Name)) || row.Type == "" {
				return nil, garbled(methodUserFields, 200, "a row is not a custom field")
			}
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

// describeFieldTypes reads the description of all fields, and keeps the custom ones.
func (l Leads) describeFieldTypes(ctx context.Context) ([]leads.FieldType, error) {
	answer, err := l.client.Read(ctx, methodFields, nil)
	if err != nil {
		return nil, fmt.Errorf("describe fields: %w", err)
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(answer.Result, &all) != nil || all["ID"] == nil { // every portal's leads have one
		return nil, garbled(methodFields, 200, "the answer does not describe fields")
	}
	var types []leads.FieldType
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !leads.IsCustomField(name) {
			continue
		}
		var d struct {
			Type     lenientText `json:"type"`
			Multiple lenientBool `json:"isMultiple"`
			Form     lenientText `json:"formLabel"`
			List     lenientText `json:"listLabel"`
		}
		if json.Unmarshal(all[name], &d) != nil || d.Type == "" {
			return nil, garbled(methodFields, 200, "the description of a custom field cannot be read")
		}
		types = append(types, leads.FieldType{
			Field: name, Type: string(d.Type), Multiple: bool(d.Multiple), Label: string(cmp.Or(d.Form, d.List)),
		})
	}
	return types, nil
}
