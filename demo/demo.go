// Package demo is a demonstration: an emulated portal lives for a while, some of its
// callbacks get lost, and at the end the mirror is compared with the portal field by field.
// It is a program of its own that a test can start; it decides nothing about leads.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/url"
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
	"leadsync/retry"
	"leadsync/service"
)

// Options say what the demonstration shows.
type Options struct {
	Leads       int           // the portal has at the beginning
	For         time.Duration // how long the portal lives
	Changes     float64       // a second while it lives
	Lose        float64       // fraction of callbacks that get lost, 0 to 1
	Seed        uint64        // the same seed gives the same portal and the same changes
	NoReconcile bool          // leave out the pass that repairs what lost callbacks missed
	Data        string        // directory to keep what the demo writes; "" keeps nothing
	JSON        bool          // print one JSON object at the end instead of the table

	Out      io.Writer
	Terminal bool // a person reads Out while it is written
	Log      *slog.Logger
}

// ErrNotEmpty says that the directory for the demo's data holds something already.
var ErrNotEmpty = errors.New("directory is not empty")

const (
	// grace is short: nobody waits a minute for a demonstration.
	grace = 2 * time.Second
	// delay is the least time that callbacks wait in the portal's queue; the longest is six
	// times that.
	delay = 50 * time.Millisecond
	// minAge is shorter than what a callback takes: a demonstration is over before a minute
	// has passed, and what got lost in it is to be found.
	minAge = time.Nanosecond
	// deleteFloor is more deletions than a demonstration makes: the breaker is another story.
	deleteFloor = 1_000_000
)

// demo is a running demonstration: an emulated portal, the service, a subscriber.
type demo struct {
	opts       Options
	portal     *emulator.Portal
	service    *service.Service
	subscriber *subscriber
	view       *view
	run        leads.Run // of the reconciliation
	repaired   atomic.Int64
	started    time.Time
}

// Run plays the demonstration. It fails unless mirror and portal are equal at the end and
// every repaired row was announced.
func Run(ctx context.Context, opts Options) (err error) {
	dir, remove, err := directory(opts.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	p, err := emulator.Start(emulator.Config{ //nolint:contextcheck // it lives until Close, not as long as a context
		Leads: opts.Leads, Seed: opts.Seed, Delay: delay, DelayMax: 6 * delay,
		// With an offline queue what callbacks lose would come another way, and leave nothing to find.
		Switches: emulator.Switches{NoOffline: true},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }() //nolint:contextcheck // it lives until Close, not as long as a context
	cfg := config(dir, p.Info())
	listeners, err := service.Listen(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = listeners.Close() }() // the service closes it, too
	cfg.PublicURL = "http://" + listeners.Public.Addr().String()
	b, err := service.Open(ctx, cfg, opts.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	s, err := service.New(b, listeners)
	if err != nil {
		return err
	}
	d := &demo{opts: opts, portal: p, service: s, subscriber: newSubscriber(), started: time.Now()}
	d.view = &view{out: opts.Out, demo: d, json: opts.JSON, terminal: opts.Terminal}
	return d.play(ctx)
}

// directory is where the demo writes, and how it is cleared away.
func directory(data string) (dir string, remove func() error, err error) {
	if data == "" {
		dir, err = os.MkdirTemp("", "leadsync-demo-")
		if err != nil {
			return "", nil, fmt.Errorf("make a directory for the demo: %w", err)
		}
		return dir, func() error { return os.RemoveAll(dir) }, nil
	}
	entries, err := os.ReadDir(data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", nil, fmt.Errorf("read the directory for the demo's data: %w", err)
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("%s: %w, name a new one", data, ErrNotEmpty)
	}
	return data, func() error { return nil }, nil
}

func config(dir string, info emulator.Info) service.Config {
	return service.Config{
		DataDir: dir, DatabaseURL: "sqlite:" + filepath.Join(dir, "leadsync.db"),
		NATSURL: service.Embedded, NATSListen: "127.0.0.1:0", Replicas: 1, HTTPAddr: "127.0.0.1:0", Admin: service.Admin{Addr: "127.0.0.1:0"},
		ClientID: info.ClientID, ClientSecret: leads.Secret(info.ClientSecret),
		Trust:  bitrix24.Trust{Insecure: []string{host(info.Portal), host(info.OAuth)}},
		Tuning: service.Tuning{Grace: grace, MinAge: minAge, DeleteFloor: deleteFloor},
	}
}

// host is the host:port of a URL.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}

// play runs the service beside the story that is told.
func (d *demo) play(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	group, work := errgroup.WithContext(work)
	group.Go(func() error { return d.service.Run(work) })
	group.Go(func() error {
		return d.subscriber.listen(work, d.service.Backend.NATS.URL(), d.service.Backend.NATS.SubscriberToken().Reveal())
	})
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
		{"the subscriber connects", d.subscriber.ready},
		{"the application is installed, its events bound, the leads imported", d.install},
		{"the portal lives, and some callbacks get lost", d.live},
		{"the last callbacks are handled", d.settle},
		{"every lead is compared with the mirror", d.reconcile},
		{"the last changes reach the subscriber", d.awaitSubscriber},
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
	url := d.service.Backend.Config.PublicURL
	d.portal.Install(url+leads.CallbackPath, url+leads.RedirectPath)
	return wait(ctx, func() (bool, error) {
		run, ok, err := d.service.Backend.DB.LastCompleted(ctx, d.memberID())
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
	faults.Lose = d.opts.Lose
	d.portal.SetFaults(faults)
	rng := rand.New(rand.NewPCG(d.opts.Seed, 0)) //nolint:gosec // a story, not a secret
	begin, made, mass := time.Now(), 0, false
	for ctx.Err() == nil {
		age := time.Since(begin)
		if age >= d.opts.For {
			break
		}
		if !mass && age > d.opts.For/2 {
			mass = true
			d.portal.MassEdit(max(1, d.opts.Leads/20))
		}
		for due := int(d.opts.Changes * age.Seconds()); made < due; made++ {
			if err := d.change(rng.IntN(100)); err != nil {
				return err
			}
		}
		if err := retry.Wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// change is one thing that somebody does in the portal.
func (d *demo) change(percent int) error {
	id, any := d.portal.RandomID()
	switch {
	case percent < 30 || !any:
		d.portal.Add(1)
		return nil
	case percent < 40:
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
		pending, err := events.Pending(ctx, d.service.Backend.NATS.Bus(), d.memberID())
		if err != nil || pending > 0 {
			return false, err
		}
		depth, err := d.service.Backend.DB.OutboxDepth(ctx)
		return depth == 0, err
	})
}

func (d *demo) reconcile(ctx context.Context) error {
	if d.opts.NoReconcile {
		return nil
	}
	id, err := d.service.Backend.DB.RequestRun(ctx, leads.Run{
		ID: uuid.NewString(), MemberID: d.memberID(), Mode: leads.RunFull, RequestedAt: time.Now().UTC(),
	})
	if err != nil {
		return err
	}
	return wait(ctx, func() (bool, error) {
		run, _, err := d.service.Backend.DB.Run(ctx, id)
		d.run = run
		d.repaired.Store(run.Repaired())
		return run.Finished(), err
	})
}

// awaitSubscriber waits until the subscriber has received what the stream holds.
func (d *demo) awaitSubscriber(ctx context.Context) error {
	return wait(ctx, func() (bool, error) {
		if depth, err := d.service.Backend.DB.OutboxDepth(ctx); err != nil || depth > 0 {
			return false, err
		}
		stream, err := d.service.Backend.NATS.Bus().Stream(ctx, events.StreamLeads)
		if err != nil {
			return false, fmt.Errorf("look up the topic: %w", err)
		}
		return d.subscriber.received() >= stream.CachedInfo().State.LastSeq, nil
	})
}

// wait asks again and again until the answer is yes.
func wait(ctx context.Context, done func() (bool, error)) error {
	for {
		yes, err := done()
		if err != nil || yes {
			return err
		}
		if err := retry.Wait(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}
