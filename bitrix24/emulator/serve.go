package emulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// servers are the two listening servers.
type servers struct {
	all  []*http.Server
	done chan error      // one result for each
	ctx  context.Context //nolint:containedctx // the parent of every request; its end ends what waits
	stop context.CancelFunc
}

// Start returns a portal and serves it and its authorization server until Close. The error
// names the address on which it cannot listen, or the wrong setting.
func Start(cfg Config) (*Portal, error) {
	p, err := New(cfg)
	if err != nil {
		return nil, err
	}
	var certs *tls.Config
	if p.cfg.TLS {
		if certs, err = p.certify(); err != nil {
			return nil, err
		}
	}
	portal, err := listen(p.cfg.PortalAddr, certs)
	if err != nil {
		return nil, fmt.Errorf("emulator: listen on %s: %w", p.cfg.PortalAddr, err)
	}
	oauth, err := p.listenOAuth(portal.Addr(), certs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("emulator: listen on %s: %w", p.cfg.OAuthAddr, err), portal.Close())
	}
	p.setAddresses(portal.Addr().String(), oauth.Addr().String())
	p.servers = &servers{done: make(chan error, 2)}
	p.servers.ctx, p.servers.stop = context.WithCancel(context.Background())
	p.servers.serve(portal, p.Handler())
	p.servers.serve(oauth, p.AuthHandler())
	return p, nil
}

// listenOAuth listens on the given address of the authorization server, or on the next free
// port after the portal's if that was given, or on any free port.
func (p *Portal) listenOAuth(portal net.Addr, certs *tls.Config) (net.Listener, error) {
	_, chosen, err := net.SplitHostPort(p.cfg.PortalAddr)
	tcp, ok := portal.(*net.TCPAddr)
	if p.cfg.OAuthAddr != "127.0.0.1:0" || err != nil || !ok || chosen == "0" {
		return listen(p.cfg.OAuthAddr, certs)
	}
	for port := tcp.Port + 1; port < tcp.Port+50; port++ {
		if l, err := listen(net.JoinHostPort(tcp.IP.String(), strconv.Itoa(port)), certs); err == nil {
			return l, nil
		}
	}
	return listen(p.cfg.OAuthAddr, certs)
}

func listen(address string, certs *tls.Config) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil || certs == nil {
		return l, err
	}
	return tls.NewListener(l, certs), nil
}

func (s *servers) serve(l net.Listener, h http.Handler) {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // faults break connections on purpose
	}
	s.all = append(s.all, srv)
	go func() {
		err := srv.Serve(l)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		s.done <- err
	}()
}

// Close stops the servers and the delivery of callbacks: it answers calls that are under way,
// cancels callbacks that are under way, and drops queued ones. When it returns, all goroutines
// of the portal have ended.
func (p *Portal) Close() error {
	p.queue.close()
	if p.caDir != "" {
		_ = os.RemoveAll(p.caDir) // a file left in the temporary directory does no harm
	}
	if p.servers == nil {
		return nil
	}
	p.servers.stop()
	var all error
	for _, s := range p.servers.all {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if s.Shutdown(ctx) != nil { // a connection on which no request was ever sent
			all = errors.Join(all, s.Close())
		}
		cancel()
	}
	for range p.servers.all {
		all = errors.Join(all, <-p.servers.done)
	}
	p.servers = nil
	return all
}
