package docstest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is a Markdown page, as GitHub shows it.
type Page struct {
	Path    string
	Anchors []string // of its headings, and those that <a id="…"> in a heading sets
	Links   []string // and images
	Blocks  []Block
	Codes   []string // in the text, between single quotes of code
}

// Block is a block of code.
type Block struct {
	Language string // "" where it names none
	Text     string
	Line     int // where it begins
}

// ReadPage reads a page.
func ReadPage(tb testing.TB, path string) Page {
	tb.Helper()
	source, err := os.ReadFile(path) //nolint:gosec // a page of the repository, named by a test
	if err != nil {
		tb.Fatal(err)
	}
	p := Page{Path: path}
	seen := map[string]int{}
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			anchor := Anchor(words(n, source))
			if again := seen[anchor]; again > 0 {
				anchor = fmt.Sprintf("%s-%d", anchor, again)
			}
			seen[Anchor(words(n, source))]++
			p.Anchors = append(append(p.Anchors, anchor), anchorsSet(n, source)...)
		case *ast.Link:
			p.Links = append(p.Links, string(n.Destination))
		case *ast.Image:
			p.Links = append(p.Links, string(n.Destination))
		case *ast.CodeSpan:
			p.Codes = append(p.Codes, words(n, source))
		case *ast.FencedCodeBlock:
			p.Blocks = append(p.Blocks, Block{string(n.Language(source)), string(n.Lines().Value(source)), lineOf(n.Lines(), source)})
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func lineOf(lines *text.Segments, source []byte) int {
	if lines.Len() == 0 {
		return 0
	}
	return 1 + strings.Count(string(source[:lines.At(0).Start]), "\n")
}

// words is the text of a heading or of code, without marks.
func words(n ast.Node, source []byte) string {
	var s strings.Builder
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if t, ok := child.(*ast.Text); ok {
			s.Write(t.Value(source))
			if t.SoftLineBreak() {
				s.WriteByte(' ')
			}
			continue
		}
		s.WriteString(words(child, source))
	}
	return s.String()
}

// Anchor is what GitHub makes of a heading: small letters, and dashes for blanks; other signs go.
func Anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r), unicode.IsNumber(r), unicode.IsMark(r), r == '-', r == '_':
			return unicode.ToLower(r)
		default:
			return -1
		}
	}, heading)
}
