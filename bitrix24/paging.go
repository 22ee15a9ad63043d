package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"leadsync/leads"
	"leadsync/parallel"
)

// listing is a walk over crm.lead.list by ascending id. Scan, Changed and IDs differ only in
// what is said here.
type listing struct {
	query url.Values                                         // of each page, without the id that it starts after
	rows  func(json.RawMessage, leads.Ticket) (sheet, error) // reads one page
	bare  bool                                               // rows are ids, without cards
	// count returns how many pages the next request asks for.
	count func() int
	clock bool // ask for the portal's time before the pages
	// trustEmpty ends the walk at an empty page after full ones. Without it only a request
	// that returns no row at all ends the walk: that costs one request more, but an empty
	// page may also mean that the portal did not resolve the reference to the page before.
	trustEmpty bool
	// near is told whether the end of the list is near; nil is not.
	near func(bool)
}

// window is what one request of a walk returned.
type window struct {
	page    leads.Page
	refusal error // of the first page that could not be read; page has those before it
	full    bool  // every page had all its rows
	odd     int   // rows that were left out because of their ids
	foreign int   // rows that were left out because nobody asked for them
}

// clockKey is the command of a walk that asks for the portal's time.
const clockKey = "now"

// walk is the next request of a walk. A page that cannot be listed is read lead by lead, so
// that one bad lead does not hide the others.
func (l Leads) walk(ctx context.Context, after int64, list listing, draw Draw) (leads.Page, error) {
	for failures, blocked := 0, 0; ; {
		w, err := l.next(ctx, after, list, draw)
		if err != nil {
			return leads.Page{}, err
		}
		if w.refusal == nil && list.near != nil {
			list.near(!w.page.Last && !w.full)
		}
		if w.refusal == nil || w.page.UpTo > after {
			return w.page, nil
		}
		switch reaction := ReactionTo(w.refusal); {
		case reaction == SlowDown && blocked > blockedLimit:
			return leads.Page{}, w.refusal
		case reaction == SlowDown:
			blocked++ // the next request waits
		case failures == commandRepeats, failures > 0 && useless(w.refusal):
			return l.singleOut(ctx, after, list, draw, w.refusal)
		default:
			failures++
			if err := l.client.cfg.Wait(ctx, repeatPolicy.Delay(failures)); err != nil {
				return leads.Page{}, err
			}
		}
	}
}

// next reads the next pages of a walk, with ids above after, in one request. If the request
// takes too long, or gets no answer that can be used, it asks for half as many pages.
func (l Leads) next(ctx context.Context, after int64, list listing, draw Draw) (window, error) {
	size := l.client.shared.lists
	for {
		pages := linkedPages(after, list.query, list.count())
		commands := pages
		if list.clock {
			commands = append([]Command{{Key: clockKey, Method: "server.time"}}, pages...)
		}
		ticket := draw()
		batch, err := l.client.batch(ctx, commands, manner{})
		switch {
		case err == nil:
			l.answered()
			return l.window(ctx, list, batch, pages, leads.Page{Ticket: ticket, UpTo: after, At: batch.Time.At})
		case !useless(err) || ctx.Err() != nil:
			return window{}, err
		case len(pages) == 1:
			return window{page: leads.Page{Ticket: ticket, UpTo: after}, refusal: err}, nil
		}
		size.cut(len(pages))
	}
}

// window reads the answer to a request of a walk.
func (l Leads) window(ctx context.Context, list listing, batch Batch, pages []Command, page leads.Page) (window, error) {
	l.client.shared.lists.took(len(pages), batch.Time.Duration)
	if refusal := batch.alike(pages[:1]); refusal != nil { // the other pages refer to the first
		if err := l.client.refusals().confirm(ctx, refusal); err != nil {
			return window{}, err
		}
	}
	if list.clock {
		at, err := batch.clock()
		if err != nil {
			return window{}, err
		}
		page.At = at
	}
	w, err := list.join(batch, pages, page)
	l.client.leaveOut(ctx, oddID, w.odd, "crm.lead.list")
	l.client.leaveOut(ctx, oddForeign, w.foreign, "crm.lead.list")
	return w, err
}

// clock is the portal's time by the batch's own command for it.
func (b Batch) clock() (time.Time, error) {
	if e := b.Errors[clockKey]; e != nil {
		return time.Time{}, e
	}
	return portalTime(b.Results[clockKey])
}

// join adds the pages of a batch to page, up to the first that could not be read or is not
// full. The error says that the portal's list is out of order.
func (list listing) join(batch Batch, pages []Command, page leads.Page) (window, error) {
	w := window{page: page}
	full := 0
	sheets, refusals := make([]sheet, len(pages)), make([]error, len(pages))
	parallel.For(len(pages), 1, func(i int) { sheets[i], refusals[i] = list.read(batch, pages[i], page.Ticket) })
	for i, s := range sheets {
		if w.refusal = refusals[i]; w.refusal != nil {
			break
		}
		foreign := s.leaveOutForeign(w.page.UpTo)
		w.odd, w.foreign = w.odd+s.odd, w.foreign+foreign
		if err := w.page.Append(s.snaps); err != nil {
			return window{}, garbled("crm.lead.list", 200, err.Error())
		}
		if s.rows == listPage && s.odd+foreign == 0 {
			full++
			continue
		}
		// The next page refers to a row that does not exist, or whose id is no good.
		w.end(s, list.trustEmpty || full == 0)
		break
	}
	if w.page.Last {
		w.page.UpTo = leads.MaxID
	}
	w.full = full == len(pages)
	return w, nil
}

// leaveOutForeign removes the rows that a list above an id must not have, and repeated ones,
// and returns how many.
func (s *sheet) leaveOutForeign(above int64) int {
	before, last := len(s.snaps), above
	s.snaps = slices.DeleteFunc(s.snaps, func(snap leads.Snapshot) bool {
		foreign := snap.LeadID <= above || snap.LeadID == last
		last = snap.LeadID
		return foreign
	})
	return before - len(s.snaps)
}

// end decides whether the page s, which is not a full one, ends the walk. A list with fewer
// rows than a page is complete, so one in which no row lies above the id that was asked for
// is the end, whatever it shows instead.
func (w *window) end(s sheet, trustEmpty bool) {
	if s.rows < listPage && s.odd == 0 {
		w.page.Newest = s.newest
	}
	switch {
	case len(s.snaps) > 0:
	case s.rows < listPage || s.beyond == s.rows:
		w.page.Last = trustEmpty
	default:
		w.refusal = ignoresFilter()
	}
}

// ignoresFilter is the error for a portal whose list starts anew instead of going on: a walk
// would never end, and repeating does not help.
func ignoresFilter() *Error {
	return &Error{
		Method: "crm.lead.list", Status: http.StatusOK, Reaction: Never,
		Description: "the portal lists only leads that were not asked for: it ignores the filter by ID",
	}
}

// read returns the rows of one page of a batch.
func (list listing) read(batch Batch, cmd Command, ticket leads.Ticket) (sheet, error) {
	if e := batch.Errors[cmd.Key]; e != nil {
		return sheet{}, e
	}
	return list.rows(batch.Results[cmd.Key], ticket)
}

// linkedPages are commands for consecutive pages of a list. Each starts after the last id
// of the page before it: $result[p0][49][ID] is the last id of page p0. Source:
// docs/bitrix24.md 5.3 and 6.6.
func linkedPages(after int64, query url.Values, count int) []Command {
	commands := make([]Command, count)
	from := strconv.FormatInt(after, 10)
	for i := range commands {
		q := maps.Clone(query)
		q.Set("filter[>ID]", from)
		key := "p" + strconv.Itoa(i)
		commands[i] = Command{Key: key, Method: "crm.lead.list", Query: q}
		from = fmt.Sprintf("$result[%s][%d][ID]", key, listPage-1)
	}
	return commands
}

// affordablePages is how many pages fit into one request and into the operating time.
func (l Leads) affordablePages() int {
	s := l.client.shared
	return s.meters.affordable("crm.lead.list", l.client.lane, s.lists.next())
}
