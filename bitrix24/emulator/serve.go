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
	ctx  context.Context //nolint:containedctx // every request's parent; its end cuts short what waits
	stop context.CancelFunc
}

// Start makes a portal and serves it and its authorization server until Close.
// The error names the address that cannot be listened on.
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
		return nil, fmt.Errorf("portal: cannot listen on %s: %w", p.cfg.PortalAddr, err)
	}
	oauth, err := p.listenOAuth(portal.Addr(), certs)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("portal: cannot listen on %s: %w", p.cfg.OAuthAddr, err), portal.Close())
	}
	p.setAddresses(portal.Addr().String(), oauth.Addr().String())
	p.servers = &servers{done: make(chan error, 2)}
	p.servers.ctx, p.servers.stop = context.WithCancel(context.Background())
	p.servers.serve(portal, p.Handler())
	p.servers.serve(oauth, p.AuthHandler())
	return p, nil
}

// listenOAuth listens on the authorization server's address: the given one, or
// the next free port after a portal's that was chosen, or any.
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
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // faults break connections
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

// Close stops serving and delivering: calls under way are answered, callbacks
// under way are cut off, pending ones are dropped. No goroutine survives it.
func (p *Portal) Close() error {
	p.queue.close()
	if p.caDir != "" {
		_ = os.RemoveAll(p.caDir) // a leftover in the temporary directory harms nobody
	}
	if p.servers == nil {
		return nil
	}
	p.servers.stop()
	var all error
	for _, s := range p.servers.all {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		if s.Shutdown(ctx) != nil { // a connection on which nothing was ever asked
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
