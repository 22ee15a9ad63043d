package language_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"leadsync/handlers/language"
	"leadsync/leads"
)

// sources are the program's files, without its tests.
func sources(t *testing.T) (all map[string]*ast.File) {
	t.Helper()
	all = map[string]*ast.File{}
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		all[path], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// constants of other files that texts have in them.
var constants = map[string]string{"leads.CallbackPath": leads.CallbackPath, "leads.LoginPath": leads.LoginPath, "LoginPath": "/login"}

// textOf is the value of an expression where it is a text that is put together of literals; "" of any other.
func textOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			return constant.StringVal(constant.MakeFromLiteral(e.Value, e.Kind, 0))
		}
	case *ast.BinaryExpr:
		if left, right := textOf(e.X), textOf(e.Y); left != "" && right != "" {
			return left + right
		}
	case *ast.Ident:
		return constants[e.Name]
	case *ast.SelectorExpr:
		if of, ok := e.X.(*ast.Ident); ok {
			return constants[of.Name+"."+e.Sel.Name]
		}
	}
	return ""
}

// shown are the texts that a node shows to people: those of language.Say, and the titles and advices of pages.
func shown(n ast.Node) (all []string) {
	switch n := n.(type) {
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Say" && len(n.Args) > 1 {
			return []string{textOf(n.Args[1])}
		}
	case *ast.CompositeLit:
		elements := n.Elts
		if table, ok := n.Type.(*ast.MapType); ok && isWords(table.Value) {
			elements = nil
			for _, e := range n.Elts {
				if pair, ok := e.(*ast.KeyValueExpr); ok {
					if value, ok := pair.Value.(*ast.CompositeLit); ok {
						elements = append(elements, value.Elts...)
					}
				}
			}
		} else if !isWords(n.Type) {
			return nil
		}
		for _, e := range elements {
			all = append(all, textOf(e))
		}
	}
	return all
}

func isWords(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "words"
}

// A text that has no Russian would be shown in English. Package console looks at its own pages.
func TestTextsOfPagesAreInTheCatalogue(t *testing.T) {
	n := 0
	for path, file := range sources(t) {
		if !strings.HasPrefix(path, "../../handlers/") {
			continue
		}
		ast.Inspect(file, func(node ast.Node) bool {
			for _, text := range shown(node) {
				if text == "" || text == "leadsync" {
					continue
				}
				if n++; !language.Has(language.Russian, text) {
					t.Errorf("%s: %q has no Russian", path, text)
				}
			}
			return true
		})
	}
	if n < 50 {
		t.Errorf("only %d texts were looked at", n)
	}
}

// What nobody says any more leaves the catalogue.
func TestCatalogueHasNothingElse(t *testing.T) {
	said := map[string]bool{"portal %s": true, "callbacks of %s": true} // partName puts them together
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				said[textOf(e)] = true
			}
			return true
		})
	}
	templates, err := filepath.Glob("../console/templates/*.html")
	if err != nil || len(templates) < 10 {
		t.Fatal(templates, err)
	}
	for _, name := range append(templates, "../../bitrix24/emulator/page.html") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range regexp.MustCompile(`[ (]"([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
			said[found[1]] = true
		}
	}
	for _, text := range language.Texts(language.Russian) {
		if asked := strings.TrimSuffix(text, " [y/N]"); !said[text] && !said[asked] && !language.Has(language.English, text) {
			t.Errorf("nobody says %q", text)
		}
	}
}

// A text keeps its values in the other language, in any order.
func TestTextsKeepTheirValues(t *testing.T) {
	verb := regexp.MustCompile(`%[a-z]`)
	for _, text := range language.Texts(language.Russian) {
		original, russian := language.Say(language.English, text), language.Say(language.Russian, text)
		if got, want := verb.FindAllString(russian, -1), verb.FindAllString(original, -1); !slices.Equal(got, want) {
			t.Errorf("%q has the values %v, want %v", russian, got, want)
		}
		if letters := strings.ContainsFunc(text, unicode.IsLetter); letters && text != "NATS" && text != "nats" && !strings.ContainsFunc(russian, func(r rune) bool { return unicode.Is(unicode.Cyrillic, r) }) {
			t.Errorf("%q has no Russian: %q", text, russian)
		}
	}
	for _, text := range language.Texts(language.English) {
		if !language.Has(language.Russian, text) {
			t.Errorf("%q has no Russian", text)
		}
		if language.Say(language.English, text) == text {
			t.Errorf("%q has no English", text)
		}
	}
	if language.Say(language.Russian, "") != "" || language.Say("", "Leads") != "Leads" || language.Say(language.Russian, "100%s") != "100%s" {
		t.Error("what the catalogue lacks does not stay as it is")
	}
}

// The parser takes a line that it cannot read for an empty one, and of two equal texts the last.
func TestEveryEntryOfTheFilesIsRead(t *testing.T) {
	for lang, name := range map[string]string{language.English: "en.po", language.Russian: "ru.po"} {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if entries := strings.Count("\n"+string(file), "\nmsgid ") - 1; entries != language.Size(lang) || entries < 100 {
			t.Errorf("%s: %d of %d entries were read: is one there twice, or a quotation mark missing?", name, language.Size(lang), entries)
		}
	}
}

// One thing has one name: that of the menu, and of the documentation.
func TestRussianNamesAreTheSameEverywhere(t *testing.T) {
	file, err := os.ReadFile("ru.po")
	if err != nil {
		t.Fatal(err)
	}
	for other, name := range map[string]string{`(?i)публичн`: "внешний адрес", `(?i)не записанн`: "незаписанные лиды"} {
		for _, line := range regexp.MustCompile(`(?m)^.*`+other+`.*$`).FindAllString(string(file), -1) {
			t.Errorf("%s: want %q", line, name)
		}
	}
}
