package leads

import "sync/atomic"

// Ticket orders reads. It is drawn before the request for a read is sent, and a row
// accepts only a higher one: no clock decides which of two reads is newer.
// Its upper half is the owner's epoch, its lower half a counter.
type Ticket int64

// Epoch is the ownership under which the ticket was drawn.
func (t Ticket) Epoch() int64 { return int64(t) >> 32 }

// Tickets draws tickets for one ownership of one portal. It is safe for
// concurrent use.
type Tickets struct {
	last atomic.Int64
}

// NewTickets starts at the first ticket of an epoch, which the mirror hands out,
// higher each time a portal changes its owner.
func NewTickets(epoch int64) *Tickets {
	t := &Tickets{}
	t.last.Store(epoch << 32)
	return t
}

// Draw returns a ticket higher than every earlier one.
func (t *Tickets) Draw() Ticket { return Ticket(t.last.Add(1)) }
