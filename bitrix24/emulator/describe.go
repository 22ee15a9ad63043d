package emulator

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"leadsync/bitrix24"
)

// fieldsOrder is the order of crm.lead.fields, which is not that of crm.lead.get.
var fieldsOrder = strings.Fields(`ID TITLE HONORIFIC NAME SECOND_NAME LAST_NAME BIRTHDATE COMPANY_TITLE SOURCE_ID
	SOURCE_DESCRIPTION STATUS_ID STATUS_DESCRIPTION STATUS_SEMANTIC_ID POST ADDRESS ADDRESS_2 ADDRESS_CITY
	ADDRESS_POSTAL_CODE ADDRESS_REGION ADDRESS_PROVINCE ADDRESS_COUNTRY ADDRESS_COUNTRY_CODE ADDRESS_LOC_ADDR_ID
	CURRENCY_ID OPPORTUNITY IS_MANUAL_OPPORTUNITY OPENED COMMENTS HAS_PHONE HAS_EMAIL HAS_IMOL ASSIGNED_BY_ID
	CREATED_BY_ID MODIFY_BY_ID MOVED_BY_ID DATE_CREATE DATE_MODIFY MOVED_TIME COMPANY_ID CONTACT_ID CONTACT_IDS
	IS_RETURN_CUSTOMER DATE_CLOSED ORIGINATOR_ID ORIGIN_ID UTM_SOURCE UTM_MEDIUM UTM_CAMPAIGN UTM_CONTENT UTM_TERM
	LAST_ACTIVITY_TIME LAST_ACTIVITY_BY`)

// crmLeadFields is crm.lead.fields (docs/bitrix24.md 6.4).
func crmLeadFields(c *call) (answer, error) {
	all := object{}
	for _, name := range fieldsOrder {
		if name == "CONTACT_IDS" { // it can only be written, so the emulator does not store it
			all = append(all, pair{name, append(attributes("crm_contact", false, true, false), pair{"title", name})})
			continue
		}
		all = append(all, pair{name, leadFields[fieldByName[name]].describe()})
	}
	for i, name := range multiTypes {
		all = append(all, pair{name, append(attributes("crm_multifield", false, true, false), pair{"title", multiTitles[i]})})
	}
	for _, f := range c.definitions.Load().all() {
		all = append(all, pair{f.name, f.describe()})
	}
	return answer{result: all}, nil
}

func attributes(typ string, readOnly, multiple, dynamic bool) object {
	return object{
		{"type", typ},
		{"isRequired", false},
		{"isReadOnly", readOnly},
		{"isImmutable", false},
		{"isMultiple", multiple},
		{"isDynamic", dynamic},
	}
}

func (f *field) describe() object {
	o := attributes(f.typ, f.readOnly, false, false)
	if f.statusType != "" {
		o = append(o, pair{"statusType", f.statusType})
	}
	if f.name == "CONTACT_ID" {
		o = append(o, pair{"isDeprecated", true})
	}
	o = append(o, pair{"title", f.title})
	if f.name == "COMPANY_ID" {
		o = append(o, pair{"settings", object{{"parentEntityTypeId", 4}}})
	}
	return o
}

func (f *userField) describe() object {
	o := attributes(f.typ, false, f.multiple, true)
	if len(f.options) > 0 {
		items := list{}
		for _, opt := range f.options {
			items = append(items, object{{"ID", opt.id}, {"VALUE", opt.value}})
		}
		o = append(o, pair{"items", items})
	}
	return append(
		o,
		pair{"title", f.name},
		pair{"listLabel", f.label},
		pair{"formLabel", f.label},
		pair{"filterLabel", f.label},
		pair{"settings", f.settings},
	)
}

// labelKeys are the texts for people in a row of crm.lead.userfield.list.
var labelKeys = []string{"EDIT_FORM_LABEL", "LIST_COLUMN_LABEL", "LIST_FILTER_LABEL", "ERROR_MESSAGE", "HELP_MESSAGE"}

// asksLabels tells whether a call wants the texts for people: it names their language
// (docs/bitrix24.md 6.4.3).
func (c *call) asksLabels() bool {
	filter := c.param("filter")
	return filter != nil && filter.Fold("LANG") != nil
}

// show is the row of crm.lead.userfield.list.
func (f *userField) show(labels bool) object {
	o := object{
		{"ID", f.id},
		{"ENTITY_ID", "CRM_LEAD"},
		{"FIELD_NAME", f.name},
		{"USER_TYPE_ID", f.typ},
		{"XML_ID", nil},
		{"SORT", f.sort},
		{"MULTIPLE", yesNo(f.multiple)},
		{"MANDATORY", "N"},
		{"SHOW_FILTER", "E"},
		{"SHOW_IN_LIST", "Y"},
		{"EDIT_IN_LIST", "Y"},
		{"IS_SEARCHABLE", "N"},
		{"SETTINGS", f.settings},
		{"EDIT_FORM_LABEL", f.label},
		{"LIST_COLUMN_LABEL", f.label},
		{"LIST_FILTER_LABEL", f.label},
		{"ERROR_MESSAGE", nil},
		{"HELP_MESSAGE", nil},
	}
	if !labels {
		o = slices.DeleteFunc(o, func(p pair) bool { return slices.Contains(labelKeys, p.key) })
	}
	if len(f.options) == 0 {
		return o
	}
	values := list{}
	for _, opt := range f.options {
		values = append(values, object{{"ID", opt.id}, {"SORT", opt.sort}, {"VALUE", opt.value}, {"DEF", "N"}, {"XML_ID", opt.xmlID}})
	}
	return append(o, pair{"LIST", values})
}

// crmUserFieldList is crm.lead.userfield.list: filter by equality, order by one field.
func crmUserFieldList(c *call) (answer, error) {
	for _, name := range []string{"filter", "order"} {
		if f := c.param(name); f != nil && f.Value != "" {
			return answer{}, errEmptyCode("Parameter '" + name + "' must be array.")
		}
	}
	rows := list{}
	for _, f := range c.definitions.Load().all() {
		row := f.show(c.asksLabels())
		if row.matches(c.param("filter")) {
			rows = append(rows, row)
		}
	}
	sortRows(rows, c.param("order"))
	total := len(rows)
	return answer{result: rows, total: &total}, nil
}

// matches is the simple filter of directories: equality, or one of a list. Keys that are not
// a field are ignored.
func (o object) matches(filter *bitrix24.Form) bool {
	if filter == nil {
		return true
	}
	for _, f := range filter.Children {
		name := strings.ToUpper(strings.TrimLeft(f.Name, "=@"))
		if _, known := o.member(name); !known {
			continue
		}
		have, ok := o.field(name), false
		if len(f.Children) == 0 {
			ok = have == f.Value
		}
		for _, c := range f.Children {
			ok = ok || have == c.Value
		}
		if !ok {
			return false
		}
	}
	return true
}

// sortRows orders rows of a directory by the first field of order.
func sortRows(rows list, order *bitrix24.Form) {
	if order == nil || len(order.Children) == 0 {
		return
	}
	key, descending := strings.ToUpper(order.Children[0].Name), strings.EqualFold(order.Children[0].Value, "DESC")
	text := func(i int) string {
		row, _ := rows[i].(object)
		return row.field(key)
	}
	sort.SliceStable(rows, func(i, j int) bool {
		a, b := text(i), text(j)
		m, errM := strconv.Atoi(a)
		n, errN := strconv.Atoi(b)
		if errM == nil && errN == nil {
			return m < n != descending && m != n
		}
		return a < b != descending && a != b
	})
}

// languages are the languages in which crm.lead.userfield.get shows labels.
var languages = strings.Fields("ar br de en fr hi id in it ja kz la ms pl ru sc tc th tr ua vn")

// crmUserFieldGet is crm.lead.userfield.get: the row of the list, with labels by language.
func crmUserFieldGet(c *call) (answer, error) {
	id, err := c.id()
	if err != nil {
		return answer{}, err
	}
	for _, f := range c.definitions.Load().all() {
		if f.id != strconv.FormatInt(id, 10) {
			continue
		}
		row := f.show(true)
		for k := range row {
			if strings.HasSuffix(row[k].key, "_LABEL") || strings.HasSuffix(row[k].key, "_MESSAGE") {
				text, _ := row[k].val.(string)
				row[k].val = byLanguage(text)
			}
		}
		return answer{result: row}, nil
	}
	return answer{}, errLeadNotFound
}

func byLanguage(text string) object {
	labels := make(object, 0, len(languages))
	for _, l := range languages {
		labels = append(labels, pair{l, text})
	}
	return labels
}
