package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"time"

	"leadsync/leads"
)

// listing is a walk over crm.lead.list by ascending id. Scan, Changed and IDs differ only in
// what is said here.
type listing struct {
	query url.Values // of each page, without the id that it starts after
	// rows reads one page, and when the last lead of it was created.
	rows func(json.RawMessage, leads.Ticket) ([]leads.Snapshot, time.Time, error)
	// count returns how many pages the next request asks for.
	count func() int
	clock bool // ask for the portal's time before the pages
	// trustEmpty ends the walk at an empty page after full ones. Without it only a request
	// that returns no row at all ends the walk: that costs one request more, but an empty
	// page may also mean that the portal did not resolve the reference to the page before.
	trustEmpty bool
}

// window is what one request of a walk returned.
type window struct {
	page    leads.Page
	refusal error // of the first page that could not be read; page has those before it
	full    bool  // every page had all its rows
}

// clockKey is the command of a walk that asks for the portal's time.
const clockKey = "now"

// next reads the next pages of a walk, with ids above after, in one request. If the request
// takes too long it asks for half as many pages.
func (l Leads) next(ctx context.Context, after int64, list listing, draw Draw) (window, error) {
	size := l.client.shared.lists
	for {
		pages := linkedPages(after, list.query, list.count())
		commands := pages
		if list.clock {
			commands = append([]Command{{Key: clockKey, Method: "server.time"}}, pages...)
		}
		ticket := draw()
		batch, err := l.client.Batch(ctx, commands)
		if tooLong(err) && ctx.Err() == nil && len(pages) > 1 {
			size.cut(len(pages))
			continue
		}
		if err != nil {
			return window{}, err
		}
		size.took(len(pages), batch.Time.Duration)
		page := leads.Page{Ticket: ticket, UpTo: after, At: batch.Time.At}
		if list.clock {
			if page.At, err = batch.clock(); err != nil {
				return window{}, err
			}
		}
		return list.join(batch, pages, page)
	}
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
	for _, cmd := range pages {
		var snaps []leads.Snapshot
		var newest time.Time
		if snaps, newest, w.refusal = list.read(batch, cmd, page.Ticket); w.refusal != nil {
			break
		}
		if err := w.page.Append(snaps); err != nil {
			return window{}, garbled("crm.lead.list", 200, err.Error())
		}
		if len(snaps) < listPage {
			w.page.Newest = newest
			w.page.Last = len(snaps) == 0 && (full == 0 || list.trustEmpty)
			break // the next page refers to a row that does not exist
		}
		full++
	}
	if w.page.Last {
		w.page.UpTo = leads.MaxID
	}
	w.full = full == len(pages)
	return w, nil
}

// read returns the rows of one page of a batch.
func (list listing) read(batch Batch, cmd Command, ticket leads.Ticket) ([]leads.Snapshot, time.Time, error) {
	if e := batch.Errors[cmd.Key]; e != nil {
		return nil, time.Time{}, e
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
