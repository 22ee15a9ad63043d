package leads

import "sync/atomic"

// Ticket orders reads. It is drawn before the request is sent, and a row accepts only a
// higher ticket, so no clock decides which of two reads is newer. The upper 32 bits are the
// owner's epoch, the lower 32 bits a counter.
type Ticket int64

// Epoch returns the epoch of the owner that drew the ticket.
func (t Ticket) Epoch() int64 { return int64(t) >> 32 }

// Tickets draws tickets for one owner of one portal. It is safe for concurrent use.
type Tickets struct {
	last atomic.Int64
}

// NewTickets starts at the first ticket of an epoch. The mirror assigns the epoch, a higher
// one each time the portal gets a new owner.
func NewTickets(epoch int64) *Tickets {
	t := &Tickets{}
	t.last.Store(epoch << 32)
	return t
}

// Draw returns a ticket higher than every earlier one.
func (t *Tickets) Draw() Ticket { return Ticket(t.last.Add(1)) }
