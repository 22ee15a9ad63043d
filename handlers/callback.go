package handlers

import (
	"errors"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// callback takes everything that Bitrix24 posts. 200 means that it is on disk; what is
// answered otherwise is lost, since Bitrix24 never sends it again.
func (s *Server) callback(c echo.Context) error {
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, bodyLimit))
	if err != nil {
		if _, long := errors.AsType[*http.MaxBytesError](err); long {
			return s.refuse(c, http.StatusRequestEntityTooLarge, RefusedTooLong)
		}
		return s.refuse(c, http.StatusBadRequest, RefusedForm)
	}
	cb, err := bitrix24.ParseCallback(string(body))
	if err != nil {
		return s.refuse(c, http.StatusBadRequest, RefusedForm)
	}
	switch cb.Event {
	case bitrix24.AppInstall, bitrix24.AppUpdate, bitrix24.UserReady:
		return s.install(c, cb)
	default:
	}
	sender := s.recognise(c.Request().Context(), cb)
	if sender.reason != "" {
		return s.refuse(c, sender.status, sender.reason)
	}
	if !cb.Event.IsLead() && !concernsPortal(cb.Event) {
		s.Stats.refuse(UnknownEvent)
		return c.NoContent(http.StatusOK)
	}
	return s.keep(c, cb, sender)
}

// keep stores what is to come of a callback.
func (s *Server) keep(c echo.Context, cb bitrix24.Callback, sender sender) error {
	ctx := c.Request().Context()
	entry, err := s.entry(cb, sender.domain)
	if err == nil {
		if !sender.verified {
			entry = entry.Unverified(cb.MemberID, leads.HashToken(cb.ApplicationToken))
		}
		err = s.Store(ctx, entry)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "a callback is lost: it cannot be stored", "event", cb.Event, "member_id", cb.MemberID, "lead_id", cb.LeadID, "error", err)
		return s.refuse(c, http.StatusInternalServerError, RefusedIll)
	}
	s.Stats.Received.Add(1)
	return c.NoContent(http.StatusOK)
}

func (s *Server) entry(cb bitrix24.Callback, domain string) (events.Entry, error) {
	now := s.Now().UTC()
	if concernsPortal(cb.Event) {
		return events.PortalEntry(events.PortalNotice{MemberID: cb.MemberID, Domain: domain, At: now, Event: events.PortalEvent(cb.Event)})
	}
	return events.NoticeEntry(events.Notice{
		Ref:   leads.Ref{MemberID: cb.MemberID, LeadID: cb.LeadID},
		Event: string(cb.Event), Cause: leads.CauseEvent, SentAt: cb.SentAt, ReceivedAt: now,
	})
}

// concernsPortal tells callbacks that are for the portal's owner and name no lead.
func concernsPortal(e bitrix24.Event) bool {
	return e == bitrix24.AppUninstall || e == bitrix24.Doorbell || e == bitrix24.AppTest
}

func (s *Server) refuse(c echo.Context, status int, reason string) error {
	s.Stats.refuse(reason)
	return c.NoContent(status)
}
