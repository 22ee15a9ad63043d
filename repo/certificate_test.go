package repo_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"leadsync/repo"
)

// negativeSerial is a certificate as SQL Server makes itself one, with the serial number -5.
// crypto/x509 makes none, so this one is made with 5, changed, and signed again.
func negativeSerial(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(5), Subject: pkix.Name{CommonName: "SSL_Self_Signed_Fallback"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	made, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	var whole struct {
		Body      asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(made, &whole); err != nil {
		t.Fatal(err)
	}
	body := bytes.Replace(whole.Body.FullBytes, []byte{2, 1, 5}, []byte{2, 1, 0xfb}, 1) // an INTEGER of one byte
	if bytes.Equal(body, whole.Body.FullBytes) {
		t.Fatal("the serial number is not where it was")
	}
	whole.Body = asn1.RawValue{FullBytes: body}
	digest := sha256.Sum256(body)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	whole.Signature = asn1.BitString{Bytes: signature, BitLength: 8 * len(signature)}
	der, err := asn1.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// tlsInTDS carries TLS in packets of type 0x12 (PRELOGIN), as TDS does until the log-in.
type tlsInTDS struct {
	net.Conn
	rest []byte
}

func (c *tlsInTDS) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		packet, err := readTDS(c.Conn)
		if err != nil {
			return 0, err
		}
		c.rest = packet
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *tlsInTDS) Write(b []byte) (int, error) { return len(b), writeTDS(c.Conn, 0x12, b) }

func readTDS(r io.Reader) ([]byte, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	body := make([]byte, binary.BigEndian.Uint16(head[2:])-8)
	_, err := io.ReadFull(r, body)
	return body, err
}

func writeTDS(w io.Writer, kind byte, body []byte) error {
	head := []byte{kind, 1, 0, 0, 0, 0, 1, 0}
	binary.BigEndian.PutUint16(head[2:], uint16(len(body)+8))
	_, err := w.Write(append(head, body...))
	return err
}

// encryptedServer is the beginning of a SQL Server: it answers PRELOGIN, shakes hands with its
// certificate and hangs up. shaken receives what came of each hand-shake.
func encryptedServer(t *testing.T, own tls.Certificate) (address string, shaken <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	results := make(chan error, 10)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := readTDS(conn); err != nil {
					results <- err
					return
				}
				// VERSION at 11, 6 bytes; ENCRYPTION at 17, 1 byte: 1, on for everything.
				answer := []byte{0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 15, 0, 7, 0xd0, 0, 0, 1}
				if err := writeTDS(conn, 4, answer); err != nil {
					results <- err
					return
				}
				shaking := &tlsInTDS{Conn: conn}
				results <- tls.Server(shaking, &tls.Config{Certificates: []tls.Certificate{own}, MaxVersion: tls.VersionTLS12}).Handshake()
			}()
		}
	}()
	return l.Addr().String(), results
}

func TestServersOwnCertificateIsRead(t *testing.T) {
	address, shaken := encryptedServer(t, negativeSerial(t))
	open := func(query string) string {
		t.Helper()
		db, err := repo.Open(t.Context(), repo.Config{URL: "sqlserver://sa:p@" + address + "?database=oktell&dial+timeout=20" + query})
		if err == nil {
			t.Fatal(db.Close())
		}
		return err.Error()
	}
	if words := open("&TrustServerCertificate=true"); strings.Contains(words, "x509") || strings.Contains(words, "certificate") {
		t.Errorf("whatever the certificate: %s", words)
	}
	if err := <-shaken; err != nil {
		t.Errorf("hand-shake: %v", err)
	}
	words := open("")
	if <-shaken == nil {
		t.Error("the client shakes hands with a server that it does not trust")
	}
	if !strings.Contains(words, "let this machine trust") {
		t.Errorf("a certificate that nobody trusts: %s", words)
	}
	t.Setenv("GODEBUG", "x509negativeserial=0")             // as Go is by default
	address, shaken = encryptedServer(t, negativeSerial(t)) // crypto/tls remembers what it has read
	words = open("&TrustServerCertificate=true")
	if <-shaken == nil {
		t.Error("the setting of Go does nothing any more")
	}
	if !strings.Contains(words, "negative serial") || !strings.Contains(words, "certificate of its own") {
		t.Errorf("a certificate that Go does not read: %s", words)
	}
}
