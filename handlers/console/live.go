package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"leadsync/handlers/access"
)

// writeLimit is how long a browser may take to read what is sent to it.
const writeLimit = 10 * time.Second

const (
	// mostStreams is how many pages may be live at once; others show what was when they were loaded.
	mostStreams = 64
	// mostOfOne is how many of them one caller may have: more than a browser opens at once.
	mostOfOne = 8
)

// places counts the streams that are open, by whose they are.
type places struct {
	mu  sync.Mutex
	all int
	by  map[string]int
}

// take is false where there is no place; leave gives one back.
func (p *places) take(whose string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= mostStreams || p.by[whose] >= mostOfOne {
		return false
	}
	p.all, p.by[whose] = p.all+1, p.by[whose]+1
	return true
}

func (p *places) leave(whose string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.by[whose]--; p.by[whose] == 0 {
		delete(p.by, whose)
	}
}

// stream sends the live part of a page whenever it has changed, as server-sent events.
type stream struct {
	page string
	find find
}

func (s stream) by(c *Console) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		if r.Method == http.MethodHead { // asks what it is, and waits for nothing
			return
		}
		whose := access.CallerOf(r.Context()).Source
		if !c.live.take(whose) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		defer c.live.leave(whose)
		c.send(w, r, s)
	}
}

// send sends a stream until the browser leaves or the pages stop.
func (c *Console) send(w http.ResponseWriter, r *http.Request, s stream) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Time{}) // that of requests is short, and this one does not end
	w.Header().Set("X-Accel-Buffering", "no")   // nginx would keep it
	tick := time.NewTicker(c.liveEvery)
	defer tick.Stop()
	for last, first := "", true; ; first = false {
		text := c.part(r, s)
		sent := ": nothing new\n\n"
		if first || text != last {
			sent, last = event(text), text
		}
		_ = connection.SetWriteDeadline(time.Now().Add(writeLimit))
		if _, err := fmt.Fprint(w, sent); err != nil || connection.Flush() != nil {
			return
		}
		select {
		case <-c.stopping:
			return
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// part is the live part of a page; "" where it cannot be found now.
func (c *Console) part(r *http.Request, s stream) string {
	ctx, cancel := context.WithTimeout(r.Context(), pageLimit)
	defer cancel()
	v, err := s.find(r.WithContext(ctx))
	var text bytes.Buffer
	if err != nil || v.page != s.page || c.render(&text, r, v, "live") != nil {
		return ""
	}
	return text.String()
}

// event is a text as an event: each of its lines is one of data.
func event(text string) string {
	if text == "" {
		return "event: unknown\ndata:\n\n"
	}
	lines := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return "data: " + strings.ReplaceAll(lines, "\n", "\ndata: ") + "\n\n"
}
