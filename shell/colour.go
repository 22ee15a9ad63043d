package shell

import "github.com/fatih/color"

// Colours paints words. The zero value leaves them as they are.
type Colours struct{ on bool }

// NewColours paints on a terminal that shows colours, unless NO_COLOR says that nobody wants them
// (https://no-color.org).
func NewColours(terminal bool, lookup func(name string) (string, bool)) Colours {
	unwanted, _ := lookup("NO_COLOR")
	kind, _ := lookup("TERM")
	return Colours{terminal && unwanted == "" && kind != "dumb"}
}

// Good is for what works.
func (c Colours) Good(words string) string { return c.paint(color.FgGreen, words) }

// Bad is for what does not work.
func (c Colours) Bad(words string) string { return c.paint(color.FgRed, words) }

// Doubtful is for what works and should be looked at.
func (c Colours) Doubtful(words string) string { return c.paint(color.FgYellow, words) }

func (c Colours) paint(with color.Attribute, words string) string {
	if !c.on {
		return words
	}
	paint := color.New(with)
	paint.EnableColor() // the library's own judgement is of its process' standard output
	return paint.Sprint(words)
}
