package bitrix24

import "time"

// ClientState is how a client stands towards its portal's limits.
type ClientState struct {
	Requests int64
	Budget   BudgetState // zero without a budget
	Methods  map[string]MethodState
	Gets     int // commands of the next batch of crm.lead.get
	Lists    int // commands of the next batch of crm.lead.list
}

// MethodState is what is known of a method's operating time. Source: docs/bitrix24.md 4.
type MethodState struct {
	Used    float64       // seconds within ten minutes, as the portal counts
	Limit   float64       // seconds; what we take for the limit
	Calls   int64         // answered
	Pauses  int64         // times that a call waited for operating time
	Refused int64         // times that the portal blocked the method
	Blocked time.Duration // how long it stays blocked
}

// State is how the client stands now, over all lanes.
func (c *Client) State() ClientState {
	s := ClientState{
		Requests: c.Requests(), Methods: map[string]MethodState{}, Gets: c.gets.next(), Lists: c.lists.next(),
	}
	if c.cfg.Budget != nil {
		s.Budget = c.cfg.Budget.State()
	}
	now := c.cfg.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for method, m := range c.meters {
		s.Methods[method] = MethodState{
			Used: m.used, Limit: operatingLimit, Calls: m.asked, Pauses: m.pauses, Refused: m.refused,
			Blocked: max(0, m.blocked.Sub(now)),
		}
	}
	return s
}
