package bitrix24

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"leadsync/leads"
)

// Leads reads a portal's leads; Client.Leads returns it. Its requests belong to the lane of
// that client. The errors of its methods are the portal's (*Error), the network's or the
// context's.
type Leads struct {
	client   *Client
	answered func() // see Answered
}

// Answered returns Leads that call answered when a walk has got an answer, before they read it.
// It may wait: an answer takes a quarter of the memory of what is read from it.
func (l Leads) Answered(answered func()) Leads {
	l.answered = answered
	return l
}

// Draw returns a ticket. It is called before each request that reads leads.
type Draw func() leads.Ticket

// listPage is the number of rows that a list method returns at once (docs/bitrix24.md 4).
const listPage = 50

// Read reads the leads with these ids and returns one snapshot for each, in ascending order.
// It reads up to 50 leads with a batch of crm.lead.get, more with batches of crm.lead.list.
// Leads that are not in the lists it reads one by one: only crm.lead.get distinguishes "Not
// found" from "Access denied.". An answer that is not a valid lead becomes a snapshot with
// Err; the error that Read returns is never about a single lead.
func (l Leads) Read(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	var found []leads.Snapshot
	left := ids
	if len(ids) > batchLimit {
		var err error
		if found, err = l.readByList(ctx, ids, draw); err != nil {
			return nil, err
		}
		left = without(ids, found)
	}
	snaps, err := l.readOneByOne(ctx, left, draw)
	if err != nil {
		return nil, err
	}
	found = append(found, snaps...)
	slices.SortFunc(found, func(a, b leads.Snapshot) int { return int(a.LeadID - b.LeadID) })
	return found, nil
}

// readOneByOne reads leads with crm.lead.get, many commands in a batch.
func (l Leads) readOneByOne(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	commands := make([]Command, len(ids))
	for i, id := range ids {
		commands[i] = Command{Key: leadKey(id), Method: "crm.lead.get", Query: url.Values{"id": {strconv.FormatInt(id, 10)}}}
	}
	done, err := l.run(ctx, commands, l.client.shared.gets, draw)
	if err != nil {
		return nil, err
	}
	snaps := make([]leads.Snapshot, len(ids))
	for i, id := range ids {
		snaps[i] = l.snapshot(ctx, id, done[leadKey(id)])
	}
	return snaps, nil
}

// snapshot turns the answer of crm.lead.get into a snapshot.
func (l Leads) snapshot(ctx context.Context, id int64, o outcome) leads.Snapshot {
	snap := leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: o.ticket, ReadAt: l.client.cfg.Now()}
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
			l.client.leaveOut(ctx, oddForeign, 1, "crm.lead.get")
		}
		if snap.Err != nil {
			snap.Lead.Raw = o.result
		}
	}
	return snap
}

// readByList reads leads with crm.lead.list, 50 in a command. Leads that a list leaves out,
// and those of a list that cannot be read, are missing from its result.
func (l Leads) readByList(ctx context.Context, ids []int64, draw Draw) ([]leads.Snapshot, error) {
	var commands []Command
	for list := range slices.Chunk(ids, listPage) {
		commands = append(commands, Command{Key: leadKey(list[0]), Method: "crm.lead.list", Query: idQuery(list)})
	}
	done, err := l.run(ctx, commands, l.client.shared.lists, draw)
	if err != nil {
		return nil, err
	}
	var found []leads.Snapshot
	for _, cmd := range commands {
		o := done[cmd.Key]
		if o.refusal != nil {
			continue
		}
		sheet, err := l.cards(o.result, o.ticket)
		if err != nil {
			continue
		}
		l.client.leaveOut(ctx, oddID, sheet.odd, cmd.Method)
		found = append(found, sheet.snaps...)
	}
	return l.only(ctx, ids, found), nil
}

// only returns the snapshots of these ids, each once: a portal that does not understand the
// filter lists others, too. ids ascend.
func (l Leads) only(ctx context.Context, ids []int64, found []leads.Snapshot) []leads.Snapshot {
	asked, seen := make([]leads.Snapshot, 0, len(found)), make(map[int64]bool, len(found))
	foreign := 0
	for _, s := range found {
		_, wanted := slices.BinarySearch(ids, s.LeadID)
		switch {
		case !wanted:
			foreign++
		case !seen[s.LeadID]:
			seen[s.LeadID] = true
			asked = append(asked, s)
		}
	}
	l.client.leaveOut(ctx, oddForeign, foreign, "crm.lead.list")
	return asked
}

// sheet is one page of a list as the portal returned it.
type sheet struct {
	snaps  []leads.Snapshot // the rows whose ids fit
	rows   int              // all rows
	odd    int              // rows whose ids are no lead's
	beyond int              // of them those above leads.MaxID
	newest time.Time        // when the last lead was created; zero if unknown
}

// cards reads the rows of one crm.lead.list of whole leads.
func (l Leads) cards(result json.RawMessage, ticket leads.Ticket) (sheet, error) {
	rows, err := phpList(result)
	if err != nil {
		return sheet{}, garbled("crm.lead.list", 200, "the answer is not a list")
	}
	s := sheet{rows: len(rows), snaps: make([]leads.Snapshot, 0, len(rows))}
	for _, raw := range rows {
		lead, err := leads.Parse(raw)
		if lead.ID == 0 && err != nil {
			s.leaveOut(raw)
			continue
		}
		s.snaps = append(s.snaps, leads.Snapshot{
			Ref: leads.Ref{LeadID: lead.ID}, Ticket: ticket, ReadAt: l.client.cfg.Now(), Lead: lead, Err: err,
		})
	}
	s.newest = created(s.snaps)
	return s, s.check()
}

// leaveOut notes a row whose id is no lead's.
func (s *sheet) leaveOut(raw json.RawMessage) {
	var row struct {
		ID lenientFloat `json:"ID"`
	}
	s.odd++
	if json.Unmarshal(raw, &row) == nil && row.ID > leads.MaxID {
		s.beyond++
	}
}

// check returns an error if rows came, and none of them says where the list goes on.
func (s *sheet) check() error {
	if s.rows > 0 && len(s.snaps) == 0 && s.beyond == 0 {
		return garbled("crm.lead.list", 200, "no row of the list has the id of a lead")
	}
	return nil
}

// created is when the last of these leads was created; zero if there is none or its card is
// not valid.
func created(snaps []leads.Snapshot) (at time.Time) {
	if len(snaps) == 0 {
		return at
	}
	if lead := &snaps[len(snaps)-1].Lead; len(lead.Values) == len(leads.Fields) {
		at, _ = leads.ParseTime(lead.Value("DATE_CREATE"))
	}
	return at
}

// wholeCard selects everything that crm.lead.get shows: a list shows multifields only if
// they are selected by name.
var wholeCard = append([]string{"*", "UF_*"}, leads.Multifields...)

// idQuery asks for whole leads by their ids.
func idQuery(ids []int64) url.Values {
	q := cardQuery()
	for i, id := range ids {
		q.Set("filter[@ID]["+strconv.Itoa(i)+"]", strconv.FormatInt(id, 10))
	}
	return q
}

// cardQuery asks for whole leads by ascending id. start=-1 turns counting off: it took 50 s
// for 2.4 million rows (docs/bitrix24.md 6.5).
func cardQuery() url.Values {
	q := url.Values{"order[ID]": {"ASC"}, "start": {"-1"}}
	for i, name := range wholeCard {
		q.Set("select["+strconv.Itoa(i)+"]", name)
	}
	return q
}

func leadKey(id int64) string { return "l" + strconv.FormatInt(id, 10) }

// without returns the ids that are not among the snapshots.
func without(ids []int64, found []leads.Snapshot) []int64 {
	seen := make(map[int64]bool, len(found))
	for _, s := range found {
		seen[s.LeadID] = true
	}
	return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return seen[id] })
}
