// Package docs_test checks what the documents say of the code.
package docs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = ".."

// files are those of the repository that git would know, by path from its root.
func files(t *testing.T, suffix string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := entry.Name(); entry.IsDir() && path != root && (strings.HasPrefix(name, ".") && name != ".github" || name == "node_modules" || name == "data" || name == "bin") {
			return filepath.SkipDir
		}
		if !entry.IsDir() && strings.HasSuffix(path, suffix) {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// declared are the functions, methods and types of a Go file.
func declared(t *testing.T, path string) (names []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			names = append(names, d.Name.Name)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok {
					names = append(names, s.Name.Name)
				}
			}
		}
	}
	return names
}

var named = regexp.MustCompile("`([a-z0-9_/*]+/[a-z0-9_]+\\.(?:go|sql))(?::([A-Za-z0-9_]+))?`")

func TestFilesAndFunctionsNamedInDocsExist(t *testing.T) {
	checked := 0
	for _, doc := range files(t, ".md") {
		for _, m := range named.FindAllStringSubmatch(read(t, doc), -1) {
			path, name := m[1], m[2]
			found, err := filepath.Glob(filepath.Join(root, path))
			if err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", doc, path)
				continue
			}
			checked++
			if name != "" && !slices.Contains(declared(t, found[0]), name) {
				t.Errorf("%s names %s:%s, which is not there", doc, path, name)
			}
		}
	}
	if checked < 30 {
		t.Errorf("only %d names were found", checked)
	}
}

func TestTestsNamedInDocsExist(t *testing.T) {
	var tests bytes.Buffer
	for _, path := range files(t, "_test.go") {
		tests.WriteString(read(t, path))
	}
	code := tests.String()
	for _, doc := range files(t, ".md") {
		for _, name := range regexp.MustCompile(`\bTest[A-Z][A-Za-z0-9]{6,}`).FindAllString(read(t, doc), -1) {
			if !strings.Contains(code, "func "+name+"(") {
				t.Errorf("%s names %s, which is not there", doc, name)
			}
		}
	}
}

// A reader has only the repository: nothing may cite what is outside of it.
func TestNothingCitesDocumentsOutside(t *testing.T) {
	outside := regexp.MustCompile(`\bfacts` + ` [0-9]|design` + ` section|design` + `\.md`)
	for _, suffix := range []string{".go", ".md", ".yml", ".yaml", ".sql", ".html", "Makefile"} {
		for _, path := range files(t, suffix) {
			if cited := outside.FindString(read(t, path)); cited != "" {
				t.Errorf("%s cites %q", path, cited)
			}
		}
	}
}

func TestNumbersCitedOfBitrix24Exist(t *testing.T) {
	facts := read(t, "bitrix24.md")
	number := regexp.MustCompile(`bitrix24\.md,? ([0-9]+(?:\.[0-9]+)*)`)
	for _, path := range files(t, ".go") {
		for _, m := range number.FindAllStringSubmatch(read(t, path), -1) {
			n := strings.TrimSuffix(m[1], ".")
			if !regexp.MustCompile(`(?m)(^#+ |\*\*|^\| |^)` + regexp.QuoteMeta(n) + `\b`).MatchString(facts) {
				t.Errorf("%s cites number %s of docs/bitrix24.md, which is not there", path, n)
			}
		}
	}
}

// The page about the tables has each column that leadsync adds to bitrix_leads, but for those of standard fields: they
// are called like the field.
func TestTablesPageHasTheAddedColumns(t *testing.T) {
	page, err := os.ReadFile("tables.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range files(t, ".sql") {
		if !strings.Contains(filepath.ToSlash(path), "sql/sqlserver/migrations/") {
			continue
		}
		migration, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^ALTER TABLE dbo\.bitrix_leads ADD (\w+) `).FindAllSubmatch(migration, -1) {
			column := string(m[1])
			if column == "CONSTRAINT" || strings.HasPrefix(column, "sql_") {
				continue
			}
			if n++; !bytes.Contains(page, []byte("`"+column+"`")) {
				t.Errorf("tables.md lacks the column %s", column)
			}
		}
	}
	if n < 8 {
		t.Errorf("only %d columns were found in the migrations", n)
	}
}
