package leads

// Breaker counts the deletions of a portal against their limit. When a mirror would delete
// many rows at once, an error is more likely than a portal that has deleted its leads.
type Breaker struct {
	Candidates int64 // rows that wait to be deleted, plus rows deleted within the last hour
	Limit      int64 // the largest of 100, 2 % of the rows, and what an operator allows
}

// Open reports whether the breaker stops all deletions.
func (b Breaker) Open() bool { return b.Candidates > b.Limit }
