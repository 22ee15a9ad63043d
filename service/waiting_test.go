package service

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/repo"
)

// page is what was written, also while somebody writes.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(text)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// after runs what waits for so long of a clock of the test's own.
func after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestLongWorkIsSaidInLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &page{}
		w := NewWaiting(out)
		defer w.Stop()
		w.Begin("Connecting")
		after(1900 * time.Millisecond)
		if out.String() != "" {
			t.Errorf("a short wait is said: %q", out)
		}
		after(10 * time.Second)
		if want := "Connecting, 2 s\nConnecting, 7 s\n"; out.String() != want {
			t.Errorf("said %q, want %q", out, want)
		}
		w.Begin("Copying")
		after(2500 * time.Millisecond)
		w.Update("Copying: half")
		w.Begin("")
		after(time.Minute)
		if got := strings.TrimPrefix(out.String(), "Connecting, 2 s\nConnecting, 7 s\n"); got != "Copying, 2 s\n" {
			t.Errorf("said %q", got)
		}
	})
}

// The unit is that of the words' language.
func TestLongWorkIsSaidInTheReadersLanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &page{}
		w := NewWaiting(out)
		defer w.Stop()
		w.Speak(language.Russian)
		w.Begin("Проверка: база")
		after(7500 * time.Millisecond)
		if want := "Проверка: база, 2 с\nПроверка: база, 7 с\n"; out.String() != want {
			t.Errorf("said %q, want %q", out, want)
		}
	})
}

func TestLongWorkIsSaidOnOneLineOfATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &page{}
		w := NewWaiting(out)
		w.width = func() int { return 12 }
		printed := w.Over(out)
		w.Begin("Connecting")
		after(3500 * time.Millisecond)
		if want := "\r\x1b[KConnecting,\r\x1b[KConnecting,"; out.String() != want {
			t.Errorf("drawn %q, want %q", out, want)
		}
		for range 2 { // the line gives way once
			if _, err := printed.Write([]byte("result\n")); err != nil {
				t.Fatal(err)
			}
		}
		w.Stop()
		w.Stop()
		if want := "\r\x1b[KConnecting,\r\x1b[KConnecting,\r\x1b[Kresult\nresult\n"; out.String() != want {
			t.Errorf("drawn %q, want %q", out, want)
		}
	})
}

func TestStepsAreSaidWhenTheyBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &page{}
		w := NewWaiting(out)
		steps := NewSteps(w)
		steps.Show(repo.Progress{Step: "filling columns"})
		steps.Show(repo.Progress{Step: "filling columns", Done: 2000, Total: 9000})
		after(5500 * time.Millisecond)
		steps.Show(repo.Progress{Step: "filling columns", Done: 9000, Total: 9000})
		steps.Show(repo.Progress{Step: "making an index"})
		w.Stop()
		if want := "filling columns\nfilling columns: 2000 of 9000 rows, 22 %, 5 s\nfilling columns: 9000 of 9000 rows, 100 %\nmaking an index\n"; out.String() != want {
			t.Errorf("said %q, want %q", out, want)
		}
		NewSteps(nil).Show(repo.Progress{Step: "nobody hears this"})
	})
}

// room is a check that looks at nothing.
type room struct{}

func (room) Name() string                          { return "disk" }
func (room) Look(context.Context) []doctor.Finding { return []doctor.Finding{{Found: "room"}} }

func TestChecksAreNamedBeforeTheyLook(t *testing.T) {
	var names []string
	found := doctor.Run(t.Context(), saying(func(name string) { names = append(names, name) }, []doctor.Check{room{}}))
	if len(names) != 1 || names[0] != "disk" || len(found) != 1 || found[0].Check != "disk" || found[0].Found != "room" {
		t.Errorf("named %q, found %v", names, found)
	}
}
