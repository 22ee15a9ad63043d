package handlers

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
	"leadsync/portals"
)

// callback takes everything that Bitrix24 posts. 200 means that the callback is on disk;
// with any other answer it is lost, because Bitrix24 never sends it again.
func (s *Server) callback(c echo.Context) error {
	sent, d := read(c)
	return s.answer(c, sent, d)
}

// answer answers what was posted to the address of callbacks.
func (s *Server) answer(c echo.Context, sent message, d portals.Decision) error {
	ctx := c.Request().Context()
	if d = s.decide(ctx, c.Request().Method, sent, d); d.Reason != portals.Accepted {
		return s.refuse(c, d, sent)
	}
	s.cfg.Portals.Count(ctx, d)
	return c.NoContent(answerTo(d.Reason).status)
}

// decide decides on a message that was read as far as d says.
func (s *Server) decide(ctx context.Context, method string, sent message, d portals.Decision) portals.Decision {
	switch what := sent.what(); {
	case what != portals.Accepted:
		return sent.decision(what, nil)
	case method != http.MethodPost:
		return sent.decision(portals.WrongMethod, nil)
	case d.Reason != portals.Accepted:
		return d
	}
	cb, err := bitrix24.ParseCallback(sent.text)
	if err != nil {
		return sent.unreadable(err)
	}
	return s.take(ctx, cb)
}

// take installs or stores what a callback is about, if its sender is genuine.
func (s *Server) take(ctx context.Context, cb bitrix24.Callback) portals.Decision {
	if installs(cb.Event) {
		return s.cfg.Portals.Install(ctx, cb)
	}
	sender := s.cfg.Portals.Recognise(ctx, cb)
	switch {
	case sender.Reason != portals.Accepted:
		return sender
	case !cb.Event.IsLead() && !concernsPortal(cb.Event):
		sender.Reason = portals.UnknownEvent
		return sender
	}
	if err := s.store(ctx, cb, sender); err != nil {
		s.cfg.Log.ErrorContext(ctx, "callback lost, it cannot be stored", "event", cb.Event, "member_id", sender.MemberID, "lead_id", cb.LeadID, "error", err)
		sender.Reason = portals.NotStored
	}
	return sender
}

func (s *Server) store(ctx context.Context, cb bitrix24.Callback, sender portals.Decision) error {
	entry, err := s.entry(cb, sender)
	if err != nil {
		return err
	}
	if !sender.Verified {
		entry = entry.Unverified(sender.MemberID, leads.HashToken(cb.ApplicationToken))
	}
	return s.cfg.Store(ctx, entry)
}

func (s *Server) entry(cb bitrix24.Callback, sender portals.Decision) (events.Entry, error) {
	now := s.cfg.Now().UTC()
	if concernsPortal(cb.Event) {
		return events.PortalEntry(events.PortalNotice{MemberID: sender.MemberID, Domain: sender.Domain, At: now, Event: events.PortalEvent(cb.Event)})
	}
	return events.NoticeEntry(events.Notice{
		Ref:   leads.Ref{MemberID: sender.MemberID, LeadID: cb.LeadID},
		Event: string(cb.Event), Cause: leads.CauseEvent, SentAt: cb.SentAt, ReceivedAt: now,
	})
}

// installs tells callbacks that bring tokens or a new version of the application.
func installs(e bitrix24.Event) bool {
	return e == bitrix24.AppInstall || e == bitrix24.AppUpdate || e == bitrix24.UserReady
}

// concernsPortal tells callbacks that are for the portal's owner and name no lead.
func concernsPortal(e bitrix24.Event) bool {
	return e == bitrix24.AppUninstall || e == bitrix24.OfflineSignal || e == bitrix24.AppTest
}
