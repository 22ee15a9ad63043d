package setup

import (
	"context"
	"strings"

	"leadsync/settings"
)

const (
	webhookURL   = "LEADSYNC_B24_WEBHOOK_URL"
	webhookToken = "LEADSYNC_B24_APPLICATION_TOKEN" //nolint:gosec // the name of a setting
	memberID     = "LEADSYNC_B24_MEMBER_ID"
)

// webhook takes an inbound webhook and the token of an outgoing one until they are kept.
func (s *setup) webhook(ctx context.Context) error {
	given, host := s.Given.Webhook, hostOf(s.formerWebhook)
	for asked := false; ; given = "" {
		webhook, err := given, error(nil)
		if webhook == "" {
			webhook, err = s.insist(ctx, s.line, s.words("The inbound webhook, https://portal/rest/<user>/<secret>/"), s.words("leadsync reads leads by it"))
		}
		if err != nil {
			return err
		}
		another := !strings.EqualFold(hostOf(webhook), host)
		if another {
			s.forgetPortal(host)
		}
		if another || !asked {
			if err := s.token(ctx); err != nil {
				return err
			}
		}
		host, asked = hostOf(webhook), true
		if ok, err := s.try(ctx, webhookURL, webhook, false, s.Trials.Webhook); ok || err != nil {
			return err
		}
	}
}

// forgetPortal drops what belongs to the portal of the webhook before: with its token every callback of another one would be refused.
func (s *setup) forgetPortal(host string) {
	if s.has(webhookToken) && s.Given.WebhookToken == "" && s.Given.Others[webhookToken]+s.Given.Others[webhookToken+settings.FileSuffix] == "" {
		s.put(webhookToken, "")
		s.say("  the outgoing webhook's token was that of %s, and is not kept", host)
	}
	if s.answers[memberID] != "" && s.Given.MemberID == "" && s.Given.Others[memberID] == "" {
		s.put(memberID, "")
		s.say("  LEADSYNC_B24_MEMBER_ID was that of %s, and is not kept", host)
	}
}

// token takes the token of the outgoing webhook, and the member_id of its portal.
func (s *setup) token(ctx context.Context) error {
	if s.Given.MemberID != "" {
		s.answers[memberID] = s.Given.MemberID
	}
	if s.Given.WebhookToken != "" {
		s.put(webhookToken, s.Given.WebhookToken)
		return nil
	}
	if s.Person == nil || s.Given.Others[webhookToken]+s.Given.Others[webhookToken+settings.FileSuffix] != "" {
		return nil
	}
	question := s.words("The outgoing webhook's token, as Bitrix24 shows it (not shown here)")
	if s.has(webhookToken) {
		question = s.words("The outgoing webhook's token (not shown; Enter: the same as before)")
	}
	for {
		answer, err := s.insist(ctx, s.hidden, question, s.words("by it leadsync knows which callbacks are Bitrix24's"))
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); answer != "" {
			s.put(webhookToken, answer)
		}
		if s.has(webhookToken) {
			return nil
		}
	}
}
