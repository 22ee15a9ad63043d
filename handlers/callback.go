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
	portal, status, reason := s.recognise(c, cb)
	if reason != "" {
		return s.refuse(c, status, reason)
	}
	switch {
	case cb.Event.IsLead():
		return s.notice(c, cb)
	case cb.Event == bitrix24.AppUninstall:
		return s.uninstall(c, cb, portal)
	default:
		s.Tally.refuse(UnknownEvent)
		return c.NoContent(http.StatusOK)
	}
}

// recognise finds the portal by member_id and application_token alone: everything else
// in a callback can be invented.
func (s *Server) recognise(c echo.Context, cb bitrix24.Callback) (portal leads.Portal, status int, reason string) {
	ctx := c.Request().Context()
	portal, known, err := s.known.portal(ctx, cb.MemberID)
	if err == nil && !known && s.isWebhook(cb) {
		portal, known, err = s.adopted(ctx, cb.MemberID)
	}
	switch {
	case err != nil:
		s.Log.ErrorContext(ctx, "portal cannot be looked up, a callback is refused", "error", err)
		return portal, http.StatusInternalServerError, RefusedIll
	case !known:
		return portal, http.StatusForbidden, RefusedPortal
	case !portal.Recognises(cb.ApplicationToken) && !s.learnt(ctx, portal, cb):
		return portal, http.StatusForbidden, RefusedToken
	}
	return portal, 0, ""
}

func (s *Server) notice(c echo.Context, cb bitrix24.Callback) error {
	ctx := c.Request().Context()
	err := s.PublishNotice(ctx, events.Notice{
		Ref:   leads.Ref{MemberID: cb.MemberID, LeadID: cb.LeadID},
		Event: string(cb.Event), Cause: leads.CauseEvent, SentAt: cb.SentAt, ReceivedAt: s.Now().UTC(),
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "a callback is lost: its notice cannot be stored", "member_id", cb.MemberID, "lead_id", cb.LeadID, "error", err)
		return s.refuse(c, http.StatusInternalServerError, RefusedIll)
	}
	s.Tally.Received.Add(1)
	return c.NoContent(http.StatusOK)
}

func (s *Server) uninstall(c echo.Context, cb bitrix24.Callback, portal leads.Portal) error {
	ctx := c.Request().Context()
	err := s.PublishPortal(ctx, events.PortalNotice{
		MemberID: portal.MemberID, Domain: portal.Domain, At: s.Now().UTC(), Event: string(cb.Event),
	})
	if err != nil {
		s.Log.ErrorContext(ctx, "an uninstallation cannot be stored", "member_id", portal.MemberID, "error", err)
		return s.refuse(c, http.StatusInternalServerError, RefusedIll)
	}
	return c.NoContent(http.StatusOK)
}

func (s *Server) refuse(c echo.Context, status int, reason string) error {
	s.Tally.refuse(reason)
	return c.NoContent(status)
}
