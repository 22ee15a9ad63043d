package emulator

import (
	"crypto/md5" //nolint:gosec // MESSAGE_ID is such a hash, it protects nothing
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
	process   string // "" if it is not reserved
	bad       bool   // marked by event.offline.error
	connector string
}

// offlineQueue is the queue that applications poll. It has one record for each event and data:
// the same event again only updates the time of a record that is not reserved.
type offlineQueue struct {
	mu        sync.Mutex
	rng       *rng
	lastID    int
	records   []offlineRecord // by ascending id
	open      map[string]int  // the id of the record that the next event with that key may update
	signalled map[int]time.Time
}

func messageID(event string, lead int64) string {
	sum := md5.Sum([]byte(event + "|" + strconv.FormatInt(lead, 10))) //nolint:gosec // it protects nothing
	return hex.EncodeToString(sum[:])
}

// noteOffline adds an event to the queue of an offline registration, unless the writer named
// the source key of that registration, and signals it.
func (p *Portal) noteOffline(b binding, event string, lead int64, by int, connector string) {
	if b.connector != "" && b.connector == connector {
		return
	}
	p.offline.note(offlineRecord{
		at: p.clock.now(), event: event, lead: lead, user: by, message: messageID(event, lead), connector: b.connector,
	})
	p.signalOffline(by)
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

// signalOffline sends ONOFFLINEEVENT to each handler that bound it, at most once in its
// minTimeout seconds. A signal within that time is dropped, not sent later: nobody knows what
// Bitrix24 does, and this is worse for the listener.
func (p *Portal) signalOffline(by int) {
	now := p.clock.now()
	for _, b := range p.bindings.of("ONOFFLINEEVENT") {
		if !p.offline.maySignal(b, now) {
			continue
		}
		pair := p.tokens.pair(max(b.authType, by, 1), now)
		p.deliver(&notice{event: "ONOFFLINEEVENT", by: pair.user, to: b, pair: &pair})
	}
}

func (q *offlineQueue) maySignal(b binding, now time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	last, ok := q.signalled[b.id]
	if ok && now.Sub(last) < time.Duration(b.minWait)*time.Second {
		return false
	}
	q.signalled[b.id] = now
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

// showAll adds what event.offline.list shows in addition.
func (r *offlineRecord) showAll(zone *time.Location) object {
	bad := "0"
	if r.bad {
		bad = "1"
	}
	return append(r.show(zone), pair{"PROCESS_ID", r.process}, pair{"ERROR", bad})
}
