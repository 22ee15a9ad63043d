package emulator

import (
	"net/http"
	"strconv"
	"strings"

	"leadsync/bitrix24"
)

// crm.item.get and crm.item.list show the same leads as entity type 1 in the newer
// convention: camel case, numbers as numbers, real error codes (docs/bitrix24.md 6.7).

// itemField is one field of an item: where its value comes from and how it is shown.
type itemField struct {
	name  string
	place int // of the lead's field; -1 for a fixed or computed value
	show  func(l *lead, v *view) any
}

// itemFields are in the order of the documentation's sample
// (crm.item.get.lead.response.json); custom fields come in place of ufSlot.
var itemFields = buildItemFields()

const ufSlot = "ufCrm"

func buildItemFields() []itemField {
	null := func(*lead, *view) any { return nil }
	fixed := func(v any) func(*lead, *view) any { return func(*lead, *view) any { return v } }
	of := func(name string, place int) itemField { return itemField{name, place, standardItem(place)} }
	off := func(name string, show func(*lead, *view) any) itemField { return itemField{name, -1, show} }
	return []itemField{
		of("id", fieldID), of("createdTime", fieldCreated), off("dateCreateShort", null),
		of("updatedTime", fieldModified), off("dateModifyShort", null), of("createdBy", fieldCreatedBy),
		of("updatedBy", fieldModifiedBy), of("assignedById", fieldAssigned), of("opened", fieldOpened),
		of("companyId", fieldCompanyID), of("contactId", fieldContactID), of("stageId", fieldStatus),
		off("isConvert", null), of("statusDescription", fieldStatusText), of("stageSemanticId", fieldSemantic),
		off("productId", null), of("opportunity", fieldOpportunity), of("currencyId", fieldCurrency),
		of("sourceId", fieldSource), of("sourceDescription", fieldSourceText), of("title", fieldTitle),
		of("name", fieldName), of("lastName", fieldLastName), of("secondName", fieldSecondName),
		off("shortName", null), of("companyTitle", fieldCompanyTitle), of("post", fieldPost), off("address", null),
		of("comments", fieldComments), off("webformId", fixed(0)), of("originatorId", fieldOriginator),
		of("originId", fieldOrigin), of("dateClosed", fieldClosed), of("birthdate", fieldBirthdate),
		of("honorific", fieldHonorific), of("hasPhone", fieldHasPhone), of("hasEmail", fieldHasEmail),
		of("hasImol", fieldHasImol), off("login", null), of("isReturnCustomer", fieldReturn),
		off("searchContent", searchContent), of("isManualOpportunity", fieldManual), of("movedBy", fieldMovedBy),
		of("movedTime", fieldMoved), of("lastActivityBy", fieldActivityBy), of("lastActivityTime", fieldActivity),
		off("phoneMobile", flat(multiPhone, "MOBILE")), off("phoneWork", flat(multiPhone, "WORK")),
		off("phoneMailing", flat(multiPhone, "MAILING")), off("emailHome", flat(multiEmail, "HOME")),
		off("emailWork", flat(multiEmail, "WORK")), off("emailMailing", flat(multiEmail, "MAILING")),
		off("skype", null), off("icq", null), off("imol", flat(multiIM, "OPENLINE")), off("email", flat(multiEmail, "")),
		off("phone", flat(multiPhone, "")), off("fm", itemMultifields), off(ufSlot, null),
		off("parentId1222", null), of("utmSource", fieldUTMSource), of("utmMedium", fieldUTMMedium),
		of("utmCampaign", fieldUTMCampaign), of("utmContent", fieldUTMContent), of("utmTerm", fieldUTMTerm),
		off("observers", fixed(list{})), off("contactIds", contactIDs), off("entityTypeId", fixed(1)),
	}
}

// standardItem shows a standard field of a lead the way crm.item does.
func standardItem(place int) func(*lead, *view) any {
	switch leadFields[place].kind {
	case kindID:
		return func(l *lead, _ *view) any { return l.id }
	case kindRef:
		return func(l *lead, _ *view) any {
			n, _ := strconv.Atoi(l.text(place)) // empty is 0: "companyId": 0
			return n
		}
	case kindDouble:
		return func(l *lead, _ *view) any {
			n, _ := strconv.ParseFloat(l.text(place), 64)
			return n
		}
	case kindTime:
		return func(l *lead, v *view) any {
			if l.instant(place) == 0 {
				return nil
			}
			return quoted(v.appendTime(nil, l.instant(place)))
		}
	case kindDate:
		return func(l *lead, v *view) any {
			if l.text(place) == "" {
				return nil
			}
			return quoted(v.appendDate(nil, l.text(place)))
		}
	default:
		return func(l *lead, _ *view) any {
			if text := shownText(l, place); text != "" {
				return text
			}
			return nil
		}
	}
}

// quoted is finished JSON.
type quoted []byte

func (q quoted) appendJSON(dst []byte) []byte { return append(dst, q...) }

// flat is the first value of a multifield with that type; "" is any type.
func flat(which int, valueType string) func(*lead, *view) any {
	return func(l *lead, _ *view) any {
		for _, m := range l.multi(which) {
			if valueType == "" || m.valueType == valueType {
				return m.value
			}
		}
		return ""
	}
}

func itemMultifields(l *lead, v *view) any {
	rows := list{}
	for which, name := range multiTypes {
		for _, m := range l.multi(which) {
			rows = append(rows, object{{"id", m.id}, {"valueType", m.valueType}, {"value", m.value}, {"typeId", name}})
		}
	}
	if v.odd.mapsContacts() {
		return holes(rows)
	}
	return rows
}

func contactIDs(l *lead, _ *view) any {
	n, _ := strconv.Atoi(l.text(fieldContactID))
	if n == 0 {
		return list{}
	}
	return list{n}
}

func searchContent(l *lead, _ *view) any {
	parts := []string{strconv.FormatInt(l.id, 10)}
	for _, place := range []int{fieldTitle, fieldLastName, fieldName, fieldSecondName, fieldCompanyTitle} {
		if text := l.text(place); text != "" {
			parts = append(parts, text)
		}
	}
	for _, which := range []int{multiPhone, multiEmail} {
		for _, m := range l.multi(which) {
			parts = append(parts, m.value)
		}
	}
	return strings.Join(parts, " ")
}

// itemUFName is a custom field's name in crm.item: ufCrm_1720019876534,
// ufCrmHelloWorld.
func itemUFName(name string) string {
	var b strings.Builder
	for i, part := range strings.Split(strings.ToLower(name), "_") {
		switch {
		case i == 0:
			b.WriteString(part)
		case part != "" && part[0] >= '0' && part[0] <= '9':
			b.WriteString("_" + part)
		case part != "":
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// itemView is which fields of items an answer shows, and how.
type itemView struct {
	*view
	all     bool
	names   map[string]bool
	ufNames [len(userFields)]string
}

func (c *call) itemView() *itemView {
	v := &itemView{view: c.spoil(c.fullView(c.caller.token)), names: map[string]bool{"id": true}}
	chosen := c.param("select")
	v.all = chosen == nil || len(chosen.Children) == 0
	original := c.text("useOriginalUfNames") == "Y"
	for i := range userFields {
		v.ufNames[i] = userFields[i].name
		if !original {
			v.ufNames[i] = itemUFName(userFields[i].name)
		}
	}
	if !v.all {
		for _, f := range chosen.Children {
			v.all = v.all || f.Value == "*"
			v.names[f.Value] = true
		}
	}
	return v
}

// show is one item.
func (v *itemView) show(l *lead) object {
	o := object{}
	for i := range itemFields {
		f := &itemFields[i]
		switch {
		case f.name == ufSlot:
			o = v.addCustom(o, l)
		case v.all || v.names[f.name] && f.name != "fm":
			o = append(o, pair{f.name, f.show(l, v.view)})
		}
	}
	if v.odd.unencodable(l) {
		o = append(o, pair{"broken", quoted{brokenByte}})
	}
	return o
}

func (v *itemView) addCustom(o object, l *lead) object {
	for i := range userFields {
		if v.fields.gone[i] || !v.all && !v.names[v.ufNames[i]] {
			continue
		}
		values := l.texts(standardFields + i)
		var shown any
		switch uf := &userFields[i]; {
		case uf.multiple && len(values) == 0:
			shown = list{}
		case uf.typ == "boolean":
			shown = yesNo(len(values) > 0)
		default:
			shown = quoted(v.appendCustom(nil, l, i, values))
		}
		o = append(o, pair{v.ufNames[i], shown})
	}
	return o
}

// leadsOnly refuses entity types other than leads: the emulator has no others.
func (c *call) leadsOnly() error {
	if c.text("entityTypeId") != "1" {
		return &refusal{http.StatusBadRequest, "ENTITY_TYPE_NOT_SUPPORTED", "Entity type `" + c.text("entityTypeId") + "` is not supported"}
	}
	return nil
}

// crmItemGet is crm.item.get for leads.
func crmItemGet(c *call) (answer, error) {
	if err := c.leadsOnly(); err != nil {
		return answer{}, err
	}
	id, err := strconv.ParseInt(c.text("id"), 10, 64)
	if err != nil {
		return answer{}, errItemNotFound
	}
	l := c.store.get(id)
	switch {
	case l == nil:
		return answer{}, errItemNotFound
	case c.hidden(l):
		return answer{}, errItemDenied
	}
	if c.happens(c.Faults().WrongLead) {
		if other := c.other(l); other != nil {
			l = other
		}
	}
	return answer{result: object{{"item", c.itemView().show(l)}}}, nil
}

// crmItemList is crm.item.list for leads. Unlike crm.lead.list it refuses filters on unknown
// fields and supports OR.
func crmItemList(c *call) (answer, error) {
	if err := c.leadsOnly(); err != nil {
		return answer{}, err
	}
	q, err := c.itemQuery()
	if err != nil {
		return answer{}, err
	}
	start := startOf(c.text("start"))
	rows, a := c.pageOf(q, start)
	f := c.Faults()
	v, odd, items := c.itemView(), f.oddID(false), list{}
	for i, l := range rows {
		item := v.show(l)
		if odd != nil && i == len(rows)/2 {
			item[0].val = quoted(odd) // the id is always the first
		}
		items = append(items, item)
	}
	a.result = object{{"items", items}}
	return a, nil
}

// itemPlaces is a lead's field by its name in items or in leads.
var itemPlaces = func() map[string]int {
	m := map[string]int{}
	for i := range itemFields {
		if itemFields[i].place >= 0 {
			m[itemFields[i].name] = itemFields[i].place
		}
	}
	for i := range userFields {
		m[itemUFName(userFields[i].name)] = standardFields + i
		m[userFields[i].name] = standardFields + i
	}
	return m
}()

func (c *call) itemQuery() (*query, error) {
	q := c.openQuery()
	if filter := c.param("filter"); filter != nil && !c.happens(c.Faults().IgnoreFilter) {
		for _, f := range filter.Children {
			part, err := c.itemClause(f)
			if err != nil {
				return nil, err
			}
			q.and(part)
		}
	}
	if order := c.param("order"); order != nil {
		for _, f := range order.Children {
			if place, ok := itemPlaces[f.Name]; ok {
				q.order = append(q.order, ordering{place, strings.EqualFold(f.Value, "DESC")})
			}
		}
	}
	return q, nil
}

// itemClause is a condition, or a group {"logic":"OR", …} of them.
func (c *call) itemClause(f *bitrix24.Form) (predicate, error) {
	if _, err := strconv.Atoi(f.Name); err == nil && len(f.Children) > 0 {
		g := &group{}
		for _, child := range f.Children {
			if child.Name == "logic" {
				g.or = strings.EqualFold(child.Value, "OR")
				continue
			}
			part, err := c.itemClause(child)
			if err != nil {
				return nil, err
			}
			g.parts = append(g.parts, part)
		}
		return g, nil
	}
	op, _ := splitKey(f.Name)
	name := strings.TrimPrefix(f.Name, op)
	place, ok := itemPlaces[name]
	if !ok {
		return nil, &refusal{http.StatusBadRequest, "INVALID_ARG_VALUE", "Invalid filter: field '" + name + "' is not allowed in filter"}
	}
	return newCondition(op, place, 0, f, c.Portal), nil
}
