package emulator

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults are failures that the emulator produces on purpose. They can be changed while the
// portal runs. Rates are fractions from 0 to 1. The zero value is a healthy portal.
type Faults struct {
	// Callbacks.
	Lose       float64 `json:"lose"`        // never sent
	Repeat     float64 `json:"repeat"`      // sent twice
	Reorder    float64 `json:"reorder"`     // sent after later ones
	WrongToken float64 `json:"wrong_token"` // with a wrong application token
	NoUser     float64 `json:"no_user"`     // as if a robot had caused the event: without tokens

	// REST requests.
	Error401  float64 `json:"error_401"`  // the access token has expired
	Error429  float64 `json:"error_429"`  // OPERATION_TIME_LIMIT
	Error500  float64 `json:"error_500"`  // INTERNAL_SERVER_ERROR
	Error503  float64 `json:"error_503"`  // QUERY_LIMIT_EXCEEDED
	ErrorHTML float64 `json:"error_html"` // 500 with an HTML page
	Error504  float64 `json:"error_504"`  // 504 of the web server, after the call was executed
	Reset     float64 `json:"reset"`      // the connection breaks after the call was executed, before the answer
	Truncate  float64 `json:"truncate"`   // the answer ends in the middle
	SlowMS    int     `json:"slow_ms"`    // every answer is this late; Config.Wall or more is a 504
	Overload  bool    `json:"overload"`   // OVERLOAD_LIMIT
	Deleted   bool    `json:"deleted"`    // PORTAL_DELETED
	Refuse    string  `json:"refuse"`     // every call is refused with this code of docs/bitrix24.md 3.4
	RenamedTo string  `json:"renamed_to"` // 302 to this origin (scheme and host)

	// Inside batches.
	CommandLimit float64 `json:"command_limit"` // a command is refused with OPERATION_TIME_LIMIT

	// The authorization server.
	TokenError503   float64 `json:"token_error_503"`  // it answers with a 503 page
	PaymentRequired bool    `json:"payment_required"` // it refuses tokens because the subscription ended

	// Rights.
	Hidden float64 `json:"hidden"` // this share of leads is hidden: not in lists, "Access denied." by get
}

type faultBox struct {
	mu  sync.RWMutex
	now Faults
}

// Faults returns the faults that are on.
func (p *Portal) Faults() Faults {
	p.faults.mu.RLock()
	defer p.faults.mu.RUnlock()
	return p.faults.now
}

// SetFaults replaces all faults.
func (p *Portal) SetFaults(f Faults) {
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.faults.now = f
}

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
func (p *Portal) hidden(l *lead) bool {
	share := p.Faults().Hidden
	if share <= 0 {
		return false
	}
	id := strconv.FormatInt(l.id, 10)
	var h uint64 = 14695981039346656037
	for _, c := range []byte(id) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return newRNG(p.cfg.Seed, h).chance(share)
}

// refusable are the codes that Faults.Refuse accepts: those of docs/bitrix24.md 3.4 with
// which a portal may refuse every call.
var refusable = func() map[string]*refusal {
	m := map[string]*refusal{}
	for _, r := range []*refusal{
		errExpired, errInvalidToken, errNoAuth, errUserBlocked, errNotInstalled, errPayment, errConfirmWaiting,
		errConfirmDenied, errCredentials, errScope, errUserAccess, errTariff, errAuthType, errNoMethod, errHTTPS,
		errOperating, errQueryLimit, errOverload, errInternal, errUnexpected, errPortalDeleted,
		{http.StatusUnauthorized, "APPLICATION_NOT_FOUND", "Application not found"},
		{http.StatusForbidden, "allowed_only_intranet_user", "Allowed only for intranet users"},
		{http.StatusForbidden, "ACCESS_ERROR", "Access denied"},
		{http.StatusNotFound, "ERROR_MANIFEST_IS_NOT_AVAILABLE", "Manifest is not available"},
		{http.StatusInternalServerError, "ERROR_UNEXPECTED_ANSWER", "Server returned an unexpected response"},
	} {
		m[strings.ToLower(r.code)] = r
	}
	return m
}()

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
	}
	if no == nil {
		return false
	}
	p.stats.refuse(no.code)
	status, body := refused(no)
	writeJSON(w, status, body)
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
		writeJSON(w, status, body)
	}
}

// failCommand returns the error of a fault in one command of a batch.
func (p *Portal) failCommand() error {
	if p.happens(p.Faults().CommandLimit) {
		p.stats.refuse(errOperating.code)
		return errOperating
	}
	return nil
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
