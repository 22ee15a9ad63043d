package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"leadsync/leads"
)

// The methods that describe custom fields (docs/bitrix24.md 6.4.1, 6.4.3).
const (
	methodUserFields = "crm.lead.userfield.list"
	methodFields     = "crm.lead.fields"
)

// FieldTypes returns the custom fields of the portal's leads. Their list has no titles, so these
// come from the description of all fields. A field is left out only where neither has it: the
// list comes in pages, and may miss one while another is removed.
func (l Leads) FieldTypes(ctx context.Context) ([]leads.FieldType, error) {
	types, err := l.listFieldTypes(ctx)
	if err != nil {
		return nil, err
	}
	described, err := l.describeFieldTypes(ctx)
	if errors.Is(err, leads.ErrRefused) {
		return types, nil // the method is deprecated: without it there are no titles
	}
	if err != nil {
		return nil, err
	}
	listed := map[string]bool{}
	for i, t := range types {
		listed[t.Field] = true
		if t.Label == "" {
			types[i].Label = described[t.Field].Label
		}
	}
	for name, t := range described {
		if !listed[name] {
			types = append(types, t)
		}
	}
	return types, nil
}

// listFieldTypes reads the definitions. A row without a name or a type makes the whole list
// unusable: the field that it is about would look removed or retyped.
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

// describeFieldTypes reads the custom fields from the description of all fields, by their
// names. A description that cannot be read is left out.
func (l Leads) describeFieldTypes(ctx context.Context) (map[string]leads.FieldType, error) {
	answer, err := l.client.Read(ctx, methodFields, nil)
	if err != nil {
		return nil, fmt.Errorf("describe fields: %w", err)
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(answer.Result, &all) != nil || len(all) == 0 {
		return nil, garbled(methodFields, 200, "the answer does not describe fields")
	}
	types := map[string]leads.FieldType{}
	for name, raw := range all {
		var d struct {
			Type     lenientText `json:"type"`
			Multiple lenientBool `json:"isMultiple"`
			Form     lenientText `json:"formLabel"`
			List     lenientText `json:"listLabel"`
		}
		if !leads.IsCustomField(name) || json.Unmarshal(raw, &d) != nil || d.Type == "" {
			continue
		}
		if d.Form == "" {
			d.Form = d.List
		}
		types[name] = leads.FieldType{Field: name, Type: string(d.Type), Multiple: bool(d.Multiple), Label: string(d.Form)}
	}
	return types, nil
}
