package reconcile

import (
	"context"
	"sync"

	"leadsync/leads"
)

// lookahead asks for the next window while the one before it is compared and written. The answer
// waits as it came until it is wanted: so a pass holds one window and the text of another.
type lookahead struct {
	after  int64 // the window is above this id
	cancel context.CancelFunc
	page   leads.Page
	err    error
	wanted chan struct{} // closed when the answer may be read
	done   chan struct{} // closed when page and err are there
}

// startLookahead begins to read the window above after. It returns when the ticket of its request
// is drawn, and so before the caller takes ReadOrder again: while it was held, the request could
// not begin.
func startLookahead(ctx context.Context, portal Portal, after int64) *lookahead {
	ctx, cancel := context.WithCancel(ctx)
	l := &lookahead{after: after, cancel: cancel, wanted: make(chan struct{}), done: make(chan struct{})}
	drawn := make(chan struct{})
	var once sync.Once
	at := Steps{Drawn: func() { once.Do(func() { close(drawn) }) }, Answered: func() {
		select {
		case <-l.wanted:
		case <-ctx.Done():
		}
	}}
	go func() {
		defer close(l.done)
		l.page, l.err = portal.Scan(ctx, after, at)
	}()
	select {
	case <-drawn:
	case <-l.done: // it failed before
	}
	return l
}

// result waits for the window.
func (l *lookahead) result() (leads.Page, error) {
	defer l.cancel()
	close(l.wanted)
	<-l.done
	return l.page, l.err
}

// discard ends the request and waits for its end; nil is no request.
func (l *lookahead) discard() {
	if l != nil {
		l.cancel()
		<-l.done
	}
}

// dropAhead ends what is being read ahead: once a step has failed, it is too old by the time that
// it is wanted.
func (p *Pass) dropAhead() {
	p.ahead.discard()
	p.ahead = nil
}

// scan reads the window above after: the one that was read ahead, if it is that.
func (p *Pass) scan(ctx context.Context, after int64) (leads.Page, error) {
	if ahead := p.ahead; ahead != nil && ahead.after == after {
		p.ahead = nil
		return ahead.result()
	}
	p.dropAhead()
	return p.cfg.Portal.Scan(ctx, after, Steps{Drawn: func() {}, Answered: func() {}})
}

// readAhead begins to read the window behind page, if there is one. Passes over what changed, or
// over ids alone, have little to write: they need none.
func (p *Pass) readAhead(ctx context.Context, page leads.Page) {
	scans := p.run.Mode == leads.RunFull || p.run.Mode == leads.RunImport
	if scans && page.UpTo < leads.MaxID {
		p.ahead = startLookahead(ctx, p.cfg.Portal, page.UpTo)
	}
}
