package main

import (
	"context"
	"fmt"
	"io"

	"github.com/nats-io/nats.go/jetstream"

	"leadsync/events"
	"leadsync/leads"
	"leadsync/repo"
	"leadsync/service"
)

type watchCmd struct {
	JSON      bool   `name:"json" help:"Print the messages as they are, one JSON object a line."`
	FromStart bool   `help:"Print the current state of every lead first."`
	Portal    string `complete:"portal" help:"Only this portal, by its member_id or its domain."`
}

// Run prints changes until the context ends.
func (w watchCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	member, err := w.member(ctx, a)
	if err != nil {
		return err
	}
	a.wait.Begin("Connecting to NATS")
	nc, err := service.ConnectSubscriber(cfg)
	if err != nil {
		return err
	}
	defer nc.Close()
	bus, err := events.Open(nc, cfg.NATSPrefix)
	if err != nil {
		return err
	}
	a.wait.Begin("")
	if !w.JSON {
		fmt.Fprintln(a.stderr, "Waiting for changes; each is printed when it is announced. Ctrl-C ends this.")
	}
	return events.Subscribe(ctx, bus, member, w.FromStart, func(msg jetstream.Msg) {
		if err := w.print(a.stdout, msg); err != nil {
			fmt.Fprintf(a.stderr, "leadsync: %s: %v\n", msg.Subject(), err)
		}
	})
}

// member is the member_id of the portal to watch; "" is all. The database is needed for a domain
// alone: subscribers often have none.
func (w watchCmd) member(ctx context.Context, a *app) (member string, err error) {
	if w.Portal == "" || leads.ValidMemberID(w.Portal) {
		return leads.CanonicalMemberID(w.Portal), nil
	}
	err = a.withDatabase(ctx, func(db *repo.DB) error {
		member, err = service.MemberOf(ctx, db, w.Portal)
		return err
	})
	return member, err
}

func (w watchCmd) print(out io.Writer, msg jetstream.Msg) error {
	if w.JSON {
		_, err := fmt.Fprintf(out, "%s\n", msg.Data())
		return err
	}
	change, err := events.ParseChange(msg)
	if err != nil {
		return err
	}
	return change.WriteText(out)
}
