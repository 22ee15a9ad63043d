package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"leadsync/leads"
)

// Result is what --json prints; its names are a contract.
type Result struct {
	PortalLeads     int64   `json:"portal_leads"`
	MirrorLeads     int64   `json:"mirror_leads"` // without tombstones
	Differences     int64   `json:"differences"`
	CallbacksSent   int64   `json:"callbacks_sent"`
	CallbacksLost   int64   `json:"callbacks_lost"`
	Reads           int64   `json:"reads"`
	RESTRequests    int64   `json:"rest_requests"`
	Inserted        int64   `json:"inserted"`
	Updated         int64   `json:"updated"`
	Deleted         int64   `json:"deleted"`
	TopicMessages   int64   `json:"topic_messages"`
	MissedFound     int64   `json:"missed_found"`
	MissedRepaired  int64   `json:"missed_repaired"`
	Seconds         float64 `json:"seconds"`
	unannounced     int64   // repaired rows that the subscriber never heard of
	firstDifference string
}

// verdict is nil if the demonstration has shown what it promises.
func (r Result) verdict() error {
	if r.Differences > 0 || r.unannounced > 0 {
		return fmt.Errorf("%d differences between portal and mirror (first: %s), %d repaired rows not announced",
			r.Differences, r.firstDifference, r.unannounced)
	}
	return nil
}

// compare holds the portal's truth against the mirror, field by field.
func (d *demo) compare(ctx context.Context) (Result, error) {
	var r Result
	truth := maps.Collect(d.portal.Leads())
	r.PortalLeads = int64(len(truth))
	for after := int64(0); ; {
		rows, err := d.service.Backend.DB.Range(ctx, d.memberID(), after, leads.MaxID, 1000)
		if err != nil {
			return r, err
		}
		for _, row := range rows {
			after = row.LeadID
			r.CompareRow(row, truth)
			delete(truth, row.LeadID)
		}
		if len(rows) < 1000 {
			break
		}
	}
	for id := range truth {
		r.differ(fmt.Sprintf("lead %d is not in the mirror", id))
	}
	err := d.sums(ctx, &r)
	return r, err
}

// CompareRow holds a row against the cards of the portal, by id, and counts what differs.
func (r *Result) CompareRow(row leads.Row, truth map[int64]json.RawMessage) {
	card, there := truth[row.LeadID]
	switch {
	case row.Deleted && !there:
	case row.Deleted:
		r.differ(fmt.Sprintf("lead %d is a tombstone in the mirror", row.LeadID))
	case !there:
		r.MirrorLeads++
		r.differ(fmt.Sprintf("lead %d is gone in the portal", row.LeadID))
	default:
		r.MirrorLeads++
		lead, err := leads.Parse(card)
		if err != nil {
			r.differ(err.Error())
		} else if fields := row.Differences(&lead); len(fields) > 0 {
			r.differ(fmt.Sprintf("lead %d differs in %v", row.LeadID, fields))
		}
	}
}

func (r *Result) differ(what string) {
	if r.Differences++; r.firstDifference == "" {
		r.firstDifference = what
	}
}

// sums collects what portal, service and subscriber counted.
func (d *demo) sums(ctx context.Context, r *Result) error {
	stats := d.portal.Stats()
	r.CallbacksSent, r.CallbacksLost = int64(stats.CallbacksSent), int64(stats.CallbacksLost)
	for _, n := range stats.Requests {
		r.RESTRequests += int64(n)
	}
	r.Reads = d.service.Stats.Read.Load()
	r.TopicMessages = d.subscriber.count()
	runs, err := d.service.Backend.DB.Runs(ctx, d.memberID(), 100)
	if err != nil {
		return err
	}
	r.Inserted, r.Updated, r.Deleted = d.service.Stats.Outcomes(leads.Inserted), d.service.Stats.Outcomes(leads.Updated), d.service.Stats.Outcomes(leads.Deleted)
	for _, run := range runs {
		r.Inserted += run.Inserted
		r.Updated += run.Updated
		r.Deleted += run.Deleted
	}
	r.MissedFound, r.MissedRepaired = d.run.Found(), d.run.Repaired()
	findings, err := d.service.Backend.DB.Findings(ctx, d.run.ID)
	if err != nil {
		return err
	}
	for _, f := range findings {
		if !d.subscriber.receivedRepair(f.Ref) {
			r.unannounced++
		}
	}
	r.Seconds = time.Since(d.started).Seconds()
	return nil
}
