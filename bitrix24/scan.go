package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"leadsync/leads"
)

// Scan reads the next leads with ids above after, up to 2,500 in one request. A request that
// takes too long is halved. A page that cannot be listed is read lead by lead, so that one
// bad lead does not hide the others.
func (l Leads) Scan(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	list := listing{query: cardQuery(), rows: l.cards, count: l.scanPages}
	for failures, blocked := 0, 0; ; {
		w, err := l.next(ctx, after, list, draw)
		if err != nil {
			return leads.Page{}, err
		}
		if w.refusal == nil {
			l.client.shared.setNearEnd(!w.page.Last && !w.full)
		}
		if w.refusal == nil || w.page.UpTo > after {
			return w.page, nil
		}
		switch reaction := ReactionTo(w.refusal); {
		case reaction == Reauthorize, reaction == Stop, blocked > blockedLimit:
			return leads.Page{}, w.refusal
		case reaction == SlowDown:
			blocked++ // the next request waits
		case failures == commandRepeats:
			return l.scanOneByOne(ctx, after, draw, w.refusal)
		default:
			failures++
			if err := l.client.cfg.Wait(ctx, repeatPolicy.Delay(failures)); err != nil {
				return leads.Page{}, err
			}
		}
	}
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

// scanOneByOne reads a page that cannot be listed: the ids alone, then each lead. If even
// the ids cannot be listed, it returns what the page was refused with.
func (l Leads) scanOneByOne(ctx context.Context, after int64, draw Draw, refusal error) (leads.Page, error) {
	page := leads.Page{Ticket: draw(), UpTo: after}
	answer, err := l.client.Read(ctx, "crm.lead.list", Params{
		"select": []string{"ID"}, "order": Params{"ID": "ASC"}, "filter": Params{">ID": after}, "start": -1,
	})
	if err != nil {
		return leads.Page{}, errors.Join(refusal, err)
	}
	rows, _, err := l.bareRows(answer.Result, page.Ticket)
	if err != nil {
		return leads.Page{}, refusal
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.LeadID
	}
	snaps, err := l.readOneByOne(ctx, ids, draw)
	if err != nil {
		return leads.Page{}, err
	}
	for _, s := range snaps {
		if s.Sight != leads.Present { // deleted or hidden meanwhile
			continue
		}
		if err := page.Append([]leads.Snapshot{s}); err != nil {
			return leads.Page{}, garbled("crm.lead.list", 200, err.Error())
		}
	}
	if len(ids) == 0 {
		page.Last, page.UpTo = true, leads.MaxID
		return page, nil
	}
	page.UpTo = max(page.UpTo, ids[len(ids)-1])
	return page, nil
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
	return l.walk(ctx, after, l.fromOnePage(after, listing{query: q, rows: l.bareRows}), draw)
}

// fromOnePage makes the first request of a walk ask for the portal's time and one page.
func (l Leads) fromOnePage(after int64, list listing) listing {
	list.clock, list.count, list.trustEmpty = after == 0, l.affordablePages, true
	if list.clock {
		list.count = func() int { return 1 }
	}
	return list
}

// walk is the next request of a walk; its error is what refused the first page.
func (l Leads) walk(ctx context.Context, after int64, list listing, draw Draw) (leads.Page, error) {
	w, err := l.next(ctx, after, list, draw)
	switch {
	case err != nil:
		return leads.Page{}, err
	case w.refusal != nil && len(w.page.Snapshots) == 0:
		return leads.Page{}, w.refusal
	default:
		return w.page, nil
	}
}

// bareRows reads rows of ids, and when the last of the leads was created.
func (l Leads) bareRows(result json.RawMessage, ticket leads.Ticket) (snaps []leads.Snapshot, newest time.Time, err error) {
	var rows []struct {
		ID      json.RawMessage `json:"ID"`
		Created lenientText     `json:"DATE_CREATE"`
	}
	if err := json.Unmarshal(result, &rows); err != nil {
		return nil, newest, garbled("crm.lead.list", 200, "the answer is not a list")
	}
	snaps = make([]leads.Snapshot, len(rows))
	for i, row := range rows {
		id, err := leads.ParseID(text(row.ID))
		if err != nil {
			return nil, newest, garbled("crm.lead.list", 200, "the answer has a row without an id")
		}
		newest, _ = leads.ParseTime(string(row.Created))
		snaps[i] = leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: ticket, ReadAt: l.client.cfg.Now()}
	}
	return snaps, newest, nil
}
