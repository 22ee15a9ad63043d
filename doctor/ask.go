package doctor

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// patience is how long a check waits for one of several that it asks, so that a silent one leaves
// time for the others and nobody is blamed for it.
const patience = limit / 2

// silentError says who did not answer.
type silentError struct{ SentenceError }

// Unwrap is the sentence.
func (e silentError) Unwrap() error { return e.SentenceError }

func silence(format string, values ...any) error {
	return silentError{SentenceError(fmt.Sprintf(format, values...))}
}

// silent tells whether somebody did not answer in time, or was not asked because there was none.
func silent(err error) bool { return errors.As(err, new(silentError)) }

// Ask asks somebody, named as in a sentence, and waits no longer than the patience of a check. The
// error of a deadline names who was waited for.
func Ask(ctx context.Context, whom string, question func(context.Context) error) error {
	return ask(ctx, whom, patience, question)
}

func ask(ctx context.Context, whom string, most time.Duration, question func(context.Context) error) error {
	if ctx.Err() != nil {
		return silence("could not ask %s: %s", whom, overWords(ctx))
	}
	limited, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	began := time.Now()
	err := question(limited)
	switch {
	case err == nil || limited.Err() == nil:
		return err
	case errors.Is(ctx.Err(), context.Canceled):
		return silence("no answer from %s: %s", whom, stopped)
	}
	return silence("no answer from %s within %s", whom, time.Since(began).Round(time.Second))
}

// overWords says why a context has ended before somebody was asked.
func overWords(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return stopped
	}
	return "no time was left"
}
