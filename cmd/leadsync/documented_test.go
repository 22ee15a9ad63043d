package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"leadsync/docs/docstest"
	"leadsync/settings"
)

const root = "../.."

// documentation are the pages that people read; CHANGELOG.md and the decisions may name what is gone, or never came.
func documentation(t *testing.T) (pages []docstest.Page) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && (name == "node_modules" || name == "testdata" || name == "data" || name == ".git" || name == "decisions"):
			return filepath.SkipDir
		case strings.HasSuffix(name, ".md") && name != "CHANGELOG.md":
			pages = append(pages, docstest.ReadPage(t, path))
		}
		return nil
	})
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	return pages
}

// calls are the commands of a script, as words: variables are empty.
func calls(script string) (list [][]string, err error) {
	file, err := syntax.NewParser().Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, err
	}
	syntax.Walk(file, func(n syntax.Node) bool {
		call, ok := n.(*syntax.CallExpr)
		if !ok {
			return true
		}
		words := []string{}
		for _, word := range call.Args {
			fields, failed := expand.Fields(&expand.Config{Env: expand.ListEnviron(), CmdSubst: func(io.Writer, *syntax.CmdSubst) error { return nil }}, word)
			if failed != nil {
				err = failed
			}
			words = append(words, fields...)
		}
		list = append(list, words)
		return true
	})
	return list, err
}

// ours is what a call gives to leadsync; nil where it calls something else.
func ours(words []string) []string {
	if len(words) > 3 && words[0] == "sudo" && words[1] == "-u" {
		words = words[3:]
	}
	switch {
	case len(words) > 0 && slices.Contains([]string{"leadsync", "./leadsync", "leadsync.exe"}, words[0]):
		return words[1:]
	case len(words) > 2 && words[0] == "go" && words[1] == "run" && words[2] == "./cmd/leadsync":
		return words[3:]
	}
	return nil
}

// What the pages tell people to type is understood: the shell's grammar, leadsync's commands with their
// flags, make's targets, and the packages and tests of go test.
func TestDocumentedCommandsAreUnderstood(t *testing.T) {
	t.Parallel()
	checked := map[string]int{}
	for _, page := range documentation(t) {
		for _, block := range page.Blocks {
			script := block.Text
			if block.Language == "console" {
				script = strings.Join(regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllString(script, -1), "\n")
				script = strings.ReplaceAll(script, "$ ", "")
			} else if block.Language != "sh" {
				continue
			}
			list, err := calls(script)
			if err != nil {
				t.Errorf("%s:%d: %v", page.Path, block.Line, err)
				continue
			}
			for _, words := range list {
				kind, err := understand(t, words)
				checked[kind]++
				if err != "" {
					t.Errorf("%s:%d: %q: %s", page.Path, block.Line, words, err)
				}
			}
		}
	}
	if checked["leadsync"] < 8 || checked["go test"] < 3 || checked["make"] < 2 {
		t.Errorf("too few were found: %v", checked)
	}
}

// Whoever knows no Go finds first what to type: the first commands of both READMEs are leadsync's own, not those of a clone.
func TestREADMEsBeginWithoutGo(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "README.ru.md"} {
		var list [][]string
		for _, block := range docstest.ReadPage(t, filepath.Join(root, name)).Blocks {
			if block.Language == "sh" && list == nil {
				var err error
				if list, err = calls(block.Text); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(list) == 0 || slices.ContainsFunc(list, func(words []string) bool { return words[0] == "go" || ours(words) == nil }) {
			t.Errorf("%s begins with %q", name, list)
		}
	}
}

// understand checks one call. What it does not know it lets pass.
func understand(t *testing.T, words []string) (kind, problem string) {
	t.Helper()
	if args := ours(words); args != nil {
		if _, err := parserOf(t).Parse(args); err != nil && !slices.Contains(args, "--help") {
			return "leadsync", err.Error()
		}
		return "leadsync", ""
	}
	switch {
	case len(words) > 1 && words[0] == "make":
		makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
		if err != nil || !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(words[1])+`:`).Match(makefile) {
			return "make", "no such target"
		}
		return "make", ""
	case len(words) > 2 && words[0] == "go" && words[1] == "test":
		return "go test", goTest(t, words[2:])
	}
	return "", ""
}

// goTest checks packages, and that -run finds a test.
func goTest(t *testing.T, args []string) string {
	t.Helper()
	pattern, tests := "", []string{}
	for i, arg := range args {
		if arg == "-run" && i+1 < len(args) {
			pattern = args[i+1]
		}
		if !strings.HasPrefix(arg, "./") || arg == "./..." {
			continue
		}
		files, err := filepath.Glob(filepath.Join(root, strings.TrimSuffix(arg, "/..."), "*_test.go"))
		if err != nil || len(files) == 0 {
			return "no tests in " + arg
		}
		for _, file := range files {
			tree, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			for _, decl := range tree.Decls {
				if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
					tests = append(tests, f.Name.Name)
				}
			}
		}
	}
	if pattern == "" || pattern == "^$" || len(tests) == 0 {
		return ""
	}
	first, _, _ := strings.Cut(pattern, "/")
	if found, err := regexp.Compile(first); err != nil || !slices.ContainsFunc(tests, found.MatchString) {
		return "no test fits -run " + pattern
	}
	return ""
}

// Commands that the text names exist, with their flags.
func TestCommandsNamedInTextExist(t *testing.T) {
	t.Parallel()
	model, checked := parserOf(t).Model, 0
	for _, page := range documentation(t) {
		for _, code := range page.Codes {
			words := strings.Fields(code)
			if args := ours(words); len(args) > 0 {
				checked++
				if problem := named(model.Node, args); problem != "" {
					t.Errorf("%s: `%s`: %s", page.Path, code, problem)
				}
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d were found", checked)
	}
}

// named follows commands as far as words are commands, and then wants each flag to be there.
func named(node *kong.Node, args []string) string {
	for i, word := range args {
		word = strings.Trim(word, "[]…,")
		if flag, isFlag := strings.CutPrefix(word, "--"); isFlag {
			flag, _, _ = strings.Cut(flag, "=")
			if !hasFlag(node, flag) {
				return "no flag --" + flag
			}
			continue
		}
		next := slices.IndexFunc(node.Children, func(child *kong.Node) bool { return child.Name == word })
		switch {
		case next >= 0:
			node = node.Children[next]
		case i == 0 && word != "" && word != "COMMAND": // which stand for any
			return "no such command"
		case len(node.Children) > 0 && node.DefaultCmd == nil && regexp.MustCompile(`^[a-z-]+$`).MatchString(word):
			return "no command " + word
		}
	}
	return ""
}

func hasFlag(node *kong.Node, name string) bool {
	if node.DefaultCmd != nil && hasFlag(node.DefaultCmd, name) {
		return true
	}
	for _, group := range node.AllFlags(false) {
		if slices.ContainsFunc(group, func(f *kong.Flag) bool { return f.Name == name }) {
			return true
		}
	}
	return false
}

// Variables that the pages name are settings, streams, or of tests and of the examples' own.
func TestVariablesNamedInPagesExist(t *testing.T) {
	t.Parallel()
	known := map[string]bool{
		"LEADSYNC_RUNS": true, "LEADSYNC_DEAD": true, "LEADSYNC_STATUS": true, "LEADSYNC_SCHEMA": true, "LEADSYNC_LEASES": true, // streams
		"LEADSYNC_PORT": true, "LEADSYNC_ADMIN_PORT": true, // of compose.yaml
	}
	for _, group := range settings.Groups {
		for _, s := range group.Settings {
			known[s.Name], known[s.Name+settings.FileSuffix] = true, known[s.Name+settings.FileSuffix] || s.Secret
		}
	}
	checked := 0
	for _, page := range documentation(t) {
		text, err := os.ReadFile(page.Path)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range regexp.MustCompile(`\bLEADSYNC_[A-Z0-9_]*[A-Z0-9]`).FindAllString(string(text), -1) {
			checked++
			if !known[name] && !strings.HasPrefix(name, "LEADSYNC_TEST_") {
				t.Errorf("%s names %s, which is no setting", page.Path, name)
			}
		}
	}
	if checked < 200 {
		t.Errorf("only %d were found", checked)
	}
}
