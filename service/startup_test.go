package service

import (
	"context"
	"errors"
	"strings"
	"testing"

	"leadsync/leads/leadstest"
)

// A database that comes up and then refuses us, because a right is missing, does not end a
// service that takes callbacks already.
func TestStartWaitsForAPersonToFixIt(t *testing.T) {
	t.Parallel()
	var log leadstest.Log
	tries := 0
	told := 0
	s := startup{log: log.Logger(), timeScale: 1e6, failed: func(step, error) { told++ }}
	refused := step{name: database, do: func(context.Context) error {
		if tries++; tries < 4 {
			return errors.New("permission denied")
		}
		return nil
	}}
	defer func() {
		if told < 3 {
			t.Errorf("readiness was told %d failures, want every one", told)
		}
	}()
	if err := s.finish(t.Context(), refused); err != nil || tries != 4 || strings.Count(log.String(), "permission denied") != 3 {
		t.Errorf("%v after %d tries: %s", err, tries, log.String())
	}
	ctx, stop := context.WithCancel(t.Context())
	refused.do = func(context.Context) error { stop(); return errors.New("permission denied") }
	if err := s.finish(ctx, refused); err == nil {
		t.Error("the start is finished, although it was stopped")
	}
}

// The tables of a large database take longer than any limit: a try that is cut would begin anew for ever.
func TestMigrationsHaveNoTimeLimit(t *testing.T) {
	t.Parallel()
	s := startup{log: (&leadstest.Log{}).Logger(), timeScale: 1, failed: func(step, error) {}}
	limited := map[string]bool{}
	look := func(name string) func(context.Context) error {
		return func(ctx context.Context) error { _, limited[name] = ctx.Deadline(); return nil }
	}
	steps := (&Backend{}).databaseSteps()
	steps[0].do = look("migrations")
	if err := s.finish(t.Context(), steps[0], step{name: "NATS", do: look("NATS")}); err != nil || limited["migrations"] || !limited["NATS"] {
		t.Errorf("%v; with a limit: %v", err, limited)
	}
}
