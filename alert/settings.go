package alert

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"strconv"
	"time"

	"github.com/google/uuid"

	"leadsync/leads"
)

// Settings say where messages go; the zero value sends none.
type Settings struct {
	Webhook leads.Secret // address that takes a POST; many have a secret in them
	SMTP    leads.Secret // smtp://user:password@host:587, or smtps://…:465
	From    string
	To      []string
}

// CheckWebhook says what is wrong with an address of a webhook.
func CheckWebhook(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("not an address")
	}
	return nil
}

// CheckSMTP says what is wrong with an address of a mail server.
func CheckSMTP(address string) error {
	_, err := parseSMTP(leads.Secret(address))
	return err
}

// CheckMail says what is wrong with an e-mail address.
func CheckMail(address string) error {
	if _, err := mail.ParseAddress(address); err != nil {
		return errors.New("not an e-mail address")
	}
	return nil
}

// server is a mail server.
type server struct {
	host, user, password string
	port                 int
	tls                  bool // from the first byte; else by STARTTLS
}

func parseSMTP(address leads.Secret) (s server, err error) {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") || (u.Path != "" && u.Path != "/") {
		return s, errors.New("not an address of a mail server")
	}
	s = server{host: u.Hostname(), port: 587, tls: u.Scheme == "smtps"}
	if s.tls {
		s.port = 465
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return s, errors.New("not a port")
		}
	}
	if u.User != nil {
		s.user = u.User.Username()
		s.password, _ = u.User.Password()
	}
	return s, nil
}

// local tells a relay on this machine, to which nothing is encrypted.
func (s server) local() bool {
	ip := net.ParseIP(s.host)
	return s.host == "localhost" || ip != nil && ip.IsLoopback()
}

// Channels are those of the settings, which were checked.
func (s Settings) Channels() (list []Channel) {
	if s.Webhook != "" {
		list = append(list, &Webhook{URL: s.Webhook})
	}
	if s.SMTP != "" {
		list = append(list, &Mail{Server: s.SMTP, From: s.From, To: s.To})
	}
	return list
}

// testLimit is how long a test message may take.
const testLimit = 30 * time.Second

// SendTest sends a test message on a channel.
func SendTest(ctx context.Context, c Channel, instance, version string, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, testLimit)
	defer cancel()
	m := Message{ID: uuid.NewString(), Status: Test, Component: "test", Reason: "a test", Since: now, Instance: instance, Version: version}
	m.Text = m.sentence()
	if err := c.Send(ctx, m); err != nil {
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	return nil
}
