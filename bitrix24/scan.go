package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"leadsync/leads"
)

// Scan reads the next stretch of all leads with ids above after, up to 2,500 in one
// request: the pages of one batch are chained, each beginning where the one before
// ended. Only an empty page is believed to be the end. Source: docs/bitrix24.md 5.3 and 6.6.
//
// A batch that takes too long is halved; a page that cannot be listed is read lead by
// lead, so that one bad lead does not hide the others.
func (c *Client) Scan(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	for failures, rests := 0, 0; ; {
		commands := chain(after, c.nextPages())
		ticket := draw()
		batch, err := c.Batch(ctx, commands)
		if tooLong(err) && ctx.Err() == nil && len(commands) > 1 {
			c.lists.cut(len(commands))
			continue
		}
		if err != nil {
			return leads.Page{}, err
		}
		c.lists.took(len(commands), batch.Time.Duration)
		page, refusal, err := c.pages(batch, commands, after, ticket)
		if err != nil || refusal == nil || page.UpTo > after {
			return page, err
		}
		switch reaction := ReactionTo(refusal); {
		case reaction == Reauthorize, reaction == Stop, rests > restLimit:
			return leads.Page{}, refusal
		case reaction == SlowDown:
			rests++ // the next batch waits
		case failures == commandRepeats:
			return c.piecemeal(ctx, after, draw, refusal)
		default:
			if err := c.cfg.Wait(ctx, backoff(failures)); err != nil {
				return leads.Page{}, err
			}
			failures++
		}
	}
}

// pages reads the pages of a batch up to the first that was refused. Its error is that
// of a portal that has lost its place.
func (c *Client) pages(batch Batch, commands []Command, after int64, ticket leads.Ticket) (page leads.Page, refusal, err error) {
	page = leads.Page{Ticket: ticket, UpTo: after}
	full := 0
	for _, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil {
			return page, e, nil
		}
		snaps, err := c.rows(batch.Results[cmd.Key], ticket)
		if err != nil {
			return page, err, nil
		}
		if err := page.Append(snaps); err != nil {
			return leads.Page{}, nil, garbled("crm.lead.list", 200, err.Error())
		}
		if len(snaps) < listPage {
			// What follows in this batch refers to a row that is not there.
			page.Newest = created(snaps)
			break
		}
		full++
	}
	page.Last = len(page.Snapshots) == 0
	if page.Last {
		page.UpTo = leads.MaxID
	}
	c.adapt(page.Last || full == len(commands))
	return page, nil, nil
}

// created is when the last of these leads was created; zero where there is none.
func created(snaps []leads.Snapshot) (at time.Time) {
	if len(snaps) == 0 {
		return at
	}
	if lead := &snaps[len(snaps)-1].Lead; len(lead.Values) == len(leads.Fields) {
		at, _ = leads.ParseTime(lead.Value("DATE_CREATE"))
	}
	return at
}

// piecemeal reads a page that cannot be listed: its ids alone, then lead by lead. Where
// not even the ids can be had, what refused the page is the error.
func (c *Client) piecemeal(ctx context.Context, after int64, draw Draw, refusal error) (leads.Page, error) {
	page := leads.Page{Ticket: draw(), UpTo: after}
	answer, err := c.Read(ctx, "crm.lead.list", Params{
		"select": []string{"ID"}, "order": Params{"ID": "ASC"}, "filter": Params{">ID": after}, "start": -1,
	})
	if err != nil {
		return leads.Page{}, errors.Join(refusal, err)
	}
	var rows []struct {
		ID looseText `json:"ID"`
	}
	if err := json.Unmarshal(answer.Result, &rows); err != nil {
		return leads.Page{}, refusal
	}
	var ids []int64
	for _, row := range rows {
		id, err := leads.ParseID(string(row.ID))
		if err != nil {
			return leads.Page{}, refusal
		}
		ids = append(ids, id)
	}
	snaps, err := c.asked(ctx, ids, draw)
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

// chain asks for count pages; $result[p0][49][ID] is the last id of the page p0.
func chain(after int64, count int) []Command {
	commands := make([]Command, count)
	from := strconv.FormatInt(after, 10)
	for i := range commands {
		q := cardQuery()
		q.Set("filter[>ID]", from)
		key := "p" + strconv.Itoa(i)
		commands[i] = Command{Key: key, Method: "crm.lead.list", Query: q}
		from = fmt.Sprintf("$result[%s][%d][ID]", key, listPage-1)
	}
	return commands
}

// nextPages is how many pages the next batch asks for: one only when the end seems near,
// since each page that is asked for beyond the end costs the portal operating time.
func (c *Client) nextPages() int {
	c.mu.Lock()
	near := c.nearEnd
	c.mu.Unlock()
	if near {
		return 1
	}
	return c.affordable("crm.lead.list", c.lists.next())
}

func (c *Client) adapt(many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nearEnd = !many
}
