// Package shell is what a shell and its user want of a command line that kong parses: completion,
// examples and a man page, all from kong's model, and colours. It must not know what a command does, and opens
// nothing.
//
// The completer is our own: kong-completion and kongplete are not kept any more, stand on a posener/complete
// of 2019, offer no flags of a command that alone is short for another one, and have no PowerShell.
package shell

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// Shells are those that have a script.
const Shells = "bash,zsh,fish,powershell"

// CompleteTag is the tag of a flag or an argument whose values are not in the model: "file" or "dir", which the shell
// completes by itself, or Portals, which the caller of Complete does.
const CompleteTag = "complete"

// Portals is the place of a portal.
const Portals = "portal"

// Scripts ask `leadsync __complete`, which answers as [Answer.Write] says.
//
//go:embed scripts
var scripts embed.FS

// Script is what a shell runs so that it completes leadsync; of the shells above.
func Script(name string) (string, error) {
	text, err := scripts.ReadFile("scripts/leadsync." + name)
	return string(text), err
}

// Candidate is a word that may stand where the cursor is.
type Candidate struct{ Word, Help string }

// Answer says what may stand where the cursor is.
type Answer struct {
	Place      string // that of CompleteTag; "" are the candidates alone
	Candidates []Candidate

	before, typed string // stands before the value in the same word; the value's beginning
}

// Offer puts the values of a place among the candidates, those that fit.
func (a Answer) Offer(values []Candidate) Answer {
	for _, value := range values {
		if strings.HasPrefix(value.Word, a.typed) {
			a.Candidates = append(a.Candidates, Candidate{a.before + value.Word, value.Help})
		}
	}
	a.Place = ""
	return a
}

// Write writes the place or "words" on a line, then each candidate on one: the word, and behind a tab what it means.
func (a Answer) Write(out io.Writer) error {
	_, err := fmt.Fprintln(out, cmp.Or(a.Place, "words"))
	for _, c := range a.Candidates {
		if err == nil {
			_, err = fmt.Fprintf(out, "%s\t%s\n", c.Word, c.Help)
		}
	}
	return err
}

// Complete says what may stand for the last word, behind others; the program's name is none of them.
// bash has "=" as a word of its own, and other shells have it in the word: both are understood.
func Complete(root *kong.Node, words []string, last string) Answer {
	line := follow(root, words)
	switch name, value, joined := strings.Cut(last, "="); {
	case last == "=" && line.flag != nil:
		return valuesOf(line.flag.Value, "", "")
	case line.pending != nil:
		return valuesOf(line.pending.Value, "", last)
	case strings.HasPrefix(last, "-") && joined:
		if flag := flagOf(line.node, name); flag != nil {
			return valuesOf(flag.Value, name+"=", value)
		}
		return Answer{}
	case strings.HasPrefix(last, "-"):
		return Answer{Candidates: line.flags(last)}
	}
	return line.words(last)
}

// line is a command line as far as it is typed.
type line struct {
	node    *kong.Node
	flag    *kong.Flag   // the word before the cursor, where that is a flag
	pending *kong.Flag   // the flag whose value comes next
	given   []*kong.Flag // so far
	args    int          // positional arguments so far
}

func follow(root *kong.Node, words []string) line {
	l := line{node: root}
	for _, word := range words {
		pending := l.pending
		before := l.flag
		l.pending, l.flag = nil, nil
		switch {
		case word == "=" && before != nil:
			l.pending = before
		case pending != nil:
		case strings.HasPrefix(word, "-"):
			name, _, joined := strings.Cut(word, "=")
			if l.flag = flagOf(l.node, name); l.flag != nil {
				l.given = append(l.given, l.flag)
			}
			if l.flag != nil && !joined && !l.flag.IsBool() {
				l.pending = l.flag
			}
		default:
			l.argument(word)
		}
	}
	return l
}

// argument is a command or an argument of one.
func (l *line) argument(word string) {
	for _, child := range l.node.Children {
		if child.Name == word || slices.Contains(child.Aliases, word) {
			l.node = child
			return
		}
	}
	l.args++
}

// words are the commands and arguments that fit.
func (l *line) words(last string) Answer {
	var fit []Candidate
	for _, child := range l.node.Children {
		if !child.Hidden && child != l.node.DefaultCmd && l.args == 0 && strings.HasPrefix(child.Name, last) {
			fit = append(fit, Candidate{child.Name, child.Help})
		}
	}
	for _, node := range withDefault(l.node) {
		if l.args < len(node.Positional) {
			answer := valuesOf(node.Positional[l.args], "", last)
			answer.Candidates = append(fit, answer.Candidates...)
			return answer
		}
	}
	return Answer{Candidates: fit}
}

// flags are those that fit and are not given yet, unless they may be repeated.
func (l *line) flags(last string) (fit []Candidate) {
	for _, flag := range flagsOf(l.node) {
		again := flag.IsSlice() || flag.IsMap() || !slices.Contains(l.given, flag)
		if name := "--" + flag.Name; again && strings.HasPrefix(name, last) {
			fit = append(fit, Candidate{name, flag.Help})
		}
	}
	slices.SortFunc(fit, func(a, b Candidate) int { return strings.Compare(a.Word, b.Word) })
	return fit
}

// valuesOf are the values that fit, each behind what stands before it in the same word.
func valuesOf(value *kong.Value, before, last string) (a Answer) {
	if value.Tag.Has(CompleteTag) {
		return Answer{Place: value.Tag.Get(CompleteTag), before: before, typed: last}
	}
	if value.Enum == "" {
		return a
	}
	var words []Candidate
	for _, word := range value.EnumSlice() {
		if word != "" {
			words = append(words, Candidate{word, ""})
		}
	}
	return Answer{before: before, typed: last}.Offer(words)
}

// withDefault is a command and the one that it is short for.
func withDefault(node *kong.Node) []*kong.Node {
	if node.DefaultCmd == nil {
		return []*kong.Node{node}
	}
	return []*kong.Node{node, node.DefaultCmd}
}

// flagsOf are the flags that a command takes, those of its parents among them.
func flagsOf(node *kong.Node) (flags []*kong.Flag) {
	for _, n := range withDefault(node) {
		for _, group := range n.AllFlags(true) {
			for _, flag := range group {
				if !slices.Contains(flags, flag) {
					flags = append(flags, flag)
				}
			}
		}
	}
	return flags
}

func flagOf(node *kong.Node, word string) *kong.Flag {
	for _, flag := range flagsOf(node) {
		if word == "--"+flag.Name || flag.Short != 0 && word == "-"+string(flag.Short) {
			return flag
		}
	}
	return nil
}
