package owner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"leadsync/bitrix24"
	"leadsync/events"
	"leadsync/leads"
)

// fieldsEvery is how often cards with unknown fields may have the definitions read again.
const fieldsEvery = 10 * time.Minute

// fields keeps the definitions of the portal's custom fields and announces how they change.
// Passes read them, and cards that bring an unknown field have them read.
type fields struct {
	s *Session

	known atomic.Pointer[map[string]bool] // names, as they are stored; nil where none were ever read
	stale atomic.Bool                     // they have to be read again
	due   time.Time                       // not before, because of stale; of check alone

	mu sync.Mutex // held while they are read, compared and stored
}

// load learns which fields are known.
func (f *fields) load(ctx context.Context) error {
	schema, err := f.s.cfg.Mirror.Reports.Schema(ctx, f.s.memberID())
	if err == nil && !schema.ReadAt.IsZero() {
		f.learn(schema.Fields)
	}
	return err
}

func (f *fields) learn(list []leads.FieldType) {
	names := make(map[string]bool, len(list))
	for _, field := range list {
		names[field.Field] = true
	}
	f.known.Store(&names)
}

// see looks for fields that are not known in what was read. Before the first reading none is:
// the import begins with one.
func (f *fields) see(snaps []leads.Snapshot) {
	known := f.known.Load()
	if known == nil || f.stale.Load() {
		return
	}
	for i := range snaps {
		for name := range snaps[i].Lead.Custom {
			if !(*known)[name] && leads.IsCustomField(name) {
				f.stale.Store(true)
				return
			}
		}
	}
}

// check reads the definitions where a card brought an unknown field or the last reading
// failed, at most once in fieldsEvery: the portal may show fields in cards that it never lists.
func (f *fields) check(ctx context.Context, now time.Time) {
	if !f.stale.Load() || now.Before(f.due) {
		return
	}
	f.due = now.Add(f.s.cfg.scaled(fieldsEvery))
	f.update(ctx, f.s.client.In(bitrix24.Operator))
}

// update reads the definitions, announces what has changed and stores them. Where the portal
// or NATS does not answer, what is stored stays, and check tries again.
func (f *fields) update(ctx context.Context, client *bitrix24.Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stale.Store(false) // a card that comes from now on may be newer than what is read
	if err := f.compare(ctx, client); err != nil && ctx.Err() == nil {
		f.stale.Store(true)
		f.s.cfg.Log.WarnContext(ctx, "types of custom fields could not be compared, keeping the old ones", "member_id", f.s.memberID(), "error", err)
	}
}

// compare stores only what was announced: killed in between, it announces the same again, with
// the same ids, because what is compared is still the same.
func (f *fields) compare(ctx context.Context, client *bitrix24.Client) error {
	now, err := client.Leads().FieldTypes(ctx)
	if err != nil {
		return err
	}
	f.checkSolutionField(ctx, now)
	reports := f.s.cfg.Mirror.Reports
	stored, err := reports.Schema(ctx, f.s.memberID())
	if err != nil {
		return err
	}
	if len(now) == 0 && len(stored.Fields) > 0 {
		f.s.cfg.Log.WarnContext(ctx, "portal lists no custom fields, keeping those that are stored", "member_id", f.s.memberID(), "fields", len(stored.Fields))
		return nil
	}
	next := leads.Schema{ReadAt: f.s.cfg.now().UTC()}
	var changes []leads.SchemaChange
	next.Fields, changes = stored.Next(now)
	for _, c := range changes {
		c.MemberID, c.At = f.s.memberID(), next.ReadAt
		if err := events.PublishSchemaChange(ctx, f.s.cfg.Bus, c); err != nil {
			return fmt.Errorf("%d changes of custom fields: %w", len(changes), err)
		}
		f.s.cfg.Log.InfoContext(ctx, "custom field changed in the portal", "member_id", c.MemberID, "field", c.Field, "change", c.Kind,
			"before", describe(c.Before), "after", describe(c.After))
	}
	if err := reports.SaveSchema(ctx, f.s.memberID(), f.s.own.Epoch, next); err != nil {
		return err
	}
	f.learn(next.Fields)
	return nil
}

// describe is a field in the log; "" where it is not there.
func describe(shape *leads.FieldShape) string {
	switch {
	case shape == nil:
		return ""
	case shape.Multiple:
		return fmt.Sprintf("%q (%s, multiple)", shape.Title, shape.Type)
	default:
		return fmt.Sprintf("%q (%s)", shape.Title, shape.Type)
	}
}

// checkSolutionField warns where the portal does not have the field of the settings.
func (f *fields) checkSolutionField(ctx context.Context, types []leads.FieldType) {
	field := f.s.cfg.SolutionField
	known := slices.ContainsFunc(types, func(t leads.FieldType) bool { return t.Field == field })
	if field != "" && !known {
		f.s.cfg.Log.WarnContext(ctx, "the portal's leads have no custom field named by LEADSYNC_SOLUTION_FIELD: bitrix_lead_solution stays empty for this portal",
			"member_id", f.s.memberID(), "field", field, "fields", len(types))
	}
}
