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

// wallClock is how a portal is asked for times: on its own clock, without an offset,
// since offsets in filters are reported to be misunderstood (docs/bitrix24.md 6.5).
const wallClock = "2006-01-02T15:04:05"

// Clock is the portal's time, in its zone.
func (c *Client) Clock(ctx context.Context) (time.Time, error) {
	answer, err := c.Read(ctx, "server.time", nil)
	if err != nil {
		return time.Time{}, err
	}
	return portalTime(answer.Result)
}

func portalTime(result json.RawMessage) (time.Time, error) {
	var told string
	if err := json.Unmarshal(result, &told); err != nil {
		return time.Time{}, garbled("server.time", 200, "the answer is not a time")
	}
	at, err := time.Parse(time.RFC3339, told)
	if err != nil {
		return time.Time{}, garbled("server.time", 200, "the answer is not a time")
	}
	return at, nil
}

// Changed reads the next stretch of leads with ids above after that were changed at or
// after since, on the portal's clock as since shows it. Its first request asks for one
// page only: mostly nothing was changed.
func (c *Client) Changed(ctx context.Context, after int64, since time.Time, draw Draw) (leads.Page, error) {
	q := cardQuery()
	q.Set("filter[>=DATE_MODIFY]", since.Format(wallClock))
	return c.walk(ctx, after, q, draw, c.cards)
}

// IDs reads the ids alone of the next stretch of leads above after; its snapshots have
// nothing else.
func (c *Client) IDs(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	q := url.Values{"order[ID]": {"ASC"}, "start": {"-1"}, "select[0]": {"ID"}, "select[1]": {"DATE_CREATE"}}
	return c.walk(ctx, after, q, draw, c.bareRows)
}

// rowsOf reads the rows of a list, and when the last of their leads was created.
type rowsOf func(json.RawMessage, leads.Ticket) ([]leads.Snapshot, time.Time, error)

func (c *Client) cards(result json.RawMessage, ticket leads.Ticket) ([]leads.Snapshot, time.Time, error) {
	snaps, err := c.rows(result, ticket)
	return snaps, created(snaps), err
}

func (c *Client) bareRows(result json.RawMessage, ticket leads.Ticket) (snaps []leads.Snapshot, last time.Time, err error) {
	var rows []struct {
		ID      json.RawMessage `json:"ID"`
		Created looseText       `json:"DATE_CREATE"`
	}
	if err := json.Unmarshal(result, &rows); err != nil {
		return nil, last, garbled("crm.lead.list", 200, "the answer is not a list")
	}
	snaps = make([]leads.Snapshot, len(rows))
	for i, row := range rows {
		id, err := leads.ParseID(text(row.ID))
		if err != nil {
			return nil, last, garbled("crm.lead.list", 200, "the answer has a row without an id")
		}
		last, _ = leads.ParseTime(string(row.Created))
		snaps[i] = leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: ticket, ReadAt: c.cfg.Now()}
	}
	return snaps, last, nil
}

// walk is one batch of chained pages of a list; the first one reads the portal's clock
// before its page. Only an empty page is believed to be the end.
func (c *Client) walk(ctx context.Context, after int64, list url.Values, draw Draw, rows rowsOf) (leads.Page, error) {
	for {
		pages, clock := 1, []Command{{Key: clockKey, Method: "server.time"}}
		if after > 0 {
			pages, clock = c.affordable("crm.lead.list", c.lists.next()), nil
		}
		commands := append(clock, linked(after, list, pages)...)
		ticket := draw()
		batch, err := c.Batch(ctx, commands)
		if tooLong(err) && ctx.Err() == nil && pages > 1 {
			c.lists.cut(pages)
			continue
		}
		if err != nil {
			return leads.Page{}, err
		}
		return walked(commands, batch, leads.Page{Ticket: ticket, UpTo: after}, rows)
	}
}

// clockKey is the command of a walk that asks for the portal's time.
const clockKey = "now"

// walked adds the pages of a batch to the page, up to the first that was refused. Where
// the batch did not ask for the time, its time block tells it.
func walked(commands []Command, batch Batch, page leads.Page, rows rowsOf) (leads.Page, error) {
	page.At = batch.Time.At
	if commands[0].Key == clockKey {
		if e := batch.Errors[clockKey]; e != nil {
			return leads.Page{}, e
		}
		var err error
		if page.At, err = portalTime(batch.Results[clockKey]); err != nil {
			return leads.Page{}, err
		}
		commands = commands[1:]
	}
	for _, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil {
			if len(page.Snapshots) > 0 {
				return page, nil
			}
			return leads.Page{}, e
		}
		snaps, last, err := rows(batch.Results[cmd.Key], page.Ticket)
		if err != nil {
			return leads.Page{}, err
		}
		if err := page.Append(snaps); err != nil {
			return leads.Page{}, garbled("crm.lead.list", 200, err.Error())
		}
		if page.Last = len(snaps) == 0; page.Last {
			page.UpTo = leads.MaxID
		}
		if len(snaps) < listPage {
			page.Newest = last
			break // what follows refers to a row that is not there
		}
	}
	return page, nil
}

// linked are pages of a list, each from where the one before ends.
func linked(after int64, list url.Values, count int) []Command {
	commands := make([]Command, count)
	from := strconv.FormatInt(after, 10)
	for i := range commands {
		q := url.Values{}
		maps.Copy(q, list)
		q.Set("filter[>ID]", from)
		key := "p" + strconv.Itoa(i)
		commands[i] = Command{Key: key, Method: "crm.lead.list", Query: q}
		from = fmt.Sprintf("$result[%s][%d][ID]", key, listPage-1)
	}
	return commands
}
