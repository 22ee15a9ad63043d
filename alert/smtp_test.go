package alert_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"leadsync/alert"
	"leadsync/leads"
)

const mailHost = "mail.example.com"

// certificate is one of mailHost that is signed by itself, and the roots that know it.
func certificate(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: mailHost}, DNSNames: []string{mailHost}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// post is a mail server that encrypts by STARTTLS and wants a log-in.
type post struct {
	t       *testing.T
	certs   tls.Certificate
	offers  bool   // STARTTLS
	rude    bool   // hangs up without a good-bye
	refuses string // the answer to a log-in; "" lets in
	clear   string // what came before encryption
	inside  string // what came after it
	ended   chan struct{}
}

// dial connects a client with the server.
func (p *post) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		if conn, err := listener.Accept(); err == nil {
			p.serve(conn)
		}
		_ = listener.Close()
	}()
	return (&net.Dialer{}).DialContext(ctx, "tcp", listener.Addr().String())
}

func (p *post) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines, got, encrypted := bufio.NewScanner(conn), &p.clear, false
	say := func(text string) { fmt.Fprint(conn, text+"\r\n") }
	say("220 " + mailHost)
	for lines.Scan() {
		*got += lines.Text() + "\n"
		switch verb, _, _ := strings.Cut(strings.ToUpper(lines.Text()), " "); verb {
		case "EHLO":
			if p.offers && !encrypted {
				say("250-" + mailHost + "\r\n250 STARTTLS")
			} else {
				say("250-" + mailHost + "\r\n250 AUTH PLAIN")
			}
		case "STARTTLS":
			say("220 go on")
			inner := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{p.certs}})
			conn, lines, got, encrypted = inner, bufio.NewScanner(inner), &p.inside, true
		case "AUTH":
			if p.refuses != "" {
				say("535 " + p.refuses)
			} else {
				say("235 welcome")
			}
		case "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				*got += lines.Text() + "\n"
			}
			say("250 taken")
		case "QUIT":
			if !p.rude {
				say("221 bye")
			}
			return
		default:
			say("250 ok")
		}
	}
}

const password = "hunter2 & more"

// send sends a test message through the server and returns when the server has ended.
func (p *post) send(roots *x509.CertPool) error {
	p.t.Helper()
	m := &alert.Mail{
		Server: leads.Secret("smtp://ops:hunter2%20%26%20more@" + mailHost), From: "leadsync@example.com", To: []string{"a@example.com"},
		TLS: &tls.Config{RootCAs: roots}, Dial: p.dial,
	}
	err := alert.SendTest(p.t.Context(), m, "box", "v1", time.Now())
	select {
	case <-p.ended:
	case <-time.After(5 * time.Minute):
		p.t.Fatal("the connection is left open")
	}
	return err
}

// The password and the letter go through STARTTLS only, to a server with a good certificate, and
// no error repeats the password.
func TestMailIsEncrypted(t *testing.T) {
	certs, roots := certificate(t)
	login := base64.StdEncoding.EncodeToString([]byte("\x00ops\x00" + password))
	t.Run("well", func(t *testing.T) {
		p := &post{t: t, certs: certs, offers: true}
		if err := p.send(roots); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(p.inside, login) || !strings.Contains(p.inside, "test message") || strings.Contains(p.clear, "AUTH") || strings.Contains(p.clear, "MAIL") {
			t.Errorf("in the clear:\n%s\nencrypted:\n%s", p.clear, p.inside)
		}
	})
	t.Run("a server that hangs up", func(t *testing.T) {
		p := &post{t: t, certs: certs, offers: true, rude: true}
		if err := p.send(roots); err != nil || !strings.Contains(p.inside, "test message") {
			t.Errorf("a letter that was taken would be sent again: %v", err)
		}
	})
	t.Run("without STARTTLS", func(t *testing.T) {
		p := &post{t: t, certs: certs}
		if err := p.send(roots); err == nil || strings.Contains(p.clear, "AUTH") || strings.Contains(p.clear, "MAIL") {
			t.Errorf("%v; in the clear:\n%s", err, p.clear)
		}
	})
	t.Run("an unknown certificate", func(t *testing.T) {
		p := &post{t: t, certs: certs, offers: true}
		if err := p.send(x509.NewCertPool()); err == nil || !strings.Contains(err.Error(), "certificate") || p.inside != "" {
			t.Errorf("%v; sent:\n%s", err, p.inside)
		}
	})
	for _, answer := range []string{"who is " + login + "?", "what is " + password + "?"} {
		p := &post{t: t, certs: certs, offers: true, refuses: answer}
		if err := p.send(roots); err == nil || !strings.Contains(err.Error(), "[redacted]") || strings.Contains(err.Error(), login) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a refused log-in: %v", err)
		}
	}
}
