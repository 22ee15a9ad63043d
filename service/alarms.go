package service

import (
	"context"
	"os"
	"time"

	"leadsync/alert"
	"leadsync/doctor"
	"leadsync/guide"
	"leadsync/leads"
)

// alarmDelay is how long a problem lasts before people are told.
const alarmDelay = time.Minute

// readAlerts reads where alarms go.
func readAlerts(e *environment) alert.Settings {
	s := alert.Settings{
		Webhook: leads.Secret(e.text("LEADSYNC_ALERT_URL")), SMTP: leads.Secret(e.text("LEADSYNC_ALERT_SMTP_URL")),
		From: e.text("LEADSYNC_ALERT_SMTP_FROM"), To: e.list("LEADSYNC_ALERT_SMTP_TO"),
	}
	if s.Webhook != "" && alert.CheckWebhook(s.Webhook.Reveal()) != nil {
		e.fault("LEADSYNC_ALERT_URL", "not an address", "https://chat.example.com/hooks/… that takes a POST with JSON")
	}
	if s.SMTP != "" && alert.CheckSMTP(s.SMTP.Reveal()) != nil {
		e.fault("LEADSYNC_ALERT_SMTP_URL", "not an address of a mail server", "smtp://user:password@mail.example.com:587 (STARTTLS) or smtps://user:password@mail.example.com:465, special characters percent-encoded")
	}
	if s.From != "" && alert.CheckMail(s.From) != nil {
		e.fault("LEADSYNC_ALERT_SMTP_FROM", "not an e-mail address", "the sender, such as leadsync@example.com")
	}
	for _, to := range s.To {
		if alert.CheckMail(to) != nil {
			e.fault("LEADSYNC_ALERT_SMTP_TO", "an entry is not an e-mail address", "receivers, separated by commas, such as ops@example.com")
			break
		}
	}
	if mail := s.SMTP != ""; mail != (s.From != "") || mail != (len(s.To) > 0) {
		e.fault("LEADSYNC_ALERT_SMTP_URL", "only some of LEADSYNC_ALERT_SMTP_URL, LEADSYNC_ALERT_SMTP_FROM and LEADSYNC_ALERT_SMTP_TO are set", "all three or none", "LEADSYNC_ALERT_SMTP_FROM", "LEADSYNC_ALERT_SMTP_TO")
	}
	return s
}

// openAlarms makes the alarms of a service; without channels they send nothing.
func openAlarms(b *Backend) (*alert.Alarms, error) {
	cfg := b.Config
	return alert.Open(alert.Config{
		Channels: cfg.Alerts.Channels(), Delay: cfg.scaled(alarmDelay), File: b.data.file("alarms.json"), Instance: Instance(), Version: leads.Version(),
		See: func(component string) string { return guide.OfComponent(component).String() }, Now: cfg.Now, Log: b.Log,
	})
}

// Instance names this machine in alarms.
func Instance() string {
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// TestAlarms sends a test message on each channel of the settings, and says what became of it.
func TestAlarms(ctx context.Context, cfg Config) (found []doctor.Finding) {
	for _, c := range cfg.Alerts.Channels() {
		f := doctor.Finding{Check: c.Name(), Level: doctor.OK, Found: "the receiver has accepted a test message: look whether it arrives"}
		if err := alert.SendTest(ctx, c, Instance(), leads.Version(), cfg.Now()); err != nil {
			f = doctor.Finding{Check: c.Name(), Level: doctor.Fault, Found: "the receiver did not take a test message", Says: err.Error(), Means: "nobody hears of problems this way", Do: "correct the setting, or ask whoever runs the receiver", See: guide.Alarms.String()}
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		return []doctor.Finding{{Check: "alarms", Level: doctor.Fault, Found: "nobody would be told", Do: "set LEADSYNC_ALERT_URL, or LEADSYNC_ALERT_SMTP_URL with sender and receivers", See: guide.Alarms.String()}}
	}
	return found
}
