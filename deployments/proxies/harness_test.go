package proxies_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"leadsync/bitrix24/emulator"
	"leadsync/leads/leadstest"
	"leadsync/service"
)

// The names in the examples.
const (
	public    = "leads.example.com"
	operators = "leads-operators.example.com"
)

const (
	apiToken      = "the-token-of-the-call-centre"
	cardToken     = "the-token-of-its-browsers"
	operatorToken = "the-token-of-operators"
)

// site is a service behind a proxy, with an emulated portal on the other side of it.
type site struct {
	t      *testing.T
	portal *emulator.Portal
	vars   map[string]string
	log    *leadstest.Log
	stop   func()

	at               string // where the proxy listens
	http, admin      string // where leadsync listens
	dir              string // of the proxy
	output           *leadstest.Log
	certificate, key string // files
	roots            *x509.CertPool
}

// open starts everything; change alters the proxy's configuration before.
func open(t *testing.T, with proxy, change ...string) *site {
	t.Helper()
	with.find(t)
	p, err := emulator.Start(emulator.Config{Leads: 3, Seed: 1, NoLimits: true, Switches: emulator.Switches{NoOffline: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	ip := fmt.Sprintf("127.%d.%d.%d", 1+mathrand.IntN(250), mathrand.IntN(250), 1+mathrand.IntN(250))
	s := &site{t: t, portal: p, log: &leadstest.Log{}, output: &leadstest.Log{}, at: freeAddress(t, ip), http: freeAddress(t, ip), admin: freeAddress(t, ip), dir: t.TempDir()}
	s.certify()
	internet := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "https", Host: public}) },
		Transport: s.client("127.0.0.9").Transport,
	})
	t.Cleanup(internet.Close)
	s.vars = map[string]string{
		"LEADSYNC_DATA_DIR": t.TempDir(), "LEADSYNC_HTTP_ADDR": s.http, "LEADSYNC_ADMIN_ADDR": s.admin, "LEADSYNC_PUBLIC_URL": internet.URL,
		"LEADSYNC_ADMIN_LOCAL_TOKEN": "required", "LEADSYNC_PUBLIC_API": "on", "LEADSYNC_NATS_LISTEN": "127.0.0.1:0", "LEADSYNC_RECONCILE_AT": "off",
		"LEADSYNC_CATCHUP_EVERY": "off", "LEADSYNC_B24_INSECURE_HOSTS": host(p.Info().Portal) + "," + host(p.Info().OAuth),
		"LEADSYNC_B24_CLIENT_ID": p.Info().ClientID, "LEADSYNC_B24_CLIENT_SECRET": p.Info().ClientSecret,
		"LEADSYNC_API_TOKEN": apiToken, "LEADSYNC_CARD_TOKEN": cardToken, "LEADSYNC_OPERATOR_TOKEN": operatorToken,
	}
	s.serve()
	with.start(s, change)
	s.untilReady()
	t.Cleanup(func() {
		if s.stop(); t.Failed() {
			t.Logf("leadsync:\n%s", s.log)
		}
	})
	return s
}

// serve starts the service.
func (s *site) serve() {
	s.t.Helper()
	cfg, err := service.ReadConfig(func(name string) (string, bool) { value, ok := s.vars[name]; return value, ok })
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := service.Serve(ctx, cfg, s.log.Logger()); err != nil {
			s.t.Error(err)
		}
	}()
	s.stop = func() { cancel(); <-ended }
}

// untilReady waits until database and NATS answer: before, callbacks of unknown portals are kept.
func (s *site) untilReady() {
	s.t.Helper()
	eventually(s.t, "leadsync is ready", func() bool {
		return s.ask(http.MethodGet, operators, "/readyz", "", "Authorization", "Bearer "+apiToken).status == http.StatusOK
	})
}

// client is somebody at an address of this machine, who sees the proxy alone.
func (s *site) client(from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", s.at) },
			TLSClientConfig:   &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answer is what somebody is answered.
type answer struct {
	status int
	header http.Header
	text   string
}

// ask sends a request to the proxy from 127.0.0.1; header lists names and values in turn.
func (s *site) ask(method, name, path, body string, header ...string) answer {
	s.t.Helper()
	return s.askFrom("127.0.0.1", method, name, path, body, header...)
}

func (s *site) askFrom(from, method, name, path, body string, header ...string) answer {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, "https://"+name+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client(from).Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// metric is a line of the metrics that begins so; "" where there is none.
func (s *site) metric(begin string) string {
	s.t.Helper()
	for line := range strings.Lines(s.ask(http.MethodGet, operators, "/metrics", "", "Authorization", "Bearer "+apiToken).text) {
		if rest, found := strings.CutPrefix(line, begin+" "); found {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// certify makes a certificate for both names.
func (s *site) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: public}, DNSNames: []string{public, operators},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		s.t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.certificate = s.write("certificate.pem", string(certificate))
	s.key = s.write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(certificate)
}

// write writes a file of the proxy.
func (s *site) write(name, text string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// proxy is a program of Debian with our example of its configuration.
type proxy struct {
	program string
	file    string
	// put are the names of the example, and what stands there in a test, in turn.
	put func(*site) []string
	// around is what the example is put into.
	around func(s *site, example string) string
	args   func(path string) []string
}

// find skips the test where there is no such program.
func (p proxy) find(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the test needs many addresses of this machine, which Linux has")
	}
	if _, err := exec.LookPath(p.program); err == nil {
		return
	}
	if os.Getenv("LEADSYNC_TEST_PROXIES") != "" {
		t.Fatalf("%s is not installed, and LEADSYNC_TEST_PROXIES wants the test to run", p.program)
	}
	t.Skipf("%s is not installed: apt-get install nginx-light caddy", p.program)
}

// start runs the proxy until the test ends.
func (p proxy) start(s *site, change []string) {
	s.t.Helper()
	example := read(s.t, p.file)
	put := append(change, p.put(s)...)
	for i := 0; i+1 < len(put); i += 2 {
		if !strings.Contains(example, put[i]) {
			s.t.Fatalf("%s lacks %q", p.file, put[i])
		}
		example = strings.ReplaceAll(example, put[i], put[i+1])
	}
	path, output := s.write(filepath.Base(p.file), p.around(s, example)), s.output
	run := exec.Command(p.program, p.args(path)...) // the test's own program, ended below
	run.Dir, run.Stdout, run.Stderr = s.dir, output, output
	run.Env = append(os.Environ(), "HOME="+s.dir, "XDG_DATA_HOME="+s.dir, "XDG_CONFIG_HOME="+s.dir)
	if err := run.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = run.Wait() }()
	s.t.Cleanup(func() {
		_ = run.Process.Kill()
		if <-ended; s.t.Failed() {
			s.t.Logf("%s:\n%s", p.program, output)
		}
	})
	for _, address := range []string{s.at, s.http, s.admin} {
		eventually(s.t, address+" listens", func() bool {
			select {
			case <-ended:
				s.t.Fatalf("%s ended", p.program)
			default:
			}
			conn, err := net.Dial("tcp", address)
			if err == nil {
				_ = conn.Close()
			}
			return err == nil
		})
	}
}

// nginx runs as one process, so that it needs no user of its own.
var nginx = proxy{
	program: "nginx", file: "nginx.conf",
	put: func(s *site) []string {
		return []string{
			"listen 443 ssl;", "listen " + s.at + " ssl;", "/var/log/nginx/", s.dir + "/",
			"/etc/ssl/leads.example.com/fullchain.pem", s.certificate, "/etc/ssl/leads.example.com/privkey.pem", s.key,
			"/etc/ssl/leads-operators.example.com/fullchain.pem", s.certificate, "/etc/ssl/leads-operators.example.com/privkey.pem", s.key,
			"127.0.0.1:8080", s.http, "127.0.0.1:8081", s.admin,
		}
	},
	around: func(s *site, example string) string {
		var b strings.Builder
		b.WriteString("daemon off;\nmaster_process off;\nerror_log stderr;\npid " + s.dir + "/pid;\nevents {}\nhttp {\n")
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			b.WriteString(kind + "_temp_path " + s.dir + "/" + kind + ";\n")
		}
		return b.String() + example + "}\n"
	},
	args: func(path string) []string { return []string{"-e", "stderr", "-c", path} },
}

// caddy gets its certificates from files, as nobody signs one for these names.
var caddy = proxy{
	program: "caddy", file: "Caddyfile",
	put: func(s *site) []string {
		own := func(name string) string {
			ip, port, _ := net.SplitHostPort(s.at)
			return "\nhttps://" + name + ":" + port + " {\n\tbind " + ip + "\n\ttls " + s.certificate + " " + s.key + "\n"
		}
		return []string{"\n" + public + " {\n", own(public), "\n" + operators + " {\n", own(operators), "127.0.0.1:8080", s.http, "127.0.0.1:8081", s.admin}
	},
	around: func(_ *site, example string) string {
		return "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + example
	},
	args: func(path string) []string { return []string{"run", "--config", path, "--adapter", "caddyfile"} },
}

// freeAddress is one that nothing else takes until it is used: each site has an IP address of its own.
func freeAddress(t *testing.T, ip string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func host(raw string) string {
	_, after, _ := strings.Cut(raw, "://")
	return after
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// eventually waits far longer than anything takes: a slow machine is not a failure.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	never := time.After(5 * time.Minute)
	for !done() {
		select {
		case <-never:
			t.Fatal("did not happen: " + what)
		case <-time.After(20 * time.Millisecond):
		}
		if t.Failed() {
			t.FailNow()
		}
	}
}
