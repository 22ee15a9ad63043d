package emulator

import (
	"encoding/binary"
	"strings"
)

// lead is one lead, packed, because a million of them must fit in memory. A lead in the store
// never changes: an edit replaces it, so a reader sees each lead as it was at one moment.
type lead struct {
	id int64
	// Instants in unix seconds. closed is 0 while the lead is open.
	created, modified, closed, moved, activity int64
	// body has the values that are not empty, as entries of tag, length and text in
	// ascending order of tags. A tag below tagMulti is the place of a field; a multiple
	// custom field has one entry for each value. From tagMulti on, a tag is a multifield;
	// its text is the id and the length of VALUE_TYPE as varints, VALUE_TYPE and VALUE.
	body string
}

const tagMulti = 200

// multifield is one row of PHONE, EMAIL, WEB, IM or LINK (docs/bitrix24.md 7).
type multifield struct {
	id        int64
	valueType string
	value     string
}

// varint reads an unsigned varint, as binary.AppendUvarint writes it.
func varint(s string) (n int, rest string) {
	for i, shift := 0, 0; i < len(s); i, shift = i+1, shift+7 {
		n |= int(s[i]&0x7f) << shift
		if s[i] < 0x80 {
			return n, s[i+1:]
		}
	}
	return 0, ""
}

// entry splits the first entry off a body.
func entry(body string) (tag int, text, rest string) {
	n, after := varint(body[1:])
	return int(body[0]), after[:n], after[n:]
}

func splitMultifield(text string) multifield {
	id, rest := varint(text)
	n, rest := varint(rest)
	return multifield{id: int64(id), valueType: rest[:n], value: rest[n:]}
}

// text is the first value of a field; "" if it is empty.
func (l *lead) text(place int) string {
	for body := l.body; body != ""; {
		tag, text, rest := entry(body)
		if tag == place {
			return text
		}
		if tag > place {
			return ""
		}
		body = rest
	}
	return ""
}

// texts are all values of a multiple field.
func (l *lead) texts(place int) []string {
	var all []string
	for body := l.body; body != ""; {
		tag, text, rest := entry(body)
		if tag == place {
			all = append(all, text)
		}
		body = rest
	}
	return all
}

// multi are the rows of one multifield.
func (l *lead) multi(which int) []multifield {
	var all []multifield
	for body := l.body; body != ""; {
		tag, text, rest := entry(body)
		if tag == tagMulti+which {
			all = append(all, splitMultifield(text))
		}
		body = rest
	}
	return all
}

// instant is a datetime field in unix seconds; 0 if it is empty.
func (l *lead) instant(place int) int64 {
	switch place {
	case fieldCreated:
		return l.created
	case fieldModified:
		return l.modified
	case fieldClosed:
		return l.closed
	case fieldMoved:
		return l.moved
	default:
		return l.activity
	}
}

// derived computes a field that is not stored.
func (l *lead) derived(place int) string {
	switch place {
	case fieldHasPhone:
		return yesNo(l.has(multiPhone))
	case fieldHasEmail:
		return yesNo(l.has(multiEmail))
	case fieldHasImol:
		for _, m := range l.multi(multiIM) {
			if strings.HasPrefix(m.value, "imol|") {
				return "Y"
			}
		}
		return "N"
	default:
		return semantics(l.text(fieldStatus))
	}
}

func (l *lead) has(which int) bool {
	for body := l.body; body != ""; {
		tag, _, rest := entry(body)
		if tag == tagMulti+which {
			return true
		}
		body = rest
	}
	return false
}

// draft is a lead being written.
type draft struct {
	lead   // its body is out of date until pack
	fields [standardFields + len(userFields)][]string
	multis [len(multiTypes)][]multifield
}

// draft unpacks a lead for an edit.
func (l *lead) draft() *draft {
	d := &draft{lead: *l}
	for body := l.body; body != ""; {
		tag, text, rest := entry(body)
		if tag >= tagMulti {
			d.multis[tag-tagMulti] = append(d.multis[tag-tagMulti], splitMultifield(text))
		} else {
			d.fields[tag] = append(d.fields[tag], text)
		}
		body = rest
	}
	return d
}

// put sets a field to one value; "" clears it.
func (d *draft) put(place int, value string) {
	d.fields[place] = d.fields[place][:0]
	if value != "" {
		d.fields[place] = append(d.fields[place], value)
	}
}

// pack returns the lead for the store.
func (d *draft) pack() *lead {
	packed := make([]byte, 0, 512)
	for place, values := range d.fields {
		for _, v := range values {
			if v == "" {
				continue
			}
			packed = append(packed, tagByte(place))
			packed = binary.AppendUvarint(packed, uint64(len(v)))
			packed = append(packed, v...)
		}
	}
	for which, rows := range d.multis {
		for _, m := range rows {
			head := binary.AppendUvarint(nil, uint64(max(m.id, 0)))
			head = binary.AppendUvarint(head, uint64(len(m.valueType)))
			packed = append(packed, tagByte(tagMulti+which))
			packed = binary.AppendUvarint(packed, uint64(len(head)+len(m.valueType)+len(m.value)))
			packed = append(packed, head...)
			packed = append(packed, m.valueType...)
			packed = append(packed, m.value...)
		}
	}
	l := d.lead
	l.body = string(packed)
	return &l
}

// tagByte is a tag as it is stored: all places are below 256.
func tagByte(place int) byte {
	return byte(place) //nolint:gosec // standardFields + custom fields < tagMulti
}
