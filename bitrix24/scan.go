package bitrix24

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"leadsync/leads"
)

// Scan reads the next leads with ids above after, up to 2,500 in one request. A request that
// takes too long, or gets no answer that can be used, is halved. A page that cannot be listed
// is read lead by lead, so that one bad lead does not hide the others.
func (l Leads) Scan(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	list := listing{query: cardQuery(), rows: l.cards, count: l.scanPages, near: l.client.shared.setNearEnd}
	return l.walk(ctx, after, list, draw)
}

// scanPages is how many pages the next request of a scan asks for: only one near the end,
// because each page beyond the end costs operating time.
func (l Leads) scanPages() int {
	if l.client.shared.isNearEnd() {
		return 1
	}
	return l.affordablePages()
}

func (s *shared) isNearEnd() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.nearEnd
}

func (s *shared) setNearEnd(near bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nearEnd = near
}

// portalClock is the form in which a filter takes a time: on the portal's clock, without an
// offset, because portals are reported to misread offsets in filters (docs/bitrix24.md 6.5).
const portalClock = "2006-01-02T15:04:05"

// Changed reads the next leads with ids above after that were changed at or after since.
// since must be in the portal's zone. The first request asks for one page only: usually
// nothing has changed.
func (l Leads) Changed(ctx context.Context, after int64, since time.Time, draw Draw) (leads.Page, error) {
	q := cardQuery()
	q.Set("filter[>=DATE_MODIFY]", since.Format(portalClock))
	return l.walk(ctx, after, l.fromOnePage(after, listing{query: q, rows: l.cards}), draw)
}

// IDs reads the ids of the next leads above after. Its snapshots contain nothing else.
func (l Leads) IDs(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	q := url.Values{"order[ID]": {"ASC"}, "start": {"-1"}, "select[0]": {"ID"}, "select[1]": {"DATE_CREATE"}}
	return l.walk(ctx, after, l.fromOnePage(after, listing{query: q, rows: l.bareRows, bare: true}), draw)
}

// fromOnePage makes the first request of a walk ask for the portal's time and one page.
func (l Leads) fromOnePage(after int64, list listing) listing {
	list.clock, list.count, list.trustEmpty = after == 0, l.affordablePages, true
	if list.clock {
		list.count = func() int { return 1 }
	}
	return list
}

// bareRows reads rows of ids.
func (l Leads) bareRows(result json.RawMessage, ticket leads.Ticket) (sheet, error) {
	rows, err := phpList(result)
	if err != nil {
		return sheet{}, garbled("crm.lead.list", 200, "the answer is not a list")
	}
	s := sheet{rows: len(rows), snaps: make([]leads.Snapshot, 0, len(rows))}
	for _, raw := range rows {
		var row struct {
			ID      lenientText `json:"ID"`
			Created lenientText `json:"DATE_CREATE"`
		}
		err := json.Unmarshal(raw, &row)
		id, badID := leads.PortalID(string(row.ID))
		if err != nil || badID != nil {
			s.leaveOut(raw)
			continue
		}
		s.newest, _ = leads.ParseTime(string(row.Created))
		s.snaps = append(s.snaps, leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: ticket, ReadAt: l.client.cfg.Now()})
	}
	return s, s.check()
}
