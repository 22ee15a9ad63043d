package owner

import (
	"context"
	"errors"

	"leadsync/events"
	"leadsync/leads"
)

// nextNotice deals with one notice about the portal itself.
func (o *owner) nextNotice(ctx context.Context) error {
	consumer, err := events.Portals(ctx, o.cfg.Bus, o.session.memberID())
	if err != nil {
		return err
	}
	msgs, err := events.Next(ctx, consumer)
	if err != nil || len(msgs) == 0 {
		return err
	}
	defer events.KeepWorking(msgs)()
	notice, err := events.ParsePortalNotice(msgs[0])
	if err != nil {
		o.cfg.Stats.IgnoredNotices.Add(1)
		o.cfg.Log.ErrorContext(ctx, "message is no portal notice, ignoring it", "subject", msgs[0].Subject(), "error", err)
		return msgs[0].Term()
	}
	if err := o.handleNotice(ctx, notice); err != nil {
		events.GiveBack(msgs)
		return err
	}
	return msgs[0].Ack()
}

// handleNotice acts on the kinds of notices that it knows. One without a kind, or of a kind
// that another version or a stranger wrote, changes nothing.
func (o *owner) handleNotice(ctx context.Context, notice events.PortalNotice) error {
	switch notice.Event {
	case events.Installed, events.Updated, events.UserReady, events.Authorized, events.Adopted, events.Rebind:
		return o.install(ctx)
	case events.Uninstalled:
		return o.uninstall(ctx)
	case events.Doorbell, events.Tested:
		o.session.HandleSignal(notice.Event)
		return nil
	default:
		o.cfg.Stats.IgnoredNotices.Add(1)
		o.cfg.Log.WarnContext(ctx, "portal notice of an unknown kind, ignoring it", "member_id", o.session.memberID(), "event", notice.Event)
		return nil
	}
}

// HandleSignal takes what concerns no lead and no installation: the signal that the
// portal's own queue holds something, and the answer to a test.
func (s *Session) HandleSignal(event events.PortalEvent) {
	switch event {
	case events.Doorbell:
		s.queue.signalled.Store(true)
	case events.Tested:
		s.heartbeat.received()
	default:
	}
}

// install binds the events of a portal that was authorized, then has its leads imported:
// in this order, so that no change falls between.
func (o *owner) install(ctx context.Context) error {
	if err := o.session.Bind(ctx); err != nil {
		return err
	}
	_, again, err := o.cfg.Mirror.Runs.LastCompleted(ctx, o.session.memberID())
	if err != nil {
		return err
	}
	mode := leads.RunImport
	if again {
		mode = leads.RunFull // changes while it was not installed sent no events
	}
	if _, err = o.cfg.Mirror.Runs.RequestRun(ctx, leads.Run{MemberID: o.session.memberID(), Mode: mode}); err != nil {
		return err
	}
	wake(o.session.passes.requested)
	o.session.followPlan(ctx)
	return nil
}

// uninstall believes the portal, not the callback.
func (o *owner) uninstall(ctx context.Context) error {
	seen, err := o.record(ctx)
	if err != nil {
		return err
	}
	there, err := o.session.installed(ctx)
	if err != nil && !errors.Is(err, leads.ErrUnauthorized) {
		return err
	}
	if there {
		o.cfg.Log.WarnContext(ctx, "a callback says that the application was removed, the portal says that it is installed", "member_id", o.session.memberID())
		return nil
	}
	gone, err := o.cfg.Mirror.Portals.SetPortalStateFrom(ctx, seen, leads.PortalUninstalled)
	if gone {
		o.cfg.Log.WarnContext(ctx, "application was removed from the portal", "member_id", o.session.memberID())
	}
	return err // where it was installed again meanwhile, that counts
}

// record is the portal as it is stored now.
func (o *owner) record(ctx context.Context) (leads.Portal, error) {
	portals, err := o.cfg.Mirror.Portals.Portals(ctx)
	for _, p := range portals {
		if p.MemberID == o.session.memberID() {
			return p, nil
		}
	}
	return o.session.own.Portal, err
}
