package guide_test

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"leadsync/docs/docstest"
	"leadsync/guide"
)

const root = ".."

// headings are those of the page, beside what the package names.
func headings(t *testing.T) []string {
	t.Helper()
	return docstest.ReadPage(t, filepath.Join(root, "docs/trouble.md")).Anchors
}

// eachFile reads the code that is no test.
func eachFile(t *testing.T, do func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || entry.Name() == ".git"):
			return filepath.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			do(path, file)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// whole is the text of a constant expression of strings; false for any other.
func whole(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, err := strconv.Unquote(e.Value)
			return text, err == nil
		}
	case *ast.BinaryExpr:
		left, one := whole(e.X)
		right, two := whole(e.Y)
		return left + right, one && two && e.Op == token.ADD
	}
	return "", false
}

// Each heading that the code names is on the page, and something leads to it.
func TestHeadingsAreOnThePage(t *testing.T) {
	anchors, named, used := headings(t), map[string]string{}, map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		ours := filepath.Dir(path) == filepath.Join(root, "guide")
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ours && ok && kind.Name == "Heading" {
					named[n.Names[0].Name], _ = whole(n.Values[0])
				}
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "guide" {
					used[n.Sel.Name] = true
				}
			case *ast.KeyValueExpr: // lines and components
				if value, ok := n.Value.(*ast.Ident); ours && ok {
					used[value.Name] = true
				}
			case *ast.ReturnStmt:
				for _, result := range n.Results {
					if name, ok := result.(*ast.Ident); ours && ok {
						used[name.Name] = true
					}
				}
			}
			return true
		})
	})
	if len(named) < 20 {
		t.Fatalf("only %d headings are named", len(named))
	}
	for name, heading := range named {
		if !slices.Contains(anchors, heading) {
			t.Errorf("docs/trouble.md has no heading #%s (%s)", heading, name)
		}
		if !used[name] {
			t.Errorf("nothing leads to %s", name)
		}
	}
}

// What the code writes about the page by hand exists, too.
func TestAddressesInTextsAreOnThePage(t *testing.T) {
	anchors := headings(t)
	eachFile(t, func(path string, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok {
				return true
			}
			text, _ := whole(lit)
			for _, m := range regexp.MustCompile(`docs/trouble\.md#([\pL\pN_-]+)`).FindAllStringSubmatch(text, -1) {
				if !slices.Contains(anchors, m[1]) {
					t.Errorf("%s leads to #%s, which docs/trouble.md lacks", path, m[1])
				}
			}
			return true
		})
	})
}

// Lines that are known for what to do are logged somewhere in just these words.
func TestKnownLinesAreLogged(t *testing.T) {
	logged := map[string]bool{}
	eachFile(t, func(path string, file *ast.File) {
		if filepath.Dir(path) == filepath.Join(root, "guide") {
			return
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				for _, arg := range call.Args {
					if text, ok := whole(arg); ok {
						logged[text] = true
					}
				}
			}
			return true
		})
	})
	if len(guide.Lines) < 20 {
		t.Fatal("the lines are lost")
	}
	for line := range guide.Lines {
		if !logged[line] {
			t.Errorf("nothing logs %q", line)
		}
	}
}

func TestErrorsKeepTheirHeading(t *testing.T) {
	plain := errors.New("the port is taken")
	err := fmt.Errorf("listen: %w", guide.At(guide.Port, plain))
	if err.Error() != "listen: the port is taken" || !errors.Is(err, plain) || guide.Of(err) != guide.Port {
		t.Errorf("%v leads to %q", err, guide.Of(err))
	}
	if guide.At(guide.Port, nil) != nil || guide.Of(plain) != "" || guide.Of(nil) != "" {
		t.Error("what is no trouble leads somewhere")
	}
	if outer := guide.At(guide.Settings, err); guide.Of(outer) != guide.Settings {
		t.Errorf("the inner heading wins: %q", guide.Of(outer))
	}
}

func TestLogSaysWhereToRead(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(guide.Log(slog.NewTextHandler(&out, nil))).With("a", 1)
	for _, c := range []struct {
		name string
		log  func()
		want string
	}{
		{"a line that is known", func() { log.Warn("callback refused", "reason", "wrong_token") }, "see=" + guide.Refused.String()},
		{"an error with a heading", func() {
			log.Error("x", "error", fmt.Errorf("open: %w", guide.At(guide.Rights, errors.New("denied"))))
		}, "see=" + guide.Rights.String()},
		{"one that passes by itself", func() { log.Warn("x", "error", guide.At(guide.Rights, errors.New("denied"))) }, ""},
		{"any other", func() { log.Error("x", "error", errors.New("denied")) }, ""},
	} {
		out.Reset()
		c.log()
		if line := out.String(); !strings.Contains(line, c.want) || c.want == "" && strings.Contains(line, "see=") || !strings.Contains(line, "a=1") {
			t.Errorf("%s: %s", c.name, line)
		}
	}
}

func TestComponentsAreExplained(t *testing.T) {
	got := guide.Explained(map[string]string{"database": "no answer", "portal a.bitrix24.ru": "late", "callbacks of a.bitrix24.ru": "none", "more problems": "5"})
	for component, want := range map[string]string{
		"database": "no answer (see " + guide.Database.String() + ")", "portal a.bitrix24.ru": "late (see " + guide.Portals.String() + ")",
		"callbacks of a.bitrix24.ru": "none (see " + guide.Silence.String() + ")", "more problems": "5",
	} {
		if got[component] != want {
			t.Errorf("%s: %s, want %s", component, got[component], want)
		}
	}
}
