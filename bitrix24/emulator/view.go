package emulator

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadsync/bitrix24"
)

// view says how one answer shows leads: which fields, in which time zone, and with whose token
// in the links to files.
type view struct {
	places   [standardFields + len(userFields)]bool
	multis   [len(multiTypes)]bool
	zone     *time.Location
	token    string
	restURL  string
	switches *Switches
	fields   *definitions
	added    []string  // names of added fields that are shown
	odd      *oddities // nil shows leads as they are
}

// fullView shows what crm.lead.get shows: everything.
func (p *Portal) fullView(token string) *view {
	v := p.emptyView(token)
	v.mark(0, standardFields)
	v.markCustom()
	for i := range v.multis {
		v.multis[i] = true
	}
	return v
}

// selectView reads the parameter select of crm.lead.list: "*" is all standard fields, "UF_*"
// all custom ones, and multifields are selected only by name. Without select it is "*"
// (docs/bitrix24.md 6.5). The id is always shown.
func (p *Portal) selectView(names *bitrix24.Form, token string) *view {
	v := p.emptyView(token)
	v.places[fieldID] = true
	if names == nil || len(names.Children) == 0 {
		v.mark(0, standardFields)
		return v
	}
	for _, c := range names.Children {
		switch name := strings.ToUpper(c.Value); name {
		case "*":
			v.mark(0, standardFields)
		case "UF_*":
			v.markCustom()
		default:
			if place, ok := fieldByName[name]; ok {
				v.places[place] = place < standardFields || !v.fields.gone[place-standardFields]
			} else if which, ok := multiByName(name); ok {
				v.multis[which] = true
			} else if slices.ContainsFunc(v.fields.added, func(f userField) bool { return f.name == name }) {
				v.added = append(v.added, name)
			}
		}
	}
	return v
}

// emptyView shows nothing yet.
func (p *Portal) emptyView(token string) *view {
	return &view{zone: p.zone, token: token, restURL: p.portalURL + "/", switches: &p.cfg.Switches, fields: p.definitions.Load()}
}

// markCustom shows all custom fields that exist.
func (v *view) markCustom() {
	for i := range v.fields.gone {
		v.places[standardFields+i] = !v.fields.gone[i]
	}
	v.added = nil
	for i := range v.fields.added {
		v.added = append(v.added, v.fields.added[i].name)
	}
}

func (v *view) mark(from, to int) {
	for i := from; i < to; i++ {
		v.places[i] = true
	}
}

// leadRow is a lead as a result of a call.
type leadRow struct {
	lead *lead
	view *view
}

func (r leadRow) appendJSON(dst []byte) []byte { return r.view.appendLead(dst, r.lead) }

// leadRows are the rows of a list.
type leadRows struct {
	leads  []*lead
	view   *view
	oddID  []byte // in place of the id of the row in the middle; nil is none
	mapped bool   // the list is a map with holes
}

func (r leadRows) appendJSON(dst []byte) []byte {
	if r.mapped || r.oddID != nil {
		return r.appendOdd(dst)
	}
	dst = append(dst, '[')
	for i, l := range r.leads {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = r.view.appendLead(dst, l)
	}
	return append(dst, ']')
}

func (r leadRows) appendOdd(dst []byte) []byte {
	rows := make(list, 0, len(r.leads))
	for i, l := range r.leads {
		row := r.view.appendLead(nil, l)
		if r.oddID != nil && i == len(r.leads)/2 {
			_, rest, _ := bytes.Cut(row, []byte(`"ID":"`+strconv.FormatInt(l.id, 10)+`"`))
			row = slices.Concat([]byte(`{"ID":`), r.oddID, rest)
		}
		rows = append(rows, quoted(row))
	}
	if r.mapped {
		return holes(rows).appendJSON(dst)
	}
	return appendList(dst, rows)
}

// fieldKeys are the JSON keys of all fields, with quotes and colon.
var fieldKeys = func() (keys [standardFields + len(userFields)]string) {
	for i := range leadFields {
		keys[i] = `"` + leadFields[i].name + `":`
	}
	for i := range userFields {
		keys[standardFields+i] = `"` + userFields[i].name + `":`
	}
	return keys
}()

// appendLead writes a lead: standard fields, custom fields, then the multifields that are not
// empty.
func (v *view) appendLead(dst []byte, l *lead) []byte {
	var texts [standardFields]string
	body := l.body
	for body != "" && int(body[0]) < standardFields {
		tag, text, rest := entry(body)
		texts[tag] = text
		body = rest
	}
	dst = append(dst, '{')
	for i := range standardFields {
		if v.places[i] {
			dst = append(dst, fieldKeys[i]...)
			dst = v.appendStandard(dst, l, i, texts[i])
			dst = append(dst, ',')
		}
	}
	if v.odd.unencodable(l) {
		dst = append(dst[:len(dst)-1], brokenByte, ',') // behind the id, which is always shown
	}
	for i := range userFields {
		place := standardFields + i
		var values []string
		for body != "" && int(body[0]) == place {
			_, text, rest := entry(body)
			values = append(values, text)
			body = rest
		}
		if v.places[place] {
			dst = append(dst, fieldKeys[place]...)
			dst = v.appendCustom(dst, l, i, values)
			dst = append(dst, ',')
		}
	}
	for _, name := range v.added {
		dst = append(dst, `"`+name+`":null,`...)
	}
	dst = v.appendMultis(dst, body)
	dst[len(dst)-1] = '}' // in place of the last comma: the id is always shown
	return dst
}

func (v *view) appendMultis(dst []byte, body string) []byte {
	if v.odd.mapsContacts() {
		return v.appendMultiMaps(dst, body)
	}
	for which, name := range multiTypes {
		first := true
		for body != "" && int(body[0]) == tagMulti+which {
			_, text, rest := entry(body)
			body = rest
			if !v.multis[which] {
				continue
			}
			if first {
				dst = append(dst, '"')
				dst = append(dst, name...)
				dst = append(dst, `":[`...)
				first = false
			}
			dst = appendMultifield(dst, splitMultifield(text), name)
			dst = append(dst, ',')
		}
		if !first {
			dst[len(dst)-1] = ']'
			dst = append(dst, ',')
		}
	}
	return dst
}

func (v *view) appendMultiMaps(dst []byte, body string) []byte {
	for which, name := range multiTypes {
		var rows list
		for body != "" && int(body[0]) == tagMulti+which {
			_, text, rest := entry(body)
			body = rest
			rows = append(rows, quoted(appendMultifield(nil, splitMultifield(text), name)))
		}
		if len(rows) > 0 && v.multis[which] {
			dst = append(dst, `"`+name+`":`...)
			dst = append(holes(rows).appendJSON(dst), ',')
		}
	}
	return dst
}

func appendMultifield(dst []byte, m multifield, typ string) []byte {
	dst = append(dst, `{"ID":"`...)
	dst = strconv.AppendInt(dst, m.id, 10)
	dst = append(dst, `","VALUE_TYPE":`...)
	dst = appendString(dst, m.valueType)
	dst = append(dst, `,"VALUE":`...)
	dst = appendString(dst, m.value)
	dst = append(dst, `,"TYPE_ID":"`...)
	dst = append(dst, typ...)
	return append(dst, `"}`...)
}

func (v *view) appendStandard(dst []byte, l *lead, place int, text string) []byte {
	switch leadFields[place].kind {
	case kindID:
		dst = append(dst, '"')
		dst = strconv.AppendInt(dst, l.id, 10)
		return append(dst, '"')
	case kindTime:
		return v.appendTime(dst, l.instant(place))
	case kindDate:
		return v.appendDate(dst, text)
	case kindDerived:
		return appendString(dst, l.derived(place))
	case kindFlag:
		if text == "" {
			return append(dst, `"N"`...)
		}
	case kindDouble:
		if text == "" {
			return append(dst, `"0.00"`...)
		}
	case kindName:
	default:
		if text == "" {
			return append(dst, "null"...)
		}
	}
	return appendString(dst, text)
}

// appendTime writes an instant in the portal's offset, resolution 1 s.
func (v *view) appendTime(dst []byte, unix int64) []byte {
	dst = append(dst, '"')
	if unix != 0 {
		dst = time.Unix(unix, 0).In(v.zone).AppendFormat(dst, time.RFC3339)
	}
	return append(dst, '"')
}

// appendDate writes a day as midnight UTC in the portal's offset, as in the documentation's
// sample of crm.item. Switches.DateOnly omits the time: for crm.lead it is not known
// (docs/bitrix24.md 6.3).
func (v *view) appendDate(dst []byte, day string) []byte {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return append(dst, `""`...)
	}
	if v.switches.DateOnly {
		return appendString(dst, day)
	}
	return v.appendTime(dst, t.Unix())
}

// appendCustom writes a custom field: a multiple one as a list, or false if it is empty; a
// single one as text, or null if it is empty; a boolean as a boolean.
func (v *view) appendCustom(dst []byte, l *lead, i int, values []string) []byte {
	uf := &v.fields.fields[i]
	switch {
	case uf.multiple && len(values) == 0:
		return append(dst, "false"...)
	case uf.multiple:
		many := v.many(l, i, values)
		if v.odd.mapsCustom() {
			return holes(many).appendJSON(dst)
		}
		return appendList(dst, many)
	case uf.typ == "boolean" && v.switches.BooleanText:
		if len(values) == 0 {
			return append(dst, `"0"`...)
		}
		return appendString(dst, values[0])
	case uf.typ == "boolean":
		return strconv.AppendBool(dst, len(values) > 0 && values[0] == "1")
	case len(values) == 0:
		return append(dst, "null"...)
	default:
		return appendString(dst, values[0])
	}
}

// many are the values of a multiple custom field. Files have links that contain the caller's
// token, so the same lead looks different to each token; a link to download may have a second
// token.
func (v *view) many(l *lead, i int, values []string) list {
	all := make(list, 0, len(values))
	for _, id := range values {
		if i != ufFiles {
			all = append(all, id)
			continue
		}
		link := "/bitrix/components/bitrix/crm.lead.show/show_file.php?auth=" + v.token +
			"&ownerId=" + strconv.FormatInt(l.id, 10) + "&fieldName=" + userFields[ufFiles].name +
			"&dynamic=Y&fileId=" + id
		number, _ := strconv.Atoi(id)
		all = append(all, object{{"id", number}, {"showUrl", link}, {"downloadUrl", link + v.odd.signature(v.token)}})
	}
	return all
}
