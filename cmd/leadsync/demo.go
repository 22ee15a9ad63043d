package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/events"
	"leadsync/leads"
)

type demoCmd struct {
	Leads       int           `default:"2000" help:"Leads the portal has at the beginning."`
	For         time.Duration `default:"20s" help:"How long the portal lives."`
	Changes     float64       `default:"20" help:"Changes a second while it lives."`
	Lose        float64       `default:"0.05" help:"Fraction of callbacks that get lost, 0 to 1."`
	Seed        uint64        `default:"1" help:"The same seed gives the same portal and the same changes."`
	NoReconcile bool          `help:"Leave out the pass that repairs what lost callbacks missed."`
	Data        string        `placeholder:"DIR" help:"Keep what the demo writes in this directory; it must be empty."`
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

const (
	// The demo's grace period is short: nobody waits a minute for a demonstration.
	demoGrace = 2 * time.Second
	// Callbacks wait in the portal's queue between this and six times as long.
	demoDelay = 50 * time.Millisecond
)

// demo is a running demonstration: an emulated portal, the service, a subscriber.
type demo struct {
	demoCmd

	portal *emulator.Portal
	*service
	audience *audience
	view     *view
	run      leads.Run // of the reconciliation
	healed   atomic.Int64
	started  time.Time
}

// Run plays the demonstration. It fails unless mirror and portal are equal at the end and
// every repaired row was announced.
func (d *demoCmd) Run(ctx context.Context, a *app) (err error) {
	dir, remove, err := d.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p, err := emulator.Start(emulator.Config{ //nolint:contextcheck // it lives until Close, not as long as a context
		Leads: d.Leads, Seed: d.Seed, Delay: demoDelay, DelayMax: 6 * demoDelay,
		// With an offline queue what callbacks lose would come another way, and nothing be left to find.
		Switches: emulator.Switches{NoOffline: true},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }() //nolint:contextcheck // it lives until Close, not as long as a context
	b, err := openBase(ctx, demoConfig(dir, p.Info()), log, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := newService(ctx, b)
	if err != nil {
		return err
	}
	s.cfg.publicURL = s.address()
	show := &demo{demoCmd: *d, portal: p, service: s, audience: newAudience(), started: time.Now()}
	show.view = newView(a.stdout, show, d.JSON)
	return show.play(ctx)
}

// directory is where the demo writes, and how it is cleared away.
func (d *demoCmd) directory() (dir string, remove func() error, err error) {
	if d.Data == "" {
		dir, err = os.MkdirTemp("", "leadsync-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for the demo: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	entries, err := os.ReadDir(d.Data)
	if ignoreMissing(err) != nil {
		return "", nil, fmt.Errorf("read --data: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, usageError{fmt.Errorf("--data %s is not empty: name a new directory", d.Data)}
	}
	return d.Data, func() error { return nil }, nil
}

// demoYoung is shorter than what a callback takes: a demonstration is over before a minute
// has passed, and what got lost in it is to be found.
const demoYoung = time.Nanosecond

// demoDeletes is more deletions than a demonstration makes: its story is another than that
// of too many at once.
const demoDeletes = 1_000_000

func demoConfig(dir string, info emulator.Info) config {
	return config{
		dataDir: dir, databaseURL: "sqlite:" + filepath.Join(dir, "leadsync.db"),
		natsURL: embedded, natsListen: "127.0.0.1:0", replicas: 1, httpAddr: "127.0.0.1:0",
		clientID: info.ClientID, clientSecret: leads.Secret(info.ClientSecret),
		trust: bitrix24.Trust{Insecure: []string{host(info.Portal), host(info.OAuth)}}, grace: demoGrace,
		young: demoYoung, deleteFloor: demoDeletes,
	}
}

// play runs the service beside the story that is told.
func (d *demo) play(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return d.service.run(work) })
	group.Go(func() error { return d.audience.listen(work, d.natsURL()) })
	group.Go(func() error { return d.view.run(work) })
	var verdict error
	group.Go(func() error {
		defer stop()
		verdict = d.story(work)
		return nil
	})
	err := group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(err, verdict)
}

// story is what the demonstration shows, in order.
func (d *demo) story(ctx context.Context) error {
	for _, chapter := range []struct {
		title string
		play  func(context.Context) error
	}{
		{"the subscriber connects", d.audience.ready},
		{"the application is installed, its events bound, the leads imported", d.install},
		{"the portal lives, and some callbacks get lost", d.live},
		{"the last callbacks are dealt with", d.settle},
		{"every lead is compared with the mirror", d.reconcile},
		{"the last changes reach the subscriber", d.listenOut},
	} {
		d.view.chapter(chapter.title)
		if err := chapter.play(ctx); err != nil {
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
	}
	result, err := d.compare(ctx)
	if err != nil {
		return err
	}
	if err := d.view.close(result); err != nil {
		return err
	}
	return result.verdict()
}

func (d *demo) install(ctx context.Context) error {
	d.portal.Install(d.cfg.publicURL+callbackPath, d.cfg.publicURL+"/bitrix24/oauth/callback")
	return wait(ctx, func() (bool, error) {
		run, ok, err := d.db.LastCompleted(ctx, d.memberID())
		if err != nil || !ok {
			return false, err
		}
		return run.Mode == leads.RunImport, nil
	})
}

func (d *demo) memberID() string { return d.portal.Info().MemberID }

// live changes leads at the given rate, and many at once in the middle. Additions
// outnumber deletions.
func (d *demo) live(ctx context.Context) error {
	faults := d.portal.Faults()
	faults.Lose = d.Lose
	d.portal.SetFaults(faults)
	chance := rand.New(rand.NewPCG(d.Seed, 0)) //nolint:gosec // a story, not a secret
	begin, made, mass := time.Now(), 0, false
	for ctx.Err() == nil {
		age := time.Since(begin)
		if age >= d.For {
			break
		}
		if !mass && age > d.For/2 {
			mass = true
			d.portal.MassEdit(max(1, d.Leads/20))
		}
		for due := int(d.Changes * age.Seconds()); made < due; made++ {
			if err := d.change(chance.IntN(100)); err != nil {
				return err
			}
		}
		if err := pauseFor(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// change is one thing that somebody does in the portal.
func (d *demo) change(dice int) error {
	id, any := d.portal.RandomID()
	switch {
	case dice < 30 || !any:
		d.portal.Add(1)
		return nil
	case dice < 40:
		return d.portal.Delete(id)
	default:
		return d.portal.Edit(id, nil)
	}
}

// settle waits until the portal has sent everything, and nothing waits to be read,
// confirmed or announced.
func (d *demo) settle(ctx context.Context) error {
	if err := d.portal.DrainCallbacks(ctx); err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		pending, err := events.Pending(ctx, d.js, d.memberID())
		if err != nil || pending > 0 {
			return false, err
		}
		depth, err := d.db.OutboxDepth(ctx)
		return depth == 0, err
	})
}

func (d *demo) reconcile(ctx context.Context) error {
	if d.NoReconcile {
		return nil
	}
	id, err := d.db.RequestRun(ctx, leads.Run{
		ID: uuid.NewString(), MemberID: d.memberID(), Mode: leads.RunFull, RequestedAt: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		run, _, err := d.db.Run(ctx, id)
		d.run = run
		d.healed.Store(run.Repaired())
		return run.Finished(), err
	})
}

// listenOut waits until the subscriber has heard what the stream holds.
func (d *demo) listenOut(ctx context.Context) error {
	return wait(ctx, func() (bool, error) {
		if depth, err := d.db.OutboxDepth(ctx); err != nil || depth > 0 {
			return false, err
		}
		stream, err := d.js.Stream(ctx, events.StreamLeads)
		if err != nil {
			return false, fmt.Errorf("look up the topic: %w", err)
		}
		return d.audience.heard() >= stream.CachedInfo().State.LastSeq, nil
	})
}

// wait asks again and again until the answer is yes.
func wait(ctx context.Context, done func() (bool, error)) error {
	for {
		yes, err := done()
		if err != nil || yes {
			return err
		}
		if err := pauseFor(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
