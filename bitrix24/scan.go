package bitrix24

import (
	"context"
	"fmt"
	"strconv"

	"leadsync/leads"
)

// Scan reads the next stretch of all leads with ids above after, up to 2,500 in one
// request: the pages of one batch are chained, each beginning where the one before
// ended. Only an empty page is believed to be the end. Source: facts 5.3 and 6.6.
func (c *Client) Scan(ctx context.Context, after int64, draw Draw) (leads.Page, error) {
	commands := chain(after, c.nextPages())
	ticket := draw()
	batch, err := c.Batch(ctx, commands)
	if err != nil {
		return leads.Page{}, err
	}
	page := leads.Page{Ticket: ticket, UpTo: after}
	full := 0
	for _, cmd := range commands {
		if e := batch.Errors[cmd.Key]; e != nil {
			return leads.Page{}, e
		}
		snaps, err := c.rows(batch.Results[cmd.Key], ticket)
		if err != nil {
			return leads.Page{}, err
		}
		if err := page.Append(snaps); err != nil {
			return leads.Page{}, garbled("crm.lead.list", 200, err.Error())
		}
		if len(snaps) < listPage {
			// What follows in this batch refers to a row that is not there.
			break
		}
		full++
	}
	page.Last = len(page.Snapshots) == 0
	if page.Last {
		page.UpTo = leads.MaxID
	}
	c.adapt(page.Last || full == len(commands))
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

// nextPages is how many pages the next batch asks for.
func (c *Client) nextPages() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pages
}

// adapt asks for one page only when the end seems near: each page that is asked for
// beyond the end costs the portal operating time.
func (c *Client) adapt(many bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pages = 1; many {
		c.pages = batchLimit
	}
}
