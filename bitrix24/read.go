package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"leadsync/leads"
)

// Draw returns a ticket; it is called before each request that reads.
type Draw func() leads.Ticket

// listPage is the fixed number of rows of a list method (docs/bitrix24.md 4).
const listPage = 50

// Leads reads the leads with these ids and returns one snapshot for each, ascending.
// Up to 50 are read by batched crm.lead.get, more by batched crm.lead.list with lists
// of ids, where the absent ones are asked for one by one: only crm.lead.get tells
// "Not found" from "Access denied.". An answer that is no lead comes back as a
// snapshot with Err; the error returned is always the portal's.
func (c *Client) Leads(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var shown []leads.Snapshot
	left := ids
	if len(ids) > batchLimit {
		var err error
		if shown, err = c.listed(ctx, ids, draw); err != nil {
			return nil, err
		}
		left = without(ids, shown)
	}
	snaps, err := c.asked(ctx, left, draw)
	if err != nil {
		return nil, err
	}
	shown = append(shown, snaps...)
	slices.SortFunc(shown, func(a, b leads.Snapshot) int { return int(a.LeadID - b.LeadID) })
	return shown, nil
}

// asked reads leads by crm.lead.get.
func (c *Client) asked(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	commands := make([]Command, len(ids))
	for i, id := range ids {
		commands[i] = Command{Key: leadKey(id), Method: "crm.lead.get", Query: url.Values{"id": {strconv.FormatInt(id, 10)}}}
	}
	done, err := c.runAll(ctx, commands, c.gets, draw)
	if err != nil {
		return nil, err
	}
	snaps := make([]leads.Snapshot, len(ids))
	for i, id := range ids {
		snaps[i] = c.snapshot(id, done[leadKey(id)])
	}
	return snaps, nil
}

// snapshot turns what crm.lead.get answered into a snapshot.
func (c *Client) snapshot(id int64, o outcome) leads.Snapshot {
	snap := leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: o.ticket, ReadAt: c.cfg.Now()}
	switch {
	case o.refusal != nil && o.refusal.Reaction == NotFound:
		snap.Sight = leads.Absent
	case o.refusal != nil && o.refusal.Reaction == NoAccess:
		snap.Sight = leads.Denied
	case o.refusal != nil:
		snap.Err = o.refusal
	default:
		snap.Lead, snap.Err = leads.Parse(o.result)
		if snap.Err == nil && snap.Lead.ID != id {
			snap.Err = fmt.Errorf("%w: asked for lead %d, got lead %d", leads.ErrNoLead, id, snap.Lead.ID)
		}
		if snap.Err != nil {
			snap.Lead.Raw = o.result
		}
	}
	return snap
}

// listed reads leads by crm.lead.list, 50 a command. Those that the list leaves out are
// not in its answer, nor are those of a list that cannot be read.
func (c *Client) listed(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	var commands []Command
	for list := range slices.Chunk(ids, listPage) {
		commands = append(commands, Command{Key: leadKey(list[0]), Method: "crm.lead.list", Query: idQuery(list)})
	}
	done, err := c.runAll(ctx, commands, c.lists, draw)
	if err != nil {
		return nil, err
	}
	var shown []leads.Snapshot
	for _, cmd := range commands {
		o := done[cmd.Key]
		if o.refusal != nil {
			continue
		}
		if snaps, err := c.rows(o.result, o.ticket); err == nil {
			shown = append(shown, snaps...)
		}
	}
	return shown, nil
}

// rows reads the result of one crm.lead.list.
func (c *Client) rows(result json.RawMessage, ticket leads.Ticket) ([]leads.Snapshot, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(result, &list); err != nil {
		return nil, garbled("crm.lead.list", 200, "the answer is not a list")
	}
	snaps := make([]leads.Snapshot, 0, len(list))
	for _, raw := range list {
		lead, err := leads.Parse(raw)
		if lead.ID == 0 && err != nil {
			return nil, garbled("crm.lead.list", 200, "the answer has a row without an id")
		}
		snaps = append(snaps, leads.Snapshot{
			Ref: leads.Ref{LeadID: lead.ID}, Ticket: ticket, ReadAt: c.cfg.Now(), Lead: lead, Err: err,
		})
	}
	return snaps, nil
}

// wholeCard selects everything that crm.lead.get shows: multifields only by name.
var wholeCard = append([]string{"*", "UF_*"}, leads.Multifields...)

func idQuery(ids []int64) url.Values {
	q := cardQuery()
	for i, id := range ids {
		q.Set("filter[@ID]["+strconv.Itoa(i)+"]", strconv.FormatInt(id, 10))
	}
	return q
}

// cardQuery is a list of whole cards by ascending id that counts nothing: counting 2.4
// million rows took 50 s (docs/bitrix24.md 6.5).
func cardQuery() url.Values {
	q := url.Values{"order[ID]": {"ASC"}, "start": {"-1"}}
	for i, name := range wholeCard {
		q.Set("select["+strconv.Itoa(i)+"]", name)
	}
	return q
}

func leadKey(id int64) string { return "l" + strconv.FormatInt(id, 10) }

// without returns the ids that no snapshot shows.
func without(ids []int64, shown []leads.Snapshot) []int64 {
	seen := make(map[int64]bool, len(shown))
	for _, s := range shown {
		seen[s.LeadID] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return seen[id] })
}
