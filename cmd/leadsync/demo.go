package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"leadsync/demo"
	"leadsync/service"
)

type demoCmd struct {
	Leads       int           `default:"2000" help:"Leads the portal has at the beginning."`
	For         time.Duration `default:"20s" help:"How long the portal lives."`
	Changes     float64       `default:"20" help:"Changes a second while it lives."`
	Lose        float64       `default:"0.05" help:"Fraction of callbacks that get lost, 0 to 1."`
	Seed        uint64        `default:"1" help:"The same seed gives the same portal and the same changes."`
	NoReconcile bool          `help:"Leave out the pass that repairs what lost callbacks missed."`
	Data        string        `placeholder:"DIR" complete:"dir" help:"Keep what the demo writes in this directory; it must be empty."`
	JSON        bool          `name:"json" help:"Print one JSON object at the end instead of the table."`
}

// Validate implements kong's check of flags.
func (d *demoCmd) Validate() error {
	switch {
	case d.Leads < 0 || d.Leads > 1_000_000:
		return errors.New("--leads must be from 0 to 1,000,000")
	case !(d.Lose >= 0 && d.Lose <= 1): // so that NaN is refused too
		return errors.New("--lose is a fraction from 0 to 1")
	case !(d.Changes >= 0 && d.Changes <= 1000):
		return errors.New("--changes must be from 0 to 1000 a second")
	case d.For < 0:
		return errors.New("--for must not be negative")
	}
	return nil
}

// Run plays the demonstration.
func (d *demoCmd) Run(ctx context.Context, a *app) error {
	err := demo.Run(ctx, demo.Options{
		Leads: d.Leads, For: d.For, Changes: d.Changes, Lose: d.Lose, Seed: d.Seed, NoReconcile: d.NoReconcile, Data: d.Data, JSON: d.JSON,
		Out: a.stdout, Terminal: service.IsTerminal(a.stdout),
		Log: slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if errors.Is(err, demo.ErrNotEmpty) {
		return usageError{err}
	}
	return err
}
