package alert

import (
	"context"
	"fmt"
	"strings"

	"github.com/wneessen/go-mail"

	"leadsync/leads"
)

// Mail sends messages as e-mail.
type Mail struct {
	Server leads.Secret // see Settings.SMTP
	From   string
	To     []string
}

// Name implements Channel.
func (m *Mail) Name() string { return "e-mail" }

// Send implements Channel.
func (m *Mail) Send(ctx context.Context, message Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	client, err := m.client()
	if err != nil {
		return err
	}
	letter, err := m.letter(message)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, letter)
}

func (m *Mail) client() (*mail.Client, error) {
	s, err := parseSMTP(m.Server)
	if err != nil {
		return nil, err
	}
	options := []mail.Option{mail.WithPort(s.port), mail.WithTimeout(sendLimit)}
	switch {
	case s.tls:
		options = append(options, mail.WithSSL())
	case s.local(): // a relay on this machine
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if s.user != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(s.user), mail.WithPassword(s.password))
	}
	return mail.NewClient(s.host, options...)
}

// letter is the message as an e-mail. One that comes twice has the same Message-ID, and the one
// that says that it is over answers the first.
func (m *Mail) letter(message Message) (*mail.Msg, error) {
	letter := mail.NewMsg()
	if err := letter.From(m.From); err != nil {
		return nil, fmt.Errorf("sender: %w", err)
	}
	if err := letter.To(m.To...); err != nil {
		return nil, fmt.Errorf("receivers: %w", err)
	}
	_, domain, _ := strings.Cut(strings.TrimRight(m.From, ">"), "@")
	letter.SetMessageIDWithValue(message.Key() + "@" + domain)
	if message.Status == Resolved {
		first := message
		first.Status = Firing
		letter.SetGenHeader(mail.HeaderInReplyTo, "<"+first.Key()+"@"+domain+">")
	}
	letter.SetDate()
	letter.SetBulk()
	letter.Subject(message.Subject())
	letter.SetBodyString(mail.TypeTextPlain, body(message))
	return letter, nil
}

func body(m Message) string {
	lines := []string{m.Text, ""}
	if m.Status != Test {
		lines = append(lines, "Component: "+m.Component, "Since: "+stamp(m.Since))
	}
	if m.Until != nil {
		lines = append(lines, "Until: "+stamp(*m.Until))
	}
	return strings.Join(append(lines, "leadsync "+m.Version), "\n") + "\n"
}
