package emulator

import (
	"crypto/md5" //nolint:gosec // the portal's MESSAGE_ID is such a hash, nothing secret
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"time"
)

// reserveLife is how long a reserved batch of offline events is kept (docs/bitrix24.md 2.6).
const reserveLife = 30 * 24 * time.Hour

// offlineRecord is one event in the offline queue.
type offlineRecord struct {
	id        int
	at        time.Time
	event     string
	lead      int64
	user      int
	message   string // hash of event and data
	process   string // "" while nobody reserved it
	bad       bool   // marked by event.offline.error
	connector string
}

// offlineQueue is the pull queue. There is one record per event and data: the same
// event again only refreshes the time of a record that is not reserved.
type offlineQueue struct {
	mu      sync.Mutex
	dice    *dice
	lastID  int
	records []offlineRecord // rising id
	open    map[string]int  // the id of the record that the next event of that key may refresh
	rung    map[int]time.Time
}

func messageID(event string, lead int64) string {
	sum := md5.Sum([]byte(event + "|" + strconv.FormatInt(lead, 10))) //nolint:gosec // nothing secret
	return hex.EncodeToString(sum[:])
}

// noteOffline notes an event for an offline registration, unless the writer named
// the registration's own source key; then it rings the doorbell.
func (p *Portal) noteOffline(b binding, event string, lead int64, by int, connector string) {
	if b.connector != "" && b.connector == connector {
		return
	}
	p.offline.note(offlineRecord{
		at: p.clock.now(), event: event, lead: lead, user: by, message: messageID(event, lead), connector: b.connector,
	})
	p.ring(by)
}

func (q *offlineQueue) note(r offlineRecord) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := r.message + "|" + r.connector
	at, found := slices.BinarySearchFunc(q.records, q.open[key], func(o offlineRecord, id int) int { return o.id - id })
	if found && q.records[at].process == "" && !q.records[at].bad {
		q.records[at].at, q.records[at].user = r.at, r.user
		return
	}
	q.lastID++
	r.id = q.lastID
	q.open[key] = r.id
	q.records = append(q.records, r)
}

// ring sends ONOFFLINEEVENT to those who bound it, at most once in minTimeout
// seconds each. A ring within that time is left out, not made up for later: that
// is the worse of two guesses.
func (p *Portal) ring(by int) {
	now := p.clock.now()
	for _, b := range p.bindings.of("ONOFFLINEEVENT") {
		if !p.offline.mayRing(b, now) {
			continue
		}
		pair := p.tokens.pair(max(b.authType, by, 1), now)
		p.deliver(&notice{event: "ONOFFLINEEVENT", by: pair.user, to: b, pair: &pair})
	}
}

func (q *offlineQueue) mayRing(b binding, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	last, ok := q.rung[b.id]
	if ok && now.Sub(last) < time.Duration(b.minWait)*time.Second {
		return false
	}
	q.rung[b.id] = now
	return true
}

// expire drops reserved batches that are too old. The caller holds mu.
func (q *offlineQueue) expire(now time.Time) {
	q.records = slices.DeleteFunc(q.records, func(r offlineRecord) bool {
		return r.process != "" && now.Sub(r.at) > reserveLife
	})
}

// show is the record as event.offline.get shows it.
func (r *offlineRecord) show(zone *time.Location) object {
	user := any(0)
	if r.user != 0 {
		user = strconv.Itoa(r.user)
	}
	return object{
		{"ID", strconv.Itoa(r.id)},
		{"TIMESTAMP_X", r.at.In(zone).Format(time.RFC3339)},
		{"EVENT_NAME", r.event},
		{"EVENT_DATA", object{{"FIELDS", object{{"ID", strconv.FormatInt(r.lead, 10)}}}}},
		{"EVENT_ADDITIONAL", object{{"user_id", user}}},
		{"MESSAGE_ID", r.message},
	}
}

// showAll adds what event.offline.list shows besides.
func (r *offlineRecord) showAll(zone *time.Location) object {
	bad := "0"
	if r.bad {
		bad = "1"
	}
	return append(r.show(zone), pair{"PROCESS_ID", r.process}, pair{"ERROR", bad})
}
