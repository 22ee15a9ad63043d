package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"leadsync/guide"
	"leadsync/leads"
)

// Admin is how the operators' face is set up.
type Admin struct {
	Addr          string // host:port, unix: and a path, or "" for no such face
	PublicAPI     bool   // the public face answers look-ups, too
	LocalToken    bool   // who is at this machine needs a token as well
	OperatorToken leads.Secret
	CardToken     leads.Secret
	TrustHeader   string   // in which a reverse proxy names a person; "" is none
	Operators     []string // names in that header that may operate; none is all
}

// unixScheme begins the address of a unix socket.
const unixScheme = "unix:"

// Listeners are the addresses of the two faces.
type Listeners struct {
	Public net.Listener
	Admin  net.Listener // nil where there is no operators' face
}

// Listen takes the addresses of both faces, the public one first, before the service starts:
// an address that is taken is reported at once.
func Listen(ctx context.Context, cfg Config) (*Listeners, error) {
	public, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.HTTPAddr)
	if err != nil {
		return nil, guide.At(guide.Port, fmt.Errorf("LEADSYNC_HTTP_ADDR: cannot listen on %s: %w", cfg.HTTPAddr, err))
	}
	l := &Listeners{Public: public}
	if cfg.Admin.Addr == "" {
		return l, nil
	}
	if l.Admin, err = listenAdmin(ctx, cfg.Admin.Addr); err != nil {
		return nil, errors.Join(guide.At(guide.Port, fmt.Errorf("LEADSYNC_ADMIN_ADDR: cannot listen on %s: %w", cfg.Admin.Addr, err)), l.Close())
	}
	return l, nil
}

func listenAdmin(ctx context.Context, addr string) (net.Listener, error) {
	path, unix := strings.CutPrefix(addr, unixScheme)
	if !unix {
		return (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o660); err != nil { //nolint:gosec // its group is the proxy's
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes the socket of a process that was killed. One that answers is left alone.
func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&os.ModeSocket == 0 {
		return nil //nolint:nilerr // listening says what is wrong
	}
	if conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path); err == nil {
		return errors.Join(errors.New("another process listens there"), conn.Close())
	}
	return os.Remove(path)
}

// Close gives the addresses back.
func (l *Listeners) Close() error {
	err := ignoreClosed(l.Public.Close())
	if l.Admin != nil {
		err = errors.Join(err, ignoreClosed(l.Admin.Close()))
	}
	return err
}

// local tells listeners that can be reached from this machine alone.
func local(l net.Listener) bool {
	switch addr := l.Addr().(type) {
	case *net.TCPAddr:
		return addr.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	default:
		return false
	}
}

// addressOf is where a listener is reached: a URL, or unix: and a path.
func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	if l.Addr().Network() == "unix" {
		return unixScheme + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}
