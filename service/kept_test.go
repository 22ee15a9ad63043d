package service

import (
	"context"
	"errors"
	"testing"
	"time"
)

// look is a finder like that of the overview: it shows a failure as a value.
func look(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "database: " + err.Error(), nil //nolint:nilerr // as the overview does
	}
	return "all is well", nil
}

// The first viewer may have gone before the value is found: nobody is shown that.
func TestViewerWhoLeavesSpoilsNothing(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	var overview kept[string]
	if got, err := overview.get(gone, time.Hour, look); got != "all is well" || err != nil {
		t.Errorf("who left: %s, %v", got, err)
	}
	if got, err := overview.get(t.Context(), time.Hour, look); got != "all is well" || err != nil {
		t.Errorf("who comes next: %s, %v", got, err)
	}
	var count cache[string]
	if got, err := count.get(gone, look); got != "all is well" || err != nil {
		t.Errorf("from a cache: %s, %v", got, err)
	}
}

// A database that hangs holds nobody for long, and what was found of it then is not kept.
func TestWhatTheLimitCutOffIsNotKept(t *testing.T) {
	overview := kept[string]{Limit: time.Millisecond}
	hangs := func(ctx context.Context) (string, error) {
		<-ctx.Done()
		return look(ctx)
	}
	if got, _ := overview.get(t.Context(), time.Hour, hangs); got != "database: context deadline exceeded" {
		t.Errorf("while it hangs: %s", got)
	}
	if got, _ := overview.get(t.Context(), time.Hour, func(context.Context) (string, error) { return "all is well", nil }); got != "all is well" {
		t.Errorf("afterwards: %s", got)
	}
}

// Whoever asks while a value is being found gets that one, waits no longer than he wants to, and
// gets none that was begun before something changed.
func TestViewersShareOneSearch(t *testing.T) {
	var letters kept[string]
	begun, end, first := make(chan struct{}), make(chan struct{}), make(chan string)
	go func() {
		got, _ := letters.get(t.Context(), time.Hour, func(context.Context) (string, error) { close(begun); <-end; return "old", nil })
		first <- got
	}()
	<-begun
	never := func(context.Context) (string, error) { return "", errors.New("found twice") }
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := letters.get(gone, time.Hour, never); !errors.Is(err, context.Canceled) {
		t.Errorf("who does not wait: %v", err)
	}
	letters.forget()
	if got, _ := letters.get(t.Context(), time.Hour, func(context.Context) (string, error) { return "new", nil }); got != "new" {
		t.Errorf("after a change: %s", got)
	}
	close(end)
	if got := <-first; got != "old" {
		t.Errorf("who asked before: %s", got)
	}
	if got, err := letters.get(t.Context(), time.Hour, never); got != "new" || err != nil {
		t.Errorf("kept: %s, %v", got, err)
	}
}
