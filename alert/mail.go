package alert

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/wneessen/go-mail"

	"leadsync/leads"
)

// Mail sends messages as e-mail.
type Mail struct {
	Server leads.Secret // see Settings.SMTP
	From   string
	To     []string
	// TLS is how the server's certificate is checked; nil is by the roots of the system.
	TLS *tls.Config
	// Dial connects to a server of smtp://; nil is a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Name implements Channel.
func (m *Mail) Name() string { return "e-mail" }

// Send implements Channel.
func (m *Mail) Send(ctx context.Context, message Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendLimit)
	defer cancel()
	var open net.Conn
	client, err := m.client(func(conn net.Conn) { open = conn })
	if err != nil {
		return err
	}
	defer func() {
		if open != nil { // the client leaves it open where the server does not encrypt
			_ = open.Close()
		}
	}()
	letter, err := m.letter(message)
	if err != nil {
		return err
	}
	err = client.DialAndSendWithContext(ctx, letter)
	if letter.IsDelivered() { // whatever failed after that: it is not to be sent twice
		return nil
	}
	return m.withoutPassword(err)
}

// withoutPassword is an error without the password, in no form in which a log-in sends it: some
// servers repeat what they refuse.
func (m *Mail) withoutPassword(err error) error {
	s, wrong := parseSMTP(m.Server)
	if err == nil || wrong != nil || s.password == "" {
		return err
	}
	encode := base64.StdEncoding.EncodeToString
	text := err.Error()
	for _, form := range []string{
		s.password, url.QueryEscape(s.password), url.PathEscape(s.password), encode([]byte(s.password)), encode([]byte("\x00" + s.user + "\x00" + s.password)),
	} {
		text = strings.ReplaceAll(text, form, "[redacted]")
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// client connects when it sends, and then calls opened.
func (m *Mail) client(opened func(net.Conn)) (*mail.Client, error) {
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
	if m.TLS != nil {
		config := m.TLS.Clone()
		config.ServerName = s.host
		options = append(options, mail.WithTLSConfig(config))
	}
	if !s.tls {
		options = append(options, mail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
			dial := m.Dial
			if dial == nil {
				dial = (&net.Dialer{}).DialContext
			}
			conn, err := dial(ctx, network, address)
			if err == nil {
				opened(conn)
			}
			return conn, err
		}))
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
