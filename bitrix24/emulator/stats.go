package emulator

import (
	"maps"
	"sync"
)

// Stats are counts since the start. Their JSON is the answer of GET /_portal/stats. Requests
// counts HTTP requests by method, a batch as one; requests to the authorization server count
// as oauth.token and app.info, those to the authorize page as oauth.authorize. Commands counts
// the commands of batches by method. Refusals counts only QUERY_LIMIT_EXCEEDED, OVERLOAD_LIMIT
// and OPERATION_TIME_LIMIT. Sent callbacks were answered with 2xx, failed ones with another
// status or not at all, and lost ones were suppressed by a fault.
type Stats struct {
	Requests         map[string]int `json:"requests"`
	Commands         map[string]int `json:"commands"`
	Refusals         map[string]int `json:"refusals"`
	CallbacksPending int            `json:"callbacks_pending"`
	CallbacksSent    int            `json:"callbacks_sent"`
	CallbacksFailed  int            `json:"callbacks_failed"`
	CallbacksLost    int            `json:"callbacks_lost"`
}

type counters struct {
	mu                           sync.Mutex
	requests, commands, refusals map[string]int
}

func newCounters() *counters {
	return &counters{requests: map[string]int{}, commands: map[string]int{}, refusals: map[string]int{}}
}

func (c *counters) request(method string) { c.count(c.requests, method) }

func (c *counters) command(method string) { c.count(c.commands, method) }

// refuse counts a refusal by a limit; other codes are not counted.
func (c *counters) refuse(code string) {
	switch code {
	case errQueryLimit.code, errOverload.code, errOperating.code:
		c.count(c.refusals, code)
	}
}

func (c *counters) count(m map[string]int, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[key]++
}

// Stats returns the counts so far.
func (p *Portal) Stats() Stats {
	p.stats.mu.Lock()
	s := Stats{
		Requests: maps.Clone(p.stats.requests),
		Commands: maps.Clone(p.stats.commands),
		Refusals: maps.Clone(p.stats.refusals),
	}
	p.stats.mu.Unlock()
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	s.CallbacksPending, s.CallbacksSent, s.CallbacksFailed, s.CallbacksLost = q.waiting, q.sent, q.failed, q.lost
	return s
}
