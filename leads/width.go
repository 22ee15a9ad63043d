package leads

// Widths are the widths of the mirror's text columns in UTF-16 units, by "table.column". An
// adopted database may have narrower columns than its own script creates. A column that is not
// in it, and one that is wider, has the width of the script.
type Widths map[string]int

// ScriptWidths are the widths of all text columns as the script creates them; 0 is unlimited.
func ScriptWidths() Widths {
	w := Widths{"bitrix_lead_solution.sql_solution": solutionColumn.Max}
	for _, f := range Fields {
		if f.Kind != DateTime && f.Kind != Date {
			w["bitrix_leads.sql_"+f.Name] = f.Max
		}
	}
	for _, column := range []string{"sql_CONTACT_ID", "sql_TYPE_ID", "sql_VALUE_TYPE", "sql_VALUE"} {
		w["bitrix_lead_contacts."+column] = contactColumn.Max
	}
	return w
}

// narrow returns the field with the width of a column.
func (w Widths) narrow(f Field, column string) Field {
	if width := w[column]; width > 0 && (f.Max == 0 || width < f.Max) {
		f.Max = width
	}
	return f
}

// Field returns the field with the width of its column.
func (w Widths) Field(f Field) Field {
	if len(w) == 0 {
		return f
	}
	return w.narrow(f, "bitrix_leads.sql_"+f.Name)
}

// Contact returns a contact as the mirror stores it: texts that are too long are cut.
func (w Widths) Contact(c Contact) Contact {
	cut := func(value, column string) string {
		return w.narrow(contactColumn, "bitrix_lead_contacts."+column).Column(value)
	}
	return Contact{
		ID: cut(c.ID, "sql_CONTACT_ID"), TypeID: cut(c.TypeID, "sql_TYPE_ID"),
		ValueType: cut(c.ValueType, "sql_VALUE_TYPE"), Value: cut(c.Value, "sql_VALUE"),
	}
}

func (w Widths) solution() Field {
	return w.narrow(solutionColumn, "bitrix_lead_solution.sql_solution")
}
