package portals

// byMemberMax is how many portals a byMember holds.
const byMemberMax = 10_000

// byMember keeps something for each portal. Anybody can invent member ids: when it is full
// it forgets everything. The zero value is empty; whoever uses it holds a lock.
type byMember[V any] struct{ entries map[string]V }

func (b *byMember[V]) get(memberID string) (V, bool) {
	v, ok := b.entries[memberID]
	return v, ok
}

func (b *byMember[V]) put(memberID string, v V) {
	_, known := b.entries[memberID]
	if b.entries == nil || !known && len(b.entries) >= byMemberMax {
		b.entries = map[string]V{}
	}
	b.entries[memberID] = v
}

func (b *byMember[V]) drop(memberID string) { delete(b.entries, memberID) }
