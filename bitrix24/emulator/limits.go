package emulator

import (
	"sync"
	"time"
)

// buckets are the leaky buckets of the portal, one for each source address: all programs on
// one machine share one (docs/bitrix24.md 4).
type buckets struct {
	rate      float64 // requests a second that leak out
	threshold float64

	mu     sync.Mutex
	levels map[string]bucketLevel
}

type bucketLevel struct {
	level float64
	at    time.Time
}

// take counts one request; it returns false if the bucket is full. A refused request does not
// fill it further.
func (b *buckets) take(address string, now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.leaked(address, now)
	if l+1 > b.threshold {
		b.levels[address] = bucketLevel{level: l, at: now}
		return false
	}
	b.levels[address] = bucketLevel{level: l + 1, at: now}
	return true
}

func (b *buckets) leaked(address string, now time.Time) float64 {
	l := b.levels[address]
	return max(0, l.level-max(0, now.Sub(l.at).Seconds())*b.rate)
}

// fullest is the highest level of all addresses.
func (b *buckets) fullest(now time.Time) float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var top float64
	for address := range b.levels {
		top = max(top, b.leaked(address, now))
	}
	return top
}

// operating counts the execution time of each method for each application or
// webhook: ten baskets of a minute (docs/bitrix24.md 4).
type operating struct {
	limit float64 // seconds within ten minutes

	mu      sync.Mutex
	baskets map[operatingKey][]basket
}

type operatingKey struct{ caller, method string }

type basket struct {
	first time.Time // the call that opened it
	cost  float64   // seconds
}

const (
	basketLength = time.Minute
	basketLife   = 10 * time.Minute
)

// used is how many seconds the method has used by now.
func (o *operating) used(key operatingKey, now time.Time) float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sum(o.current(key, now))
}

// current drops the baskets that are too old and returns the others.
func (o *operating) current(key operatingKey, now time.Time) []basket {
	baskets := o.baskets[key]
	for len(baskets) > 0 && now.Sub(baskets[0].first) >= basketLife {
		baskets = baskets[1:]
	}
	o.baskets[key] = baskets
	return baskets
}

// charge adds the cost of a call. It returns how many seconds are used now, and when the
// oldest basket will be dropped.
func (o *operating) charge(key operatingKey, now time.Time, cost float64) (used float64, reset time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	baskets := o.current(key, now)
	if n := len(baskets); n == 0 || now.Sub(baskets[n-1].first) >= basketLength {
		baskets = append(baskets, basket{first: now})
	}
	baskets[len(baskets)-1].cost += cost
	o.baskets[key] = baskets
	return sum(baskets), baskets[0].first.Add(basketLife)
}

// snapshot is what every method has used, for the web page.
func (o *operating) snapshot(now time.Time) map[string]float64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]float64{}
	for key := range o.baskets {
		all[key.method] = max(all[key.method], sum(o.current(key, now)))
	}
	return all
}

func sum(baskets []basket) float64 {
	var total float64
	for _, b := range baskets {
		total += b.cost
	}
	return total
}
