package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"leadsync/bitrix24"
)

// caller is who calls: an application on behalf of a user, or a webhook.
type caller struct {
	user  *user
	app   bool
	key   string   // whose operating time is counted
	scope []string // what it may call
	token string
}

// call is one method call, alone or inside a batch.
type call struct {
	*Portal
	caller caller
	method string
	args   *bitrix24.Form
	nested bool
	now    time.Time
	clock  *stopwatch // of the whole request
}

// answer is what a method returns; total and next only come from lists.
type answer struct {
	result any
	total  *int
	next   *int
}

// method is one REST method.
type method struct {
	run     func(*call) (answer, error)
	scope   string // "" needs none
	app     bool   // only for applications: event.* and the like
	page    bool   // costs what a list page costs
	noBatch bool
}

// param returns a parameter by its name, in any case; nil if it is missing.
func (c *call) param(name string) *bitrix24.Form { return c.args.Fold(name) }

// text is the value of a scalar parameter.
func (c *call) text(name string) string {
	if f := c.param(name); f != nil {
		return f.Value
	}
	return ""
}

// id reads the id of a lead the way the old CRM methods do.
func (c *call) id() (int64, error) {
	n, err := strconv.ParseInt(c.text("id"), 10, 64)
	if err != nil || n <= 0 {
		return 0, errLeadID
	}
	return n, nil
}

// invoke checks whether the caller may call the method now, runs it and charges its cost.
// The checks are in the order of the documentation's chapters; the order in a real portal is
// not known.
func (c *call) invoke() (answer, timing, error) {
	watch := c.watch()
	m, ok := methods[c.method]
	if err := c.denied(); err != nil {
		return answer{}, timing{}, err
	}
	if err := c.allowed(m, ok); err != nil {
		return answer{}, timing{}, err
	}
	key := operatingKey{c.caller.key, c.method}
	if c.limited() && c.operating.used(key, c.now) >= c.operating.limit {
		c.stats.refuse(errOperating.code)
		return answer{}, timing{}, errOperating
	}
	a, err := m.run(c)
	t := watch.stop()
	if c.method == "batch" {
		t.operating, t.reset = c.billBatch(key)
	} else {
		t.operating, t.reset = c.bill(key, m)
	}
	return a, t, err
}

// allowed checks what does not depend on the limits.
func (c *call) allowed(m method, known bool) error {
	switch {
	case !known:
		return errNoMethod
	case c.nested && m.noBatch:
		return errNoBatch
	case m.app && !c.caller.app && c.method == "app.info":
		return errAppOnly
	case m.app && !c.caller.app:
		return errAuthType
	case m.scope != "" && !slices.Contains(c.caller.scope, m.scope) && c.caller.app:
		return errScope
	case m.scope != "" && !slices.Contains(c.caller.scope, m.scope):
		return errScopeWebhook
	default:
		return nil
	}
}

// bill charges the cost of a call to its method, as documented. With Switches.BillBatch it
// charges nothing for a command of a batch: billBatch charges the batch (docs/bitrix24.md 4).
func (c *call) bill(key operatingKey, m method) (float64, time.Time) {
	cost := c.cfg.CallCost.Seconds()
	if m.page {
		cost = c.cfg.PageCost.Seconds()
	}
	c.clock.cost += cost
	if c.nested && c.cfg.Switches.BillBatch {
		return 0, time.Time{}
	}
	return c.operating.charge(key, c.now, cost)
}

// billBatch charges a batch: nothing in the documented model, in which its envelope shows
// the value of the last command. With Switches.BillBatch it charges half the cost of the
// commands, at least 0.1 s, as measured on a self-hosted portal.
func (c *call) billBatch(key operatingKey) (float64, time.Time) {
	if !c.cfg.Switches.BillBatch {
		return c.clock.batch.operating, c.clock.batch.reset
	}
	return c.operating.charge(key, c.now, max(0.1, c.clock.cost/2))
}

// limited reports whether limits are on.
func (p *Portal) limited() bool { return !p.cfg.NoLimits }

// stopwatch measures one call.
type stopwatch struct {
	p     *Portal
	wall  time.Time // on the portal's clock
	begin time.Time // on the monotonic clock
	cost  float64   // simulated seconds
	batch timing    // of the last command of a batch
}

func (p *Portal) watch() *stopwatch {
	return &stopwatch{p: p, wall: p.clock.now(), begin: time.Now()}
}

func (s *stopwatch) stop() timing {
	return timing{start: s.wall, took: time.Since(s.begin), zone: s.p.zone, bare: s.p.cfg.Switches.NoOperating}
}

// timing is the time block of an answer (docs/bitrix24.md 3.2).
type timing struct {
	start     time.Time
	took      time.Duration
	zone      *time.Location
	operating float64
	reset     time.Time // zero is not shown
	bare      bool      // without operating
}

func (t timing) appendJSON(dst []byte) []byte {
	finish := t.start.Add(t.took)
	dst = append(dst, `{"start":`...)
	dst = appendUnix(dst, t.start)
	dst = append(dst, `,"finish":`...)
	dst = appendUnix(dst, finish)
	dst = append(dst, `,"duration":`...)
	dst = appendFloat(dst, t.took.Seconds())
	dst = append(dst, `,"processing":`...)
	dst = appendFloat(dst, t.took.Seconds())
	dst = append(dst, `,"date_start":"`...)
	dst = t.start.In(t.zone).AppendFormat(dst, time.RFC3339)
	dst = append(dst, `","date_finish":"`...)
	dst = finish.In(t.zone).AppendFormat(dst, time.RFC3339)
	dst = append(dst, '"')
	if t.bare {
		return append(dst, '}')
	}
	if !t.reset.IsZero() {
		dst = append(dst, `,"operating_reset_at":`...)
		dst = strconv.AppendInt(dst, t.reset.Unix(), 10)
	}
	dst = append(dst, `,"operating":`...)
	dst = appendFloat(dst, t.operating)
	return append(dst, '}')
}

// appendUnix writes unix seconds with microseconds, as microtime(true) gives them.
func appendUnix(dst []byte, t time.Time) []byte {
	return strconv.AppendFloat(dst, float64(t.UnixMicro())/1e6, 'f', -1, 64)
}

// envelope is the body of a successful answer. Lists show next before total.
func envelope(a answer, t timing) []byte {
	dst := append(make([]byte, 0, sizeOf(a.result)), `{"result":`...)
	dst = appendValue(dst, a.result)
	if a.next != nil {
		dst = append(dst, `,"next":`...)
		dst = strconv.AppendInt(dst, int64(*a.next), 10)
	}
	if a.total != nil {
		dst = append(dst, `,"total":`...)
		dst = strconv.AppendInt(dst, int64(*a.total), 10)
	}
	dst = append(dst, `,"time":`...)
	dst = t.appendJSON(dst)
	return append(dst, '}')
}

// sizeOf estimates how long a result will be, so that the buffer for a batch of fifty pages
// need not grow again and again.
func sizeOf(v any) int {
	switch v := v.(type) {
	case leadRows:
		return 64 + 2100*len(v.leads)
	case array:
		return sizeOf(object(v))
	case object:
		n := 64
		for _, p := range v {
			n += 64 + sizeOf(p.val)
		}
		return n
	case timing:
		return 320
	default:
		return 256
	}
}

// writeJSON sends a body. It ignores errors: the caller is gone then.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON with its content type
}
