package setup

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Screen is a person at a terminal.
type Screen struct {
	in    *os.File
	lines *bufio.Reader
	out   io.Writer
}

// OpenScreen is the person who types on in; nil where nobody does.
func OpenScreen(in io.Reader, out io.Writer) *Screen {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &Screen{in: f, lines: bufio.NewReader(f), out: out}
}

// Ask implements Terminal.
func (s *Screen) Ask(ctx context.Context, question string) (string, error) {
	return s.read(ctx, question, func() (string, error) { return s.lines.ReadString('\n') })
}

// AskSecret implements Terminal.
func (s *Screen) AskSecret(ctx context.Context, question string) (string, error) {
	fd := int(s.in.Fd())
	visible, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, visible) }() // also where Ctrl-C left the question
	answer, err := s.read(ctx, question, func() (string, error) {
		secret, err := term.ReadPassword(fd)
		return string(secret), err
	})
	fmt.Fprintln(s.out)
	return answer, err
}

// read ends when the context does: a person who presses Ctrl-C need not press Enter, too.
func (s *Screen) read(ctx context.Context, question string, line func() (string, error)) (string, error) {
	fmt.Fprint(s.out, question)
	type read struct {
		text string
		err  error
	}
	got := make(chan read, 1)
	go func() {
		text, err := line()
		got <- read{text, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		if r.err != nil {
			return "", fmt.Errorf("read an answer: %w", r.err)
		}
		return r.text, nil
	}
}
