package owner

import (
	"context"
	"errors"
	"fmt"

	"leadsync/bitrix24"
	"leadsync/leads"
)

// ErrElsewhere says that this process does not own the portal, so that it cannot know how much of
// the portal's limits is left.
var ErrElsewhere = errors.New("another leadsync process serves the portal")

// Look reads a lead from its portal as it is now, within the portal's limits, behind callbacks and
// before passes. Nothing is written, so the snapshot has no ticket. Its error is ErrElsewhere, or
// the portal's.
func (o *Owners) Look(ctx context.Context, ref leads.Ref) (leads.Snapshot, error) {
	s := o.sessions.find(ref.MemberID)
	if s == nil {
		return leads.Snapshot{}, ErrElsewhere
	}
	reader := s.client.In(bitrix24.Operator).Hasty().Leads()
	snaps, err := reader.Read(ctx, []int64{ref.LeadID}, func() leads.Ticket { return 0 })
	if err != nil || len(snaps) != 1 {
		return leads.Snapshot{}, fmt.Errorf("look at %s in the portal: %w", ref, err)
	}
	snaps[0].MemberID = ref.MemberID
	return snaps[0], nil
}
