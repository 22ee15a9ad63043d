// Package reconcile proves the mirror equal to the portal: it reads every lead of the
// portal, compares it with what the rows hold now, repairs what differs, and records
// every difference. It must not know how a portal is called or which database the mirror
// is in.
package reconcile

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"leadsync/leads"
)

// Portal is the side that is believed.
type Portal interface {
	// Scan returns the next stretch of leads with ids above after.
	Scan(ctx context.Context, after int64) (leads.Page, error)
	// Leads asks for leads one by one, so that "Not found" and "Access denied." differ.
	Leads(ctx context.Context, ids []int64) ([]leads.Snapshot, error)
	// Requests is how many HTTP requests were sent so far.
	Requests() int64
}

// Mirror is the side that is repaired.
type Mirror interface {
	// Range returns up to limit rows with after < id <= upTo, tombstones included.
	Range(ctx context.Context, memberID string, after, upTo int64, limit int) ([]leads.Held, error)
	Apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error)
	RecordFailure(ctx context.Context, ref leads.Ref, reason string, payload []byte) error
}

// Ledger keeps the run and what it found.
type Ledger interface {
	SaveRun(ctx context.Context, run leads.Run) error
	AddFindings(ctx context.Context, findings []leads.Finding) error
}

// Config is what a pass works with.
type Config struct {
	Portal Portal
	Mirror Mirror
	Ledger Ledger
	// Turn is held from comparing to writing; no other read of the portal is then on its
	// way into the mirror.
	Turn *sync.Mutex
	// Grace is how long a lead must have been absent before its row becomes a tombstone.
	Grace time.Duration
	// Report is called after every stretch; nil where nobody watches.
	Report func(leads.Run)
	Wake   func() // there is something to relay
	Now    func() time.Time
	// Wait waits, less if the context ends, whose error it then returns; nil is a timer.
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// Pass is one run over one portal.
type Pass struct {
	Config

	run   leads.Run
	base  int64 // requests spent before this part of the run
	cause leads.Cause
	// gone are leads that were absent when asked; they are asked again after Grace.
	gone []int64
}

// Run brings a run from its checkpoint to its end and returns it. Where it is stopped it
// returns the context's error, and the run can be claimed again; where it cannot go on
// it ends as incomplete, with the reason.
func Run(ctx context.Context, cfg Config, run leads.Run) (leads.Run, error) {
	p := &Pass{Config: cfg, run: run, base: run.Requests - cfg.Portal.Requests(), cause: leads.CauseReconcile}
	if run.Mode == leads.RunImport {
		p.cause = leads.CauseImport
	}
	if p.Wait == nil {
		p.Wait = wait
	}
	err := p.scan(ctx)
	if err == nil {
		err = p.confirm(ctx)
	}
	if ctx.Err() != nil {
		return p.run, ctx.Err()
	}
	p.run.State, p.run.FinishedAt = leads.RunCompleted, p.Now()
	if err != nil {
		p.run.State, p.run.Error = leads.RunIncomplete, err.Error()
	}
	return p.run, errors.Join(err, p.save(ctx))
}

// scan compares stretch by stretch. A stretch is done when it is compared, repaired and
// the checkpoint saved.
func (p *Pass) scan(ctx context.Context) error {
	for {
		page, err := p.Portal.Scan(ctx, p.run.Checkpoint)
		if err != nil {
			return fmt.Errorf("read leads above %d: %w", p.run.Checkpoint, err)
		}
		absent, err := p.compare(ctx, page)
		if err != nil {
			return err
		}
		if err := p.ask(ctx, absent); err != nil {
			return err
		}
		p.run.Checkpoint = page.UpTo
		if err := p.save(ctx); err != nil {
			return err
		}
		if page.Last {
			return nil
		}
	}
}

// compare holds the turn while it compares a stretch with the mirror's rows and repairs
// them. It returns the ids of rows that the portal did not show.
func (p *Pass) compare(ctx context.Context, page leads.Page) (absent []int64, err error) {
	p.Turn.Lock()
	defer p.Turn.Unlock()
	d, err := p.differences(ctx, page)
	if err != nil {
		return nil, err
	}
	p.run.Scanned += int64(len(page.Snapshots))
	p.run.Unchanged += int64(len(page.Snapshots) - len(d.repairs))
	return d.absent, p.repair(ctx, d)
}

// difference is what a stretch of the portal and the mirror's rows do not agree on.
type difference struct {
	repairs  []leads.Snapshot
	findings []leads.Finding // one for each of repairs
	absent   []int64
}

// rowsAtOnce bounds the rows that are compared at a time, and with them the memory.
const rowsAtOnce = 2500

// differences walks both sides by ascending id.
func (p *Pass) differences(ctx context.Context, page leads.Page) (difference, error) {
	var d difference
	shown := page.Snapshots
	for after := p.run.Checkpoint; ; {
		rows, err := p.Mirror.Range(ctx, p.run.MemberID, after, page.UpTo, rowsAtOnce)
		if err != nil {
			return d, fmt.Errorf("read rows above %d: %w", after, err)
		}
		for _, row := range rows {
			for len(shown) > 0 && shown[0].LeadID < row.LeadID {
				p.missed(&d, shown[0])
				shown = shown[1:]
			}
			if len(shown) > 0 && shown[0].LeadID == row.LeadID {
				p.both(&d, shown[0], row)
				shown = shown[1:]
				continue
			}
			if !row.Deleted && row.Ticket < page.Ticket {
				d.absent = append(d.absent, row.LeadID)
			}
		}
		if len(rows) < rowsAtOnce {
			break
		}
		after = rows[len(rows)-1].LeadID
	}
	for _, snap := range shown {
		p.missed(&d, snap)
	}
	return d, nil
}

func (p *Pass) both(d *difference, snap leads.Snapshot, row leads.Held) {
	if row.Ticket > snap.Ticket {
		return // a later read has been here already
	}
	if row.Deleted {
		p.missed(d, snap)
		return
	}
	if snap.Err != nil {
		d.add(snap, leads.Finding{Ref: p.ref(snap.LeadID), Kind: leads.FindingStale, FoundAt: p.Now()})
		return
	}
	fields := row.Differences(&snap.Lead)
	if len(fields) == 0 {
		return
	}
	snap.Force = true // somebody may have altered the row and not its hash
	d.add(snap, leads.Finding{Ref: p.ref(snap.LeadID), Kind: leads.FindingStale, Fields: fields, FoundAt: p.Now()})
}

func (p *Pass) missed(d *difference, snap leads.Snapshot) {
	d.add(snap, leads.Finding{Ref: p.ref(snap.LeadID), Kind: leads.FindingMissed, FoundAt: p.Now()})
}

func (d *difference) add(snap leads.Snapshot, finding leads.Finding) {
	d.repairs = append(d.repairs, snap)
	d.findings = append(d.findings, finding)
}

func (p *Pass) ref(id int64) leads.Ref { return leads.Ref{MemberID: p.run.MemberID, LeadID: id} }

// repair writes what differs and records it.
func (p *Pass) repair(ctx context.Context, d difference) error {
	if len(d.repairs) == 0 {
		return nil
	}
	outcomes, err := p.apply(ctx, d.repairs)
	if err != nil {
		return err
	}
	findings := d.findings[:0]
	for i, f := range d.findings {
		if f.Repaired = outcomes[i].Verdict; f.Repaired == leads.Older {
			continue // somebody was faster: it was not missed, only late
		}
		findings = append(findings, f)
		switch f.Kind {
		case leads.FindingMissed:
			p.run.Missed++
		case leads.FindingStale:
			p.run.Stale++
		case leads.FindingPhantom, leads.FindingUnreadable:
		}
	}
	return p.record(ctx, findings)
}

// apply writes snapshots unless this is a dry run, and counts what became of them.
func (p *Pass) apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	outcomes := make([]leads.Outcome, len(snaps))
	if p.run.DryRun {
		return outcomes, nil
	}
	var good []leads.Snapshot
	var places []int
	for i, s := range snaps {
		s.MemberID, s.Cause = p.run.MemberID, p.cause
		if s.Err == nil {
			good, places = append(good, s), append(places, i)
			continue
		}
		outcomes[i] = leads.Outcome{Ref: s.Ref, Verdict: leads.Failed, Err: s.Err}
	}
	written, err := p.Mirror.Apply(ctx, good)
	if err != nil {
		return nil, fmt.Errorf("write %d leads: %w", len(good), err)
	}
	for i, o := range written {
		outcomes[places[i]] = o
	}
	p.Wake()
	return outcomes, p.count(ctx, snaps, outcomes)
}

func (p *Pass) count(ctx context.Context, snaps []leads.Snapshot, outcomes []leads.Outcome) error {
	for i, o := range outcomes {
		switch o.Verdict {
		case leads.Inserted:
			p.run.Inserted++
		case leads.Updated:
			p.run.Updated++
		case leads.Deleted:
			p.run.Deleted++
		case leads.Failed:
			p.Log.ErrorContext(ctx, "lead cannot be written", "member_id", p.run.MemberID, "lead_id", snaps[i].LeadID, "error", o.Err)
			if err := p.Mirror.RecordFailure(ctx, p.ref(snaps[i].LeadID), o.Err.Error(), snaps[i].Lead.Raw); err != nil {
				return err
			}
		case leads.Unchanged, leads.Older, leads.Missing:
		}
	}
	return nil
}

func (p *Pass) record(ctx context.Context, findings []leads.Finding) error {
	if len(findings) == 0 || p.run.Mode == leads.RunImport {
		return nil // an import finds everything missing, which explains nothing
	}
	for i := range findings {
		findings[i].RunID = p.run.ID
	}
	if err := p.Ledger.AddFindings(ctx, findings); err != nil {
		return fmt.Errorf("record what was found: %w", err)
	}
	return nil
}

// save writes the checkpoint and the sums.
func (p *Pass) save(ctx context.Context) error {
	p.run.Requests = p.base + p.Portal.Requests()
	if err := p.Ledger.SaveRun(ctx, p.run); err != nil {
		return fmt.Errorf("save the run: %w", err)
	}
	if p.Report != nil {
		p.Report(p.run)
	}
	return nil
}

// wait waits by the machine's clock.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
