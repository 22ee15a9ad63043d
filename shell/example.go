package shell

import (
	"cmp"
	"fmt"
	"io"

	"github.com/alecthomas/kong"
)

// Example is a command line that shows what a command is for; "" where its tag `example` has none.
// A command that is short for another one has that one's.
func Example(node *kong.Node) string { return tagged(node, "example") }

// More is the page, with a heading perhaps, that says more of a command; "" where its tag `more` names none.
func More(node *kong.Node) string { return tagged(node, "more") }

func tagged(node *kong.Node, tag string) (value string) {
	for _, n := range withDefault(node) {
		if n.Tag != nil {
			value = cmp.Or(value, n.Tag.Get(tag))
		}
	}
	return value
}

// WriteExample writes what stands at the end of a command's help; page says where this machine has a page.
func WriteExample(out io.Writer, node *kong.Node, page func(string) string) {
	if example := Example(node); example != "" {
		fmt.Fprintf(out, "\nExample:\n  %s\n", example)
	}
	if more := More(node); more != "" {
		fmt.Fprintf(out, "\nMore: %s\n", page(more))
	}
}
