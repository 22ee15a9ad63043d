package leads

// Breaker is how near a portal is to having its deletions stopped. A mirror that would
// lose many rows at once has more likely lost its way than the portal its leads.
type Breaker struct {
	Candidates int64 // rows that wait to be deleted, and those deleted within the last hour
	Limit      int64 // the larger of 100, 2 % of the rows, and what an operator allows
}

// Open tells whether nothing more is deleted.
func (b Breaker) Open() bool { return b.Candidates > b.Limit }
