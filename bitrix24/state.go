package bitrix24

import "time"

// ClientState shows how much of its portal's limits a client uses.
type ClientState struct {
	Requests int64
	Budget   BudgetState // zero without a budget
	Methods  map[string]MethodState
	Gets     int // commands of the next batch of crm.lead.get
	Lists    int // commands of the next batch of crm.lead.list
	// Problem says why the portal refuses every call, and where a person changes that; "" if
	// it does not.
	Problem      string
	ProblemSince time.Time // zero without a problem
	// OddRows is how many rows of lists were left out: their ids do not fit, nobody had asked
	// for them, or they are events that cannot be read.
	OddRows int64
}

// MethodState is the state of a method's operating time. Source: docs/bitrix24.md 4.
type MethodState struct {
	Used    float64       // seconds within ten minutes, as the portal counts
	Limit   float64       // seconds; what leadsync takes for the limit
	Calls   int64         // answered
	Pauses  int64         // how often a call waited for operating time
	Refused int64         // how often the portal blocked the method
	Blocked time.Duration // how long it stays blocked
}

// State returns the current state, over all lanes.
func (c *Client) State() ClientState {
	s := ClientState{
		Requests: c.Requests(), Methods: c.shared.meters.states(), Gets: c.shared.gets.next(), Lists: c.shared.lists.next(),
	}
	s.Problem, s.ProblemSince = c.shared.breaker.state()
	s.OddRows = c.shared.odd.rows.Load()
	if c.cfg.Budget != nil {
		s.Budget = c.cfg.Budget.State()
	}
	return s
}
