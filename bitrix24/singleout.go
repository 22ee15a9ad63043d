package bitrix24

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"

	"leadsync/leads"
)

// singling reads one page of a walk that cannot be listed: the ids alone, or where even
// those get no answer that can be used, ranges of ids that are halved until one id is left.
type singling struct {
	leads Leads
	query url.Values // of the page, for ids alone
	draw  Draw

	ids      []int64 // that were listed
	suspects []int64 // ids whose list cannot be used
	upTo     int64   // the page reaches up to here
	end      bool    // nothing lies beyond it
}

// firstRange is how many ids the first range has, and growth by how much each further one
// is longer: ids may have gaps.
const (
	firstRange  = 64
	rangeGrowth = 8
)

// singleOut reads a page that cannot be listed, lead by lead. If even the ids cannot be
// listed because the portal is failing, it returns what the page was refused with.
func (l Leads) singleOut(ctx context.Context, after int64, list listing, draw Draw, refusal error) (leads.Page, error) {
	s := &singling{leads: l, query: bareQuery(list.query), draw: draw, upTo: after}
	page := leads.Page{Ticket: draw()}
	if err := s.find(ctx, after); err != nil {
		return leads.Page{}, errors.Join(refusal, err)
	}
	snaps, err := s.read(ctx, list.bare)
	if err != nil {
		return leads.Page{}, err
	}
	l.client.shared.lists.acquit()
	page.Snapshots, page.UpTo, page.Last = snaps, s.upTo, s.end
	return page, nil
}

// bareQuery is the same list with ids alone.
func bareQuery(query url.Values) url.Values {
	q := maps.Clone(query)
	for key := range q {
		if len(key) > 7 && key[:7] == "select[" {
			delete(q, key)
		}
	}
	q.Set("select[0]", "ID")
	return q
}

// find lists the ids above after, and the suspects among them.
func (s *singling) find(ctx context.Context, after int64) error {
	err := s.list(ctx, after, leads.MaxID)
	if err == nil || !unlistable(err) {
		return err
	}
	if refusal, failure := s.leads.client.refusals().ask(ctx, "crm.lead.list"); failure != nil || refusal != nil {
		return err // the portal itself
	}
	for size := int64(firstRange); s.upTo < leads.MaxID && len(s.ids) < listPage; size *= rangeGrowth {
		to := min(after+size, leads.MaxID)
		switch err := s.list(ctx, s.upTo, to); {
		case err == nil && to == leads.MaxID:
			return nil
		case err == nil:
		case unlistable(err):
			return s.halve(ctx, to)
		default:
			return err
		}
	}
	return nil
}

// halve narrows the range (upTo, bad] down to the one id whose list cannot be used.
func (s *singling) halve(ctx context.Context, bad int64) error {
	for bad-s.upTo > 1 {
		if len(s.ids) >= listPage {
			return nil
		}
		middle := s.upTo + (bad-s.upTo)/2
		switch err := s.list(ctx, s.upTo, middle); {
		case err == nil:
		case unlistable(err):
			bad = middle
		default:
			return err
		}
	}
	s.suspects, s.upTo = append(s.suspects, bad), bad
	return nil
}

// unlistable reports whether a list failed in a way for which one of its leads may be the
// reason: not the one that ignoresFilter names.
func unlistable(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return useless(err) || ok && e.Method == "crm.lead.list" && (e.Reaction == Repeat || e.Reaction == Never && e.Status == 0)
}

// list adds the ids above from and up to to. It sets upTo to the last id that it can be
// sure of.
func (s *singling) list(ctx context.Context, from, to int64) error {
	q := maps.Clone(s.query)
	q.Set("filter[>ID]", strconv.FormatInt(from, 10))
	if to < leads.MaxID {
		q.Set("filter[<=ID]", strconv.FormatInt(to, 10))
	}
	cmd := Command{Key: "ids", Method: "crm.lead.list", Query: q}
	batch, err := s.leads.client.batch(ctx, []Command{cmd}, manner{})
	if err != nil {
		return err
	}
	if e := batch.Errors[cmd.Key]; e != nil {
		return e
	}
	sheet, err := s.leads.bareRows(batch.Results[cmd.Key], 0)
	if err != nil {
		return err
	}
	s.leads.client.leaveOut(ctx, oddID, sheet.odd, cmd.Method)
	foreign := sheet.leaveOutForeign(from)
	s.leads.client.leaveOut(ctx, oddForeign, foreign, cmd.Method)
	if len(sheet.snaps) == 0 && foreign == listPage {
		return ignoresFilter()
	}
	s.add(sheet, to)
	return nil
}

// add takes over the ids of a list up to to.
func (s *singling) add(sheet sheet, to int64) {
	s.upTo = to
	s.end = to == leads.MaxID && len(sheet.snaps) == 0
	for _, snap := range sheet.snaps {
		if snap.LeadID > to {
			return // the list goes on beyond the range, so the range is complete
		}
		s.ids = append(s.ids, snap.LeadID)
	}
	if n := len(sheet.snaps); n > 0 && (sheet.rows >= listPage || to == leads.MaxID) {
		s.upTo = sheet.snaps[n-1].LeadID
	}
}

// read reads the ids; bare takes them as they are and asks for the suspects alone.
func (s *singling) read(ctx context.Context, bare bool) ([]leads.Snapshot, error) {
	slices.Sort(s.ids)
	ids := s.ids
	if bare {
		ids = nil
	}
	snaps, err := s.leads.readOneByOne(ctx, ids, s.draw)
	if err != nil {
		return nil, err
	}
	suspects, err := s.leads.readOneByOne(ctx, s.suspects, s.draw)
	if err != nil {
		return nil, err
	}
	snaps = slices.DeleteFunc(append(snaps, suspects...), func(snap leads.Snapshot) bool {
		return snap.Sight != leads.Present // deleted or hidden meanwhile
	})
	if !bare {
		return snaps, nil
	}
	return s.bare(snaps), nil
}

// bare are the ids that were listed, and those of the suspects that exist.
func (s *singling) bare(suspects []leads.Snapshot) []leads.Snapshot {
	ids := s.ids
	for _, snap := range suspects {
		ids = append(ids, snap.LeadID)
	}
	slices.Sort(ids)
	ticket, now := s.draw(), s.leads.client.cfg.Now()
	rows := make([]leads.Snapshot, len(ids))
	for i, id := range ids {
		rows[i] = leads.Snapshot{Ref: leads.Ref{LeadID: id}, Ticket: ticket, ReadAt: now}
	}
	return rows
}
