package bitrix24

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// ErrForm says that a form cannot be read. Its text never contains the form, because
// callbacks carry tokens.
var ErrForm = errors.New("form is not what http_build_query writes")

// maxFormDepth is how deep brackets may be nested; PHP itself stops at 64.
const maxFormDepth = 64

// Form is one node of a form as PHP's http_build_query writes it and PHP's own parser reads
// it: either a value, or named children in the order in which they came. auth[domain]=x is
// the child "domain" of the child "auth".
type Form struct {
	Name     string
	Value    string
	Children []*Form

	next     int // the index that the next empty bracket, x[]=, takes
	index    map[string]*Form
	set      bool // a value came for this place
	replaced bool // something else stood here before
}

// ParseForm reads a form body or a query string. Brackets may be percent-encoded or not,
// values may be empty, and a later scalar replaces an earlier one, as in PHP. The error is
// ErrForm. Source: docs/bitrix24.md 2.3 and 3.1.
func ParseForm(raw string) (*Form, error) {
	root := &Form{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(key)
		if err != nil {
			return nil, fmt.Errorf("%w: a name has a broken percent escape", ErrForm)
		}
		text, err := url.QueryUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("%w: a value has a broken percent escape", ErrForm)
		}
		path, err := formPath(name)
		if err != nil {
			return nil, err
		}
		root.put(path, text)
	}
	return root, nil
}

// formPath splits a[b][] into a, b and "".
func formPath(name string) ([]string, error) {
	open := strings.IndexByte(name, '[')
	if open < 0 {
		return []string{name}, nil
	}
	if open == 0 {
		return nil, fmt.Errorf("%w: a name starts with a bracket", ErrForm)
	}
	path := []string{name[:open]}
	for rest := name[open:]; rest != ""; {
		end := strings.IndexByte(rest, ']')
		if rest[0] != '[' || end < 0 {
			return nil, fmt.Errorf("%w: brackets do not match", ErrForm)
		}
		path = append(path, rest[1:end])
		rest = rest[end+1:]
	}
	if len(path) > maxFormDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", ErrForm, maxFormDepth)
	}
	return path, nil
}

func (f *Form) put(path []string, value string) {
	for i, name := range path {
		if name == "" && i > 0 {
			name = strconv.Itoa(f.next)
		}
		f = f.child(name)
	}
	f.replace(value)
}

// replace makes f a value.
func (f *Form) replace(value string) {
	f.replaced = f.replaced || f.set && f.Value != value || len(f.Children) > 0
	f.Value, f.set = value, true
	f.Children, f.index, f.next = nil, nil, 0
}

// ambiguous reports whether two different things came for a place, or for one above it. The
// later one stands.
func (f *Form) ambiguous(path []string) bool {
	for i := range path {
		if at := f.At(path[:i+1]...); at != nil && at.replaced {
			return true
		}
	}
	return false
}

// child returns the child with that name, and adds it if it is missing.
func (f *Form) child(name string) *Form {
	if c, ok := f.index[name]; ok {
		return c
	}
	if f.index == nil {
		f.index = map[string]*Form{}
		f.replaced = f.replaced || f.set
		f.Value, f.set = "", false
	}
	c := &Form{Name: name}
	f.index[name] = c
	f.Children = append(f.Children, c)
	if n, err := strconv.Atoi(name); err == nil && n >= f.next && n < 1<<30 {
		f.next = n + 1
	}
	return c
}

// At follows names down the tree; it returns nil if a name is missing.
func (f *Form) At(names ...string) *Form {
	for _, name := range names {
		if f == nil {
			return nil
		}
		f = f.index[name]
	}
	return f
}

// Text returns the value at that path; "" if it is missing or has children.
func (f *Form) Text(names ...string) string {
	if at := f.At(names...); at != nil {
		return at.Value
	}
	return ""
}

// Add sets the value of the child with that name, adds the child if it is missing, and
// returns it. It builds trees that did not arrive as a form, such as JSON bodies. An empty
// name takes the next index, as x[] does.
func (f *Form) Add(name, value string) *Form {
	if name == "" {
		name = strconv.Itoa(f.next)
	}
	c := f.child(name)
	c.replace(value)
	return c
}

// Fold returns the first child whose name is equal without regard to case, nil if there is
// none: Bitrix24 accepts parameter names in any case (docs/bitrix24.md 3.1).
func (f *Form) Fold(name string) *Form {
	if f == nil {
		return nil
	}
	if c, ok := f.index[name]; ok {
		return c
	}
	for _, c := range f.Children {
		if strings.EqualFold(c.Name, name) {
			return c
		}
	}
	return nil
}
