package events_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"leadsync/events"
	"leadsync/events/eventstest"
	"leadsync/guide"
)

// Each way to log in that a NATS server may ask for is tried against one, with the right key
// and with another, which has to read as a refusal: a service waits it out and says so.
func TestEveryLoginThatAServerMayAskFor(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (right, wrong events.Server){
		"an nkey": nkeyServer, "a creds file": credsServer, "a client certificate": certificateServer,
	} {
		t.Run(name, func(t *testing.T) {
			right, wrong := start(t)
			nc, err := events.Connect(right)
			if err != nil {
				t.Fatal(err)
			}
			defer nc.Close()
			bus, err := events.Open(nc, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := events.Setup(t.Context(), bus, 1); err != nil {
				t.Errorf("the streams: %v", err)
			}
			nc, err = events.Connect(wrong)
			if err == nil {
				nc.Close()
				t.Fatal("another key is let in")
			}
			if want := "LEADSYNC_NATS_C"; !strings.Contains(err.Error(), want) { // CREDS, CERT
				t.Errorf("refused with %v, want %s in it", err, want)
			}
		})
	}
}

// guarded starts a server with JetStream that asks for what opts say.
func guarded(t *testing.T, opts *server.Options) (url string) {
	t.Helper()
	opts.Host, opts.Port, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, true
	opts.JetStream, opts.StoreDir, opts.JetStreamMaxStore = true, t.TempDir(), 1<<40
	return eventstest.Run(t, opts)[0].ClientURL()
}

// file writes a file that only its owner may read.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pair is a key pair of NATS with its public key and its seed.
func pair(t *testing.T, create func() (nkeys.KeyPair, error)) (key nkeys.KeyPair, public string, seed []byte) {
	t.Helper()
	key, err := create()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = key.PublicKey(); err != nil {
		t.Fatal(err)
	}
	if seed, err = key.Seed(); err != nil {
		t.Fatal(err)
	}
	return key, public, seed
}

func nkeyServer(t *testing.T) (right, wrong events.Server) {
	t.Helper()
	_, public, seed := pair(t, nkeys.CreateUser)
	_, _, other := pair(t, nkeys.CreateUser)
	url := guarded(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	return events.Server{URL: url, NKey: file(t, "user.nk", seed)}, events.Server{URL: url, NKey: file(t, "other.nk", other)}
}

// credsServer is a server of an operator with one account, as nsc makes them.
func credsServer(t *testing.T) (right, wrong events.Server) {
	t.Helper()
	operatorKey, operatorPublic, _ := pair(t, nkeys.CreateOperator)
	operator := jwt.NewOperatorClaims(operatorPublic)
	_, systemPublic, _ := pair(t, nkeys.CreateAccount)
	accountKey, accountPublic, _ := pair(t, nkeys.CreateAccount)
	account := jwt.NewAccountClaims(accountPublic)
	account.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	resolver := &server.MemAccResolver{}
	for public, claims := range map[string]*jwt.AccountClaims{accountPublic: account, systemPublic: jwt.NewAccountClaims(systemPublic)} {
		signed, err := claims.Encode(operatorKey)
		if err != nil {
			t.Fatal(err)
		}
		if err := resolver.Store(public, signed); err != nil {
			t.Fatal(err)
		}
	}
	url := guarded(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{operator}, AccountResolver: resolver, SystemAccount: systemPublic})
	creds := func(signer nkeys.KeyPair) string {
		_, public, seed := pair(t, nkeys.CreateUser)
		signed, err := jwt.NewUserClaims(public).Encode(signer)
		if err != nil {
			t.Fatal(err)
		}
		content, err := jwt.FormatUserConfig(signed, seed)
		if err != nil {
			t.Fatal(err)
		}
		return file(t, "user.creds", content)
	}
	stranger, _, _ := pair(t, nkeys.CreateAccount)
	return events.Server{URL: url, Creds: creds(accountKey)}, events.Server{URL: url, Creds: creds(stranger)}
}

// certificateServer wants a certificate of its own authority from each client.
func certificateServer(t *testing.T) (right, wrong events.Server) {
	t.Helper()
	ours, strange := newAuthority(t), newAuthority(t)
	certificate, key := ours.issue(t, "server")
	both, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ours.certificate)
	url := guarded(t, &server.Options{TLS: true, TLSVerify: true, TLSTimeout: 5, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{both}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}})
	url = strings.Replace(url, "nats://", "tls://", 1)
	right = events.Server{URL: url, CA: ours.file}
	right.Cert, right.Key = ours.issue(t, "leadsync")
	wrong = events.Server{URL: url, CA: ours.file}
	wrong.Cert, wrong.Key = strange.issue(t, "leadsync")
	return right, wrong
}

// authority signs certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, file: file(t, "ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue returns the files of a certificate for 127.0.0.1 and of its key.
func (a *authority) issue(t *testing.T, name string) (certificate, private string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	marshalled, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		file(t, name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: marshalled}))
}

// A file that cannot be used is named by its setting, before any server is asked.
func TestFilesThatCannotBeUsedAreNamed(t *testing.T) {
	odd := file(t, "odd", []byte("no key and no certificate"))
	for want, s := range map[string]events.Server{
		"LEADSYNC_NATS_NKEY: ": {NKey: odd}, "LEADSYNC_NATS_CA: the file has no certificates": {CA: odd}, "LEADSYNC_NATS_CERT and LEADSYNC_NATS_KEY: ": {Cert: odd, Key: odd},
	} {
		s.URL = "nats://127.0.0.1:1"
		if _, err := events.ConnectLater(s); err == nil || !strings.HasPrefix(err.Error(), want) || guide.Of(err) != guide.Settings {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
