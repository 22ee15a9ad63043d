package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"leadsync/leads"
)

// repairer writes what differs, and counts it.
type repairer struct {
	cfg   *Config
	run   *leads.Run // the copy that the step works on
	noted map[int64]leads.Finding
	// written tells of each lead that was to be written whether it could be.
	written map[int64]bool
}

// right tells whether the row of a lead that the portal shows is right now. A list of ids
// proves it only for leads that were read and written.
func (r *repairer) right(id int64) bool {
	written, tried := r.written[id]
	return written || !tried && r.run.Mode != leads.RunIDs
}

// repair writes what differs and returns the findings. It notes them first: a process that
// is killed after the write leaves word of it.
func (r *repairer) repair(ctx context.Context, repairs []Repair) ([]leads.Finding, error) {
	if len(repairs) == 0 {
		return nil, nil
	}
	if err := r.note(ctx, repairs); err != nil {
		return nil, err
	}
	snaps := make([]leads.Snapshot, len(repairs))
	for i, repair := range repairs {
		snaps[i] = repair.Snapshot
	}
	outcomes, err := r.apply(ctx, snaps)
	if err != nil {
		return nil, err
	}
	var found []leads.Finding
	for i, repair := range repairs {
		f := repair.Finding
		f.Repaired = outcomes[i].Verdict
		if f.Repaired == leads.Older || repair.Late && f.Kind != leads.FindingUnprocessable && !r.wasNoted(f) {
			if r.countWrite(f.Repaired); f.Repaired == leads.Failed {
				r.run.Failing++
			}
			continue // a live read was faster: events did not miss it, it was only late
		}
		r.count(f)
		found = append(found, f)
	}
	return found, nil
}

// wasNoted tells whether a killed part of the run has noted a finding of the lead.
func (r *repairer) wasNoted(f leads.Finding) bool {
	_, ok := r.noted[f.Ref.LeadID]
	return ok
}

// note records findings as pending, except in a dry run, which repairs nothing.
func (r *repairer) note(ctx context.Context, repairs []Repair) error {
	if r.run.DryRun {
		return nil
	}
	var fresh []leads.Finding
	for _, repair := range repairs {
		if f := repair.Finding; !r.wasNoted(f) && !repair.Late {
			f.Repaired = leads.Pending
			fresh = append(fresh, f)
		}
	}
	if err := r.cfg.Ledger.AddFindings(ctx, r.recorded(fresh)); err != nil {
		return fmt.Errorf("note what differs: %w", err)
	}
	return nil
}

// recorded are the findings that the ledger keeps. To an import every lead is missing,
// which explains nothing; that one cannot be used does.
func (r *repairer) recorded(findings []leads.Finding) []leads.Finding {
	if r.run.Mode != leads.RunImport {
		return findings
	}
	return slices.DeleteFunc(slices.Clone(findings), func(f leads.Finding) bool { return f.Kind != leads.FindingUnprocessable })
}

// apply writes snapshots, except in a dry run. Each has its outcome.
func (r *repairer) apply(ctx context.Context, snaps []leads.Snapshot) ([]leads.Outcome, error) {
	outcomes := make([]leads.Outcome, len(snaps))
	if r.run.DryRun {
		return outcomes, nil
	}
	cause := leads.CauseReconcile
	if r.run.Mode == leads.RunImport {
		cause = leads.CauseImport
	}
	var good []leads.Snapshot
	var places []int
	for i, s := range snaps {
		s.MemberID, s.Cause = r.run.MemberID, cause
		if s.Err == nil {
			good, places = append(good, s), append(places, i)
			continue
		}
		outcomes[i] = leads.Outcome{Ref: s.Ref, Verdict: leads.Failed, Err: s.Err}
	}
	written, err := r.cfg.Mirror.Apply(ctx, good)
	if err != nil {
		return nil, fmt.Errorf("write %d leads: %w", len(good), err)
	}
	for i, o := range written {
		outcomes[places[i]] = o
	}
	r.cfg.Wake()
	if r.written == nil {
		r.written = map[int64]bool{}
	}
	return outcomes, r.recordFailures(ctx, snaps, outcomes)
}

// recordFailures notes which leads could be written, and keeps the cards of the others.
func (r *repairer) recordFailures(ctx context.Context, snaps []leads.Snapshot, outcomes []leads.Outcome) error {
	var errs []error
	for i, o := range outcomes {
		r.written[snaps[i].LeadID] = o.Verdict != leads.Failed
		if o.Verdict != leads.Failed {
			continue
		}
		ref := leads.Ref{MemberID: r.run.MemberID, LeadID: snaps[i].LeadID}
		r.cfg.Log.ErrorContext(ctx, "lead cannot be written, keeping its card in bitrix_import_lead_error",
			"member_id", ref.MemberID, "lead_id", ref.LeadID, "error", o.Err)
		errs = append(errs, r.cfg.Mirror.RecordFailure(ctx, ref, o.Err.Error(), snaps[i].Lead.Raw))
	}
	return errors.Join(errs...)
}

// count adds a finding and its repair to the sums.
func (r *repairer) count(f leads.Finding) {
	switch f.Kind {
	case leads.FindingMissed:
		r.run.Missed++
	case leads.FindingStale:
		r.run.Stale++
	case leads.FindingPhantom:
		r.run.Phantom++
	case leads.FindingUnreadable:
		r.run.Unreadable++
	case leads.FindingUnprocessable:
		r.run.Unprocessable++
	}
	r.countWrite(f.Repaired)
}

// countWrite adds a row that was written to the sums.
func (r *repairer) countWrite(v leads.Verdict) {
	switch v {
	case leads.Inserted:
		r.run.Inserted++
	case leads.Updated:
		r.run.Updated++
	case leads.Deleted:
		r.run.Deleted++
	case leads.Unchanged, leads.Older, leads.Missing, leads.Withheld, leads.Pending, leads.Failed:
	}
}
