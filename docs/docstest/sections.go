package docstest

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	east "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Section is a heading with what stands below it, up to the next heading of any level: all that must be
// the same in a translation of the page.
type Section struct {
	Level  int
	Anchor string   // the one that the heading sets with <a id="…">, otherwise its own
	Items  int      // of lists
	Links  []string // in the order of the page
	Codes  []string // between quotes of code in the text, each once, sorted
	Blocks []Block  // of code, without comments and empty lines
	Tables []Table
}

// Table is the shape of a table, and what its rows are about.
type Table struct {
	Rows, Columns int
	First         []string // the code in the first cell of each row
}

// ReadSections reads a page. What comes before its first heading is left out.
func ReadSections(tb testing.TB, path string) (sections []Section) {
	tb.Helper()
	source, err := os.ReadFile(path) //nolint:gosec // a page of the repository
	if err != nil {
		tb.Fatal(err)
	}
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if h, ok := n.(*ast.Heading); ok && entering {
			sections = append(sections, Section{Level: h.Level, Anchor: anchorOf(h, source)})
		}
		if entering && len(sections) > 0 {
			sections[len(sections)-1].add(n, source)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	for i, s := range sections {
		slices.Sort(s.Codes)
		sections[i].Codes = slices.Compact(s.Codes)
	}
	return sections
}

func (s *Section) add(n ast.Node, source []byte) {
	switch n := n.(type) {
	case *ast.Link:
		s.Links = append(s.Links, string(n.Destination))
	case *ast.Image:
		s.Links = append(s.Links, string(n.Destination))
	case *ast.CodeSpan:
		s.Codes = append(s.Codes, words(n, source))
	case *ast.ListItem:
		s.Items++
	case *ast.FencedCodeBlock:
		s.Blocks = append(s.Blocks, Block{Language: string(n.Language(source)), Text: bare(string(n.Language(source)), string(n.Lines().Value(source)))})
	case *ast.CodeBlock: // indented
		s.Blocks = append(s.Blocks, Block{Text: bare("sh", string(n.Lines().Value(source)))})
	case *east.Table:
		s.Tables = append(s.Tables, tableOf(n, source))
	}
}

func tableOf(n *east.Table, source []byte) Table {
	t := Table{Columns: len(n.Alignments)}
	for row := n.FirstChild(); row != nil; row = row.NextSibling() {
		var first []string
		for child := row.FirstChild().FirstChild(); child != nil; child = child.NextSibling() {
			if code, ok := child.(*ast.CodeSpan); ok {
				first = append(first, words(code, source))
			}
		}
		t.Rows, t.First = t.Rows+1, append(t.First, strings.Join(first, " "))
	}
	return t
}

var comments = map[string]*regexp.Regexp{
	"sh": regexp.MustCompile(`(^|\s)#( .*|)$`), "yaml": regexp.MustCompile(`(^|\s)#( .*|)$`),
	"sql": regexp.MustCompile(`(^|\s)-- .*$`), "sqlite": regexp.MustCompile(`(^|\s)-- .*$`),
}

// bare is what a block does, without what it says to readers. A block of text only has to be there.
func bare(language, block string) string {
	if language == "text" {
		return ""
	}
	var lines bytes.Buffer
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\n")
		if comment := comments[language]; comment != nil {
			line = comment.ReplaceAllString(line, "")
		}
		if line = strings.TrimSpace(line); line != "" {
			fmt.Fprintln(&lines, line)
		}
	}
	return lines.String()
}

var setAnchor = regexp.MustCompile(`<a id="([^"]+)">`)

// anchorOf is where links to a heading lead that do not depend on its words.
func anchorOf(h *ast.Heading, source []byte) string {
	if set := anchorsSet(h, source); len(set) > 0 {
		return set[0]
	}
	return Anchor(words(h, source))
}

// anchorsSet are the anchors that HTML in a heading or a paragraph sets.
func anchorsSet(n ast.Node, source []byte) (anchors []string) {
	for child := n.FirstChild(); child != nil; child = child.NextSibling() {
		if raw, ok := child.(*ast.RawHTML); ok {
			for _, m := range setAnchor.FindAllSubmatch(raw.Segments.Value(source), -1) {
				anchors = append(anchors, string(m[1]))
			}
		}
	}
	return anchors
}
