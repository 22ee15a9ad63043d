package service

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/term"

	"leadsync/handlers/language"
)

const (
	// waitAfter is how long a command may take without a word.
	waitAfter = 2 * time.Second
	// lineEvery is how often what it does is said again where there is no terminal.
	lineEvery = 5 * time.Second
)

// Waiting says what a command does when that takes longer than two seconds: on a line that is rewritten on a
// terminal, on lines elsewhere. A nil one says nothing. Its methods may be called from any goroutine.
type Waiting struct {
	out   io.Writer
	width func() int // of the terminal; nil where there is none

	mu             sync.Mutex
	lang           string // of the words; "" is English
	words          string // what is done; "" is nothing
	began, printed time.Time
	drawn          bool
	stop, ended    chan struct{} // nil until something is done
}

// NewWaiting says it on out.
func NewWaiting(out io.Writer) *Waiting {
	w := &Waiting{out: out}
	if f, ok := out.(*os.File); ok && IsTerminal(out) {
		w.width = func() int {
			width, _, err := term.GetSize(int(f.Fd()))
			if err != nil || width < 2 {
				return 80
			}
			return width
		}
	}
	return w
}

// Speak says in which language the words are.
func (w *Waiting) Speak(lang string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lang = lang
}

// Begin says that something else is done now; "" that nothing is.
func (w *Waiting) Begin(words string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clear()
	w.words, w.began, w.printed = words, time.Now(), time.Time{}
	if w.stop == nil && words != "" {
		w.stop, w.ended = make(chan struct{}), make(chan struct{})
		go w.watch(w.stop, w.ended)
	}
}

// Step is Begin for what people want to read of later: where there is no terminal it is said at once.
func (w *Waiting) Step(words string) {
	w.Begin(words)
	if w == nil || w.width != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.printed = time.Now()
	fmt.Fprintln(w.out, words)
}

// Update says how far it has come.
func (w *Waiting) Update(words string) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words = words
}

// Progress is where something else shows how far it has come, which takes the place of what waits.
func (w *Waiting) Progress() io.Writer {
	if w == nil {
		return io.Discard
	}
	w.Begin("")
	return w.Over(w.out)
}

// Stop ends it.
func (w *Waiting) Stop() {
	if w == nil {
		return
	}
	w.Begin("")
	w.mu.Lock()
	stop, ended := w.stop, w.ended
	w.stop = nil
	w.mu.Unlock()
	if stop != nil {
		close(stop)
		<-ended
	}
}

func (w *Waiting) watch(stop, ended chan struct{}) {
	defer close(ended)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			w.show()
		}
	}
}

func (w *Waiting) show() {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := time.Since(w.began)
	if w.words == "" || took < waitAfter {
		return
	}
	line := w.words + ", " + language.Say(w.lang, "%s s", strconv.Itoa(int(took/time.Second)))
	switch {
	case w.width != nil:
		if runes := []rune(line); len(runes) >= w.width() {
			line = string(runes[:w.width()-1]) // a line that breaks could not be rewritten
		}
		w.drawn = true
		fmt.Fprintf(w.out, "\r\x1b[K%s", line)
	case time.Since(w.printed) >= lineEvery:
		w.printed = time.Now()
		fmt.Fprintln(w.out, line)
	}
}

// clear makes room for something else on the line; the next second draws it again.
func (w *Waiting) clear() {
	if w.drawn {
		fmt.Fprint(w.out, "\r\x1b[K")
	}
	w.drawn = false
}

// Over is a writer whose text takes the line's place, so that the two do not mix on one screen.
func (w *Waiting) Over(out io.Writer) io.Writer {
	if w == nil || w.width == nil {
		return out
	}
	return &over{out, w}
}

type over struct {
	out     io.Writer
	waiting *Waiting
}

// Write implements io.Writer.
func (o *over) Write(text []byte) (int, error) {
	o.waiting.mu.Lock()
	defer o.waiting.mu.Unlock()
	o.waiting.clear()
	return o.out.Write(text)
}
