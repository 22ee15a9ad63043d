package bitrix24

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// ParseBody reads a body that is a form, or a JSON object, into the same tree: relays between
// Bitrix24 and leadsync turn one into the other. The content type does not matter, because
// they often leave it as it was. A byte order mark is skipped, and so are blanks and line breaks
// around the body. The error is ErrForm.
func ParseBody(body string) (*Form, error) {
	body = strings.TrimPrefix(strings.TrimPrefix(body, "\ufeff"), "%EF%BB%BF")
	body = strings.Trim(body, " \t\r\n")
	if strings.HasPrefix(body, "{") {
		return parseJSON(body)
	}
	return ParseForm(body)
}

// errJSON says what is wrong with a JSON body, never what stands in it.
var errJSON = fmt.Errorf("%w, nor JSON", ErrForm)

func parseJSON(body string) (*Form, error) {
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	root := &Form{}
	if root.fill(d, 0) != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return root, nil
}

// fill reads the next value into f. Values are written as PHP does: true is 1, false 0, and
// null is as if it were not there.
func (f *Form) fill(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		return f.fillChildren(d, v == '[', depth+1)
	case string:
		f.replace(v)
	case json.Number:
		f.replace(v.String())
	case bool:
		f.replace(map[bool]string{true: "1", false: "0"}[v])
	}
	return nil
}

// fillChildren reads the elements of a list or a map up to its end.
func (f *Form) fillChildren(d *json.Decoder, list bool, depth int) error {
	if depth > maxFormDepth {
		return errJSON
	}
	for i := 0; d.More(); i++ {
		name := strconv.Itoa(i)
		if !list {
			token, err := d.Token()
			if err != nil {
				return err
			}
			name, _ = token.(string)
		}
		if depth == 1 {
			if err := f.fillField(d, name); err != nil {
				return err
			}
			continue
		}
		if err := f.child(name).fill(d, depth); err != nil {
			return err
		}
	}
	_, err := d.Token()
	return err
}

// fillField reads a member of the whole object. Relays whose language knows no nested forms make of
// a field one member with brackets in its name, and some of each value a list.
func (f *Form) fillField(d *json.Decoder, name string) error {
	path, err := formPath(name)
	if err != nil {
		path = []string{name}
	}
	for _, part := range path {
		f = f.child(part)
	}
	if err := f.fill(d, len(path)); err != nil {
		return err
	}
	if only := f.At("0"); only != nil && len(f.Children) == 1 && len(only.Children) == 0 {
		f.Value, f.set, f.replaced = only.Value, only.set, f.replaced || only.replaced
		f.Children, f.index, f.next = nil, nil, 0
	}
	return nil
}
