package bitrix24_test

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/bitrix24"
)

// flat returns the leaves of a form, in order.
func flat(f *bitrix24.Form) []string {
	if len(f.Children) == 0 {
		return []string{"=" + f.Value}
	}
	var all []string
	for _, c := range f.Children {
		for _, leaf := range flat(c) {
			all = append(all, "/"+c.Name+leaf)
		}
	}
	return all
}

func TestParseForm(t *testing.T) {
	for _, c := range []struct {
		name, raw string
		want      []string
	}{
		{"order is kept", "b=1&a=2", []string{"/b=1", "/a=2"}},
		{"brackets, raw or encoded", "a[x]=1&a%5By%5D=2", []string{"/a/x=1", "/a/y=2"}},
		{"empty brackets count on", "a[]=1&a[5]=2&a[]=3", []string{"/a/0=1", "/a/5=2", "/a/6=3"}},
		{"a later value replaces an earlier one", "a=1&a=2", []string{"/a=2"}},
		{"a value replaces children", "a[x]=1&a=2", []string{"/a=2"}},
		{"children replace a value", "a=1&a[x]=2", []string{"/a/x=2"}},
		{"plus is a blank", "a=x+y%2Bz", []string{"/a=x y+z"}},
		{"no value", "a&b=", []string{"/a=", "/b="}},
		{"operators in names", "filter[%3E%3DID]=1", []string{"/filter/>=ID=1"}},
		{"nothing between ampersands", "&&a=1&", []string{"/a=1"}},
		{"a second equals sign belongs to the value", "a=b=c", []string{"/a=b=c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			form, err := bitrix24.ParseForm(c.raw)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, flat(form)); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseFormRefuses(t *testing.T) {
	for _, raw := range []string{"%zz=1", "a=%", "a[=1", "a]x[=1", "[a]=1", "a[b]c=1", "a" + strings.Repeat("[x]", 80) + "=1"} {
		if form, err := bitrix24.ParseForm(raw); !errors.Is(err, bitrix24.ErrForm) {
			t.Errorf("%.20q: %v, %v", raw, form, err)
		}
	}
}

func TestFormIsFoundAndBuilt(t *testing.T) {
	form, err := bitrix24.ParseForm("Filter[ID]=1&select[]=ID")
	if err != nil {
		t.Fatal(err)
	}
	if form.Fold("FILTER").Text("ID") != "1" || form.Fold("order") != nil || form.At("select", "0").Value != "ID" {
		t.Error("parameters are not found")
	}
	var none *bitrix24.Form
	if none.Fold("x") != nil || none.Text("x") != "" {
		t.Error("a form that is absent has children")
	}
	built := &bitrix24.Form{}
	list := built.Add("list", "")
	list.Add("", "a")
	list.Add("7", "b")
	list.Add("", "c")
	list.Add("0", "replaced")
	if d := cmp.Diff([]string{"/list/0=replaced", "/list/7=b", "/list/8=c"}, flat(built)); d != "" {
		t.Error(d)
	}
}

// FuzzParseForm checks that ParseForm never panics, and that what it read can be written as a
// form and read again as the same tree.
func FuzzParseForm(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
	if err != nil || len(files) == 0 {
		f.Fatal("no examples: ", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.TrimSpace(string(text)))
	}
	f.Add("a[]=1&a[][b]=2&a[0]=3&=4")
	for _, bodies := range []map[string]string{oddCallbacks, ambiguousCallbacks} {
		for _, body := range bodies {
			f.Add(body)
		}
	}
	f.Fuzz(func(t *testing.T, raw string) {
		form, err := bitrix24.ParseForm(raw)
		if err != nil {
			return
		}
		again, err := bitrix24.ParseForm(strings.Join(pairs("", form), "&"))
		if err != nil {
			t.Fatalf("%q written again: %v", raw, err)
		}
		if d := cmp.Diff(flat(form), flat(again)); d != "" {
			t.Errorf("%q\n%s", raw, d)
		}
	})
}

// pairs writes a form the way http_build_query does.
func pairs(at string, f *bitrix24.Form) []string {
	var all []string
	for _, c := range f.Children {
		name := c.Name
		if at != "" {
			name = at + "[" + c.Name + "]"
		}
		if len(c.Children) == 0 {
			all = append(all, url.QueryEscape(name)+"="+url.QueryEscape(c.Value))
		} else {
			all = append(all, pairs(name, c)...)
		}
	}
	return all
}
