package emulator

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// happens reports whether a fault with that rate happens this time.
func (p *Portal) happens(rate float64) bool {
	if rate <= 0 {
		return false
	}
	p.rngMu.Lock()
	defer p.rngMu.Unlock()
	return p.rng.chance(rate)
}

// hidden reports whether the fault Hidden hides a lead: always the same ones for the same
// share.
func (p *Portal) hidden(l *lead) bool { return p.chosen(l, p.Faults().Hidden, 0) }

// chosen reports whether a lead belongs to a share of all leads: always the same ones for the
// same share and use.
func (p *Portal) chosen(l *lead, share float64, use uint64) bool {
	if share <= 0 {
		return false
	}
	return newRNG(p.cfg.Seed, hash(strconv.FormatInt(l.id, 10))+use).chance(share)
}

// hash is FNV-1a.
func hash(text string) uint64 {
	var h uint64 = 14695981039346656037
	for _, c := range []byte(text) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

// failREST answers a REST request with a fault that is on; it returns false if none happens.
func (p *Portal) failREST(w http.ResponseWriter, r *http.Request) bool {
	f := p.Faults()
	if !p.wait(r.Context(), f.SlowMS) {
		p.htmlError(w, http.StatusGatewayTimeout, "504 Gateway Time-out")
		return true
	}
	if f.RenamedTo != "" {
		w.Header().Set("Location", strings.TrimRight(f.RenamedTo, "/")+r.URL.RequestURI())
		w.WriteHeader(http.StatusFound)
		return true
	}
	var no *refusal
	switch {
	case f.Deleted:
		no = errPortalDeleted
	case f.Overload:
		no = errOverload
	case f.Refuse != "":
		no = refusable[strings.ToLower(f.Refuse)]
	case p.happens(f.Error503):
		no = errQueryLimit
	case p.happens(f.Error401):
		no = errExpired
	case p.happens(f.Error429):
		no = errOperating
	case p.happens(f.Error500):
		no = errInternal
	case p.happens(f.ErrorHTML):
		p.htmlError(w, http.StatusInternalServerError, "500 Internal Server Error")
		return true
	case p.happens(f.Error502):
		p.htmlError(w, http.StatusBadGateway, "502 Bad Gateway")
		return true
	case p.happens(f.HTML200):
		p.htmlError(w, http.StatusOK, "Please log in to the network")
		return true
	}
	if no == nil {
		return false
	}
	p.stats.refuse(no.code)
	status, body := refused(no)
	p.answer(w, status, body)
	return true
}

// wait waits for slow_ms, at most for Config.Wall; it returns false if that is over.
func (p *Portal) wait(ctx context.Context, ms int) bool {
	if ms <= 0 {
		return true
	}
	late := time.Duration(ms) * time.Millisecond
	timer := time.NewTimer(min(late, p.cfg.Wall))
	defer timer.Stop()
	select {
	case <-timer.C:
		return late < p.cfg.Wall
	case <-ctx.Done():
		return true // the caller no longer waits for the answer
	}
}

// send writes the answer to a call that was executed, unless a fault stops it.
func (p *Portal) send(w http.ResponseWriter, status int, body []byte) {
	f := p.Faults()
	body = f.encode(body)
	if p.cfg.Switches.RawUnicode {
		body = unescape(body)
	}
	switch {
	case status == http.StatusGatewayTimeout, p.happens(f.Error504):
		p.htmlError(w, http.StatusGatewayTimeout, "504 Gateway Time-out")
	case p.happens(f.Reset):
		panic(http.ErrAbortHandler)
	case p.happens(f.Truncate):
		writeJSON(w, status, body[:len(body)/2])
	default:
		p.answer(w, status, body)
	}
}

// failToken answers a request to the authorization server with a fault that is on; it
// returns false if none happens.
func (p *Portal) failToken(w http.ResponseWriter, _ *http.Request) bool {
	if p.happens(p.Faults().TokenError503) {
		p.htmlError(w, http.StatusServiceUnavailable, "503 Service Temporarily Unavailable")
		return true
	}
	return false
}

// htmlError is the error page of the web server in front of the portal.
func (p *Portal) htmlError(w http.ResponseWriter, status int, title string) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = w.Write([]byte("<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title +
		"</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"))
}
