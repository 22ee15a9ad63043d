package service

import (
	"context"
	"errors"
	"testing"
	"time"

	"leadsync/leads/leadstest"
)

// What takes long is not found again with every scrape.
func TestCacheSpendsAHundredthOfTheTime(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	c := cache[int]{kept: kept[int]{Now: clock.Now}}
	found := 0
	fault := errors.New("the database does not answer")
	var err error
	find := func(context.Context) (int, error) {
		found++
		clock.Advance(200 * time.Millisecond)
		return found, err
	}
	for i, step := range []struct {
		after time.Duration
		err   error
		value int
		found int
	}{
		{0, nil, 1, 1},
		{19 * time.Second, fault, 1, 1}, // kept
		{2 * time.Second, fault, 2, 2},  // an error is not kept
		{0, nil, 3, 3},
		{time.Second, nil, 3, 3},
	} {
		clock.Advance(step.after)
		err = step.err
		value, got := c.get(t.Context(), find)
		if value != step.value || found != step.found || (got != nil) != (step.found == 2) {
			t.Errorf("step %d: %d, %v after %d looks; want %d after %d", i, value, got, found, step.value, step.found)
		}
	}
}

// Where an old value will do, nobody waits for the new one but the first of all.
func TestOldValueIsShownWhileTheNewOneIsFound(t *testing.T) {
	clock := leadstest.NewClock(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC))
	c := cache[int]{kept: kept[int]{Now: clock.Now}}
	goOn, found := make(chan struct{}), 0
	find := func(context.Context) (int, error) { //nolint:unparam // as lately wants it
		if found++; found > 1 {
			<-goOn
		}
		return found, nil
	}
	lately := func(want int) {
		t.Helper()
		if got, err := c.lately(t.Context(), find); got != want || err != nil {
			t.Errorf("got %d, %v, want %d", got, err, want)
		}
	}
	lately(1)
	clock.Advance(time.Hour)
	lately(1) // the second is being found
	close(goOn)
	for !func() bool { value, _, _ := c.kept.last(); return value == 2 }() {
		time.Sleep(time.Millisecond)
	}
	c.kept.forget() // somebody has changed what it is found in
	lately(3)
}
