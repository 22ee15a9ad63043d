// Package access decides who may do what on the operators' face: it knows tokens, sessions of
// people who logged in, and names that a reverse proxy vouches for. It must not know what the
// pages show.
package access

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Config is what a Guard works with.
type Config struct {
	// Judge knows the tokens.
	Judge *Judge
	// Local says that whoever is at this machine may do everything: the listener can be reached
	// from nowhere else, as a loopback address or a unix socket. It changes nothing where
	// TrustHeader is set.
	Local bool
	// TrustHeader is the header in which a reverse proxy on this machine names the person whom
	// it has logged in; "" trusts none.
	TrustHeader string
	// Operators are the names in TrustHeader that may operate, others may read; none is all.
	Operators []string
	// Open are paths that anybody may read, such as the style sheet of the log-in.
	Open []string
	// Themselves are paths that decide themselves who may read them.
	Themselves []string
	Now        func() time.Time
}

// Guard lets requests through to what they have a right to.
type Guard struct {
	cfg      Config
	key      []byte // of the tokens in forms; a restart makes forms that are open useless
	origin   *http.CrossOriginProtection
	sessions *sessions
}

// New makes a guard.
func New(cfg Config) *Guard {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return &Guard{
		cfg: cfg, key: key, origin: http.NewCrossOriginProtection(), sessions: newSessions(cfg.Now),
	}
}

// Caller is who sends a request.
type Caller struct {
	Right Right
	// Name is the person whom the reverse proxy named; "" of all others.
	Name string
	// FormToken is what this caller's forms carry in the field FormField. Programs that send
	// a bearer token need none: no other page can make a browser send that.
	FormToken string
	// Source is the same for all requests of a session, of a person whom the proxy names, and of
	// programs at one address: what one caller may have at once is counted by it.
	Source string
	// LoggedIn tells callers who can log out.
	LoggedIn bool

	program bool
}

// FormField is the field of Caller.FormToken.
const FormField = "form_token"

type callerKey struct{}

// CallerOf is who sent a request that passed a Guard.
func CallerOf(ctx context.Context) Caller {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	return caller
}

// LoginPath and LogoutPath are answered by the guard.
const (
	LoginPath  = "/login"
	LogoutPath = "/logout"
)

// Wrap guards everything behind next.
func (g *Guard) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		switch path := r.URL.Path; {
		case slices.Contains(g.cfg.Themselves, path), reads(r) && slices.Contains(g.cfg.Open, path):
			next.ServeHTTP(w, r)
		case path == LoginPath:
			g.login(w, r)
		case path == LogoutPath:
			g.logout(w, r)
		default:
			g.pass(w, r, next) //nolint:contextcheck // the context is that of the request
		}
	})
}

// pass serves what the caller has a right to.
func (g *Guard) pass(w http.ResponseWriter, r *http.Request, next http.Handler) {
	caller, ctx, cancel, refused := g.identify(r)
	defer cancel()
	switch {
	case refused != nil:
		g.refuse(w, r, *refused)
		return
	case caller.Right < Read:
		g.refuse(w, r, unknown)
		return
	case reads(r):
	case caller.Right < Operate:
		g.refuse(w, r, readOnly)
		return
	case !g.genuine(w, r, caller):
		g.refuse(w, r, foreign)
		return
	}
	if caller.Source = caller.FormToken; caller.program {
		caller.Source = network(address(r)).String()
	}
	next.ServeHTTP(w, r.WithContext(context.WithValue(ctx, callerKey{}, caller)))
}

// reads tells requests that change nothing.
func reads(r *http.Request) bool {
	return r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions
}

// identify finds out who sends a request. The context ends with the caller's session.
func (g *Guard) identify(r *http.Request) (_ Caller, _ context.Context, cancel context.CancelFunc, refused *refusal) {
	ctx, cancel := r.Context(), func() {}
	if token, ok := Bearer(r); ok {
		right, refused := g.judge(r, token)
		return Caller{Right: right, program: true}, ctx, cancel, refused
	}
	if g.cfg.TrustHeader != "" { // whom the proxy names now counts more than who once logged in at this browser
		if caller := g.named(r); caller.Right != None {
			return caller, ctx, cancel, nil
		}
	}
	if cookie, err := r.Cookie(sessionCookie); err == nil {
		if found, ok := g.sessions.find(cookie.Value); ok {
			ctx, end := context.WithTimeout(ctx, found.until.Sub(g.cfg.Now()))
			stop := context.AfterFunc(found.ended, end)
			caller := Caller{Right: found.right, FormToken: g.formToken("session " + cookie.Value), LoggedIn: true}
			return caller, ctx, func() { stop(); end() }, nil
		}
	}
	if g.cfg.TrustHeader == "" && g.cfg.Local && direct(r) {
		return Caller{Right: Operate, FormToken: g.formToken("local")}, ctx, cancel, nil
	}
	return Caller{}, ctx, cancel, nil
}

// judge tells what a token gives here.
func (g *Guard) judge(r *http.Request, token string) (Right, *refusal) {
	right, slow := g.cfg.Judge.Right(r, token, Read, Operate)
	switch {
	case slow:
		return None, &tooMany
	case right == None:
		return None, &unknown
	}
	return right, nil
}

// named is the person whom a reverse proxy on this machine names. A header that is there twice
// may come half from the person, so it counts as none.
func (g *Guard) named(r *http.Request) Caller {
	values := r.Header.Values(g.cfg.TrustHeader)
	if len(values) != 1 || strings.TrimSpace(values[0]) == "" || !nearby(r) {
		return Caller{}
	}
	caller := Caller{Right: Read, Name: strings.TrimSpace(values[0])}
	if len(g.cfg.Operators) == 0 || slices.Contains(g.cfg.Operators, caller.Name) {
		caller.Right = Operate
	}
	caller.FormToken = g.formToken("name " + caller.Name)
	return caller
}

// nearby tells requests that come from this machine.
func nearby(r *http.Request) bool {
	from := peer(r)
	return !from.IsValid() || from.IsLoopback() // of a unix socket there is no address
}

// forwarded are headers that proxies set, and forwardedPrefixes how further ones begin. What a
// proxy forwards need not come from this machine.
var (
	forwarded = []string{
		"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Fastly-Client-Ip", "X-Scheme",
	}
	forwardedPrefixes = []string{"X-Forwarded", "X-Original-", "X-Envoy-", "Cf-"}
)

// proxied tells requests that a proxy shows to be forwarded: by a header, or by HTTP/1.0, which
// nginx speaks unless it is told otherwise. A proxy that shows neither cannot be told from a
// program on this machine; Config.Local is false for houses that have one.
func proxied(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for name := range r.Header {
		begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
		if slices.Contains(forwarded, name) || slices.ContainsFunc(forwardedPrefixes, begins) {
			return true
		}
	}
	return false
}

// direct tells requests of this machine's own browsers and programs. They ask for this machine:
// any other name as the host was passed on by a proxy, also through a unix socket, or comes from
// a page of another site whose name was made to mean this machine (DNS rebinding).
func direct(r *http.Request) bool {
	if proxied(r) || !nearby(r) {
		return false
	}
	return isThisMachine(r.Host) || r.Host == "" && !peer(r).IsValid() // programs that use a socket may name no host
}

func isThisMachine(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && ip.Unmap().IsLoopback()
}

// genuine tells requests that the caller's own page has made, or a program, from those that
// another site makes his browser send.
func (g *Guard) genuine(w http.ResponseWriter, r *http.Request, caller Caller) bool {
	if caller.program {
		return true
	}
	if g.origin.Check(r) != nil {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, mostFormBytes)
	return same(r.PostFormValue(FormField), caller.FormToken)
}

// mostFormBytes is the largest form of ours, with room.
const mostFormBytes = 64 << 10

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// formToken is what forms of somebody carry.
func (g *Guard) formToken(of string) string {
	mac := hmac.New(sha256.New, g.key)
	mac.Write([]byte(of))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Bearer is the token in the header Authorization; false where there is no such header.
func Bearer(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// peer is who is connected to us; the zero Addr for a unix socket.
func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// address is whom to blame for a wrong token: behind a proxy on this machine, whom the proxy
// names last.
func address(r *http.Request) netip.Addr {
	from := peer(r)
	if !nearby(r) {
		return from
	}
	values := r.Header.Values("X-Forwarded-For")
	if len(values) == 0 {
		return from
	}
	last := values[len(values)-1]
	last = strings.TrimSpace(last[strings.LastIndexByte(last, ',')+1:])
	if named, err := netip.ParseAddrPort(last); err == nil { // as IIS writes it
		return named.Addr()
	}
	if named, err := netip.ParseAddr(last); err == nil {
		return named
	}
	return from
}

// secure sets the headers of every answer: nothing of it is kept, shown in a frame or sent to
// another site, and only our own style sheet and script work.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "+
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // with no-referrer browsers would not say where a form comes from
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}
