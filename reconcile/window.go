package reconcile

import (
	"context"
	"fmt"
	"slices"
	"time"

	"leadsync/leads"
)

// window is one try at the leads above the run's checkpoint: it reads them, compares them
// with the mirror's rows and repairs what differs.
type window struct {
	cfg       *Config
	run       *leads.Run // a copy: a try that fails counts nothing
	scan      func(ctx context.Context, after int64) (leads.Page, error)
	repairer  *repairer
	explainer *explainer
}

// read reads the window from the portal.
func (w *window) read(ctx context.Context) (page leads.Page, err error) {
	switch w.run.Mode {
	case leads.RunChanged:
		page, err = w.readChanged(ctx)
	case leads.RunIDs:
		page, err = w.cfg.Portal.IDs(ctx, w.run.Checkpoint)
	case leads.RunFull, leads.RunImport:
		page, err = w.scan(ctx, w.run.Checkpoint)
	}
	// The list ended with a lead that was created after the pass began: ids ascend, so all
	// beyond it is newer still, and events report it. Without this, a pass over a portal where
	// leads are added all the time would never see an empty page.
	if !w.run.PortalAt.IsZero() && page.Newest.After(w.run.PortalAt) {
		page.Last, page.UpTo = true, leads.MaxID
	}
	return page, err
}

// setBackLeast is by how much the portal's clock must have been set back since the pass before
// for the changes to be asked for again; less is what the overlap of two passes is for.
const setBackLeast = time.Minute

// readChanged reads leads that changed since run.Since, by the portal's clock. If the
// portal has changed its zone since the pass before, that question was the wrong one:
// readChanged asks again, from the first lead. It does the same where the portal's clock was
// set back: changes made since then may be dated from before the pass before.
func (w *window) readChanged(ctx context.Context) (leads.Page, error) {
	for {
		page, err := w.cfg.Portal.Changed(ctx, w.run.Checkpoint, w.run.Since)
		if err != nil {
			return page, err
		}
		if page.At.IsZero() {
			if page.At, err = w.cfg.Portal.Clock(ctx); err != nil {
				return page, fmt.Errorf("ask for the portal's time: %w", err)
			}
		}
		_, now := page.At.Zone()
		if _, then := w.run.Since.Zone(); now != then {
			w.run.Since, w.run.Checkpoint = w.run.Since.In(page.At.Location()), 0
			continue
		}
		w.explainer.ahead = page.At.Sub(w.cfg.Now())
		if !w.run.PortalAt.IsZero() {
			return page, nil
		}
		w.run.PortalAt = page.At
		back := w.explainer.setBack(page.At)
		if back < setBackLeast {
			return page, nil
		}
		w.cfg.Log.WarnContext(ctx, "the portal's clock was set back since the pass before, reading changes from that much earlier on",
			"member_id", w.run.MemberID, "run", w.run.ID, "by", back)
		w.run.Since, w.run.Checkpoint = w.run.Since.Add(-back), 0
	}
}

// repair compares the window with the mirror and repairs what differs, under ReadOrder. It
// returns what the portal has to be asked for one by one: the ids of rows that it did not
// show, and of leads that the mirror lacks.
func (w *window) repair(ctx context.Context, page leads.Page) (found []leads.Finding, absent, lacking []int64, err error) {
	w.cfg.ReadOrder.Lock()
	defer w.cfg.ReadOrder.Unlock()
	w.run.Scanned += int64(len(page.Snapshots))
	facts := w.facts()
	facts.Ticket, facts.IDsOnly = page.Ticket, w.run.Mode == leads.RunIDs
	c := NewComparison(facts, page.Snapshots)
	if err := w.eachRow(ctx, page, c.AddRow); err != nil {
		return nil, nil, nil, err
	}
	d := c.Finish()
	found, err = w.settle(ctx, d)
	return found, d.Absent, d.Lacking, err
}

func (w *window) facts() Facts {
	return Facts{RunID: w.run.ID, MemberID: w.run.MemberID, Noted: w.repairer.noted, Now: w.cfg.Now(), PortalAhead: w.explainer.ahead}
}

// settle repairs what differs and returns the findings. The caller holds ReadOrder.
func (w *window) settle(ctx context.Context, d Differences) ([]leads.Finding, error) {
	w.run.Unchanged += d.Unchanged
	if err := w.explainer.explain(ctx, d.Repairs); err != nil {
		return nil, err
	}
	found, err := w.repairer.repair(ctx, d.Repairs)
	if err != nil {
		return nil, err
	}
	if len(d.Returned) > 0 { // this removes the mark, and changes nothing else
		if _, err := w.repairer.apply(ctx, d.Returned); err != nil {
			return nil, err
		}
	}
	for _, f := range d.Settled {
		w.repairer.count(f)
	}
	return append(d.Settled, found...), nil
}

// fill reads leads that the mirror lacks, of which the window has only the ids, and writes
// them. Between two requests ReadOrder is free: a lead that a live read has written by then
// is compared like any other.
func (w *window) fill(ctx context.Context, q *inquiry, ids []int64) (found []leads.Finding, err error) {
	for chunk := range slices.Chunk(ids, askedAtOnce) {
		more, err := w.fillChunk(ctx, q, chunk)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

func (w *window) fillChunk(ctx context.Context, q *inquiry, ids []int64) ([]leads.Finding, error) {
	snaps, err := q.readInOrder(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read %d leads that the mirror lacks: %w", len(ids), err)
	}
	defer w.cfg.ReadOrder.Unlock()
	// One that is gone or may not be read is none that the mirror lacks.
	snaps = slices.DeleteFunc(snaps, func(s leads.Snapshot) bool { return s.Sight != leads.Present })
	c := NewComparison(w.facts(), snaps)
	if err := w.eachShownRow(ctx, snaps, c.AddRow); err != nil {
		return nil, err
	}
	return w.settle(ctx, c.Finish())
}

// rowsAtOnce bounds the rows that are read at a time, and with them the memory.
const rowsAtOnce = 500

// eachRow calls add with each of the mirror's rows in the window, ascending. A changed
// pass has only the rows of the leads that it was shown.
func (w *window) eachRow(ctx context.Context, page leads.Page, add func(leads.Row)) error {
	if w.run.Mode == leads.RunChanged {
		return w.eachShownRow(ctx, page.Snapshots, add)
	}
	read := w.cfg.Mirror.Range
	if w.run.Mode == leads.RunIDs {
		read = w.cfg.Mirror.IDs
	}
	for after := w.run.Checkpoint; ; {
		rows, err := read(ctx, w.run.MemberID, after, page.UpTo, rowsAtOnce)
		if err != nil {
			return fmt.Errorf("read rows above %d: %w", after, err)
		}
		for _, row := range rows {
			add(row)
		}
		if len(rows) < rowsAtOnce {
			return nil
		}
		after = rows[len(rows)-1].LeadID
	}
}

func (w *window) eachShownRow(ctx context.Context, shown []leads.Snapshot, add func(leads.Row)) error {
	if len(shown) == 0 {
		return nil
	}
	ids := make([]int64, len(shown))
	for i, s := range shown {
		ids[i] = s.LeadID
	}
	rows, err := w.cfg.Mirror.Rows(ctx, w.run.MemberID, ids)
	if err != nil {
		return fmt.Errorf("read %d rows: %w", len(ids), err)
	}
	for _, row := range rows {
		add(row)
	}
	return nil
}
