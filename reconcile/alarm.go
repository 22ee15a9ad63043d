package reconcile

import (
	"context"
	"fmt"
	"strings"

	"leadsync/leads"
)

// shrinkFloor is how many unreadable leads are no alarm, however few leads there are; of
// more leads it is 2 %.
const shrinkFloor = 10

// alarm says what an operator has to look at; "" is nothing.
func (p *Pass) alarm(ctx context.Context) (string, error) {
	breaker, err := p.cfg.Mirror.Breaker(ctx, p.run.MemberID)
	if err != nil {
		return "", fmt.Errorf("read whether deletions are stopped: %w", err)
	}
	limit := max(breaker.Limit, p.run.MaxDeletes)
	var alarms []string
	if p.run.Phantom > limit || breaker.Open() && p.run.Phantom > 0 {
		alarms = append(alarms, stoppedAlarm(&p.run, breaker, limit))
	}
	if p.run.Unreadable > max(shrinkFloor, (p.run.Scanned+p.run.Unreadable)/50) {
		alarms = append(alarms, fmt.Sprintf("the portal denies access to %d leads that it used to show: leadsync keeps their rows as they are; "+
			"give the user who authorized leadsync the right to read all leads", p.run.Unreadable))
	}
	text := strings.Join(alarms, "; ")
	if text != "" {
		p.cfg.Log.ErrorContext(ctx, "pass needs an operator", "member_id", p.run.MemberID, "run", p.run.ID, "alarm", text,
			"phantom", p.run.Phantom, "unreadable", p.run.Unreadable, "limit", limit)
	}
	return text, nil
}

func stoppedAlarm(run *leads.Run, breaker leads.Breaker, limit int64) string {
	number := leads.Amount(run.Phantom, "lead")
	if run.Phantom <= limit { // those of the pass alone would be few enough
		number += fmt.Sprintf("; with those that were deleted within the last hour or wait to be deleted these are %d", breaker.Candidates)
	}
	return fmt.Sprintf("deletions are stopped: the portal no longer lists %s, and at most %d may be deleted within an hour; "+
		"look at `leadsync reconcile findings %s`, and if they were deleted in Bitrix24, allow it with `leadsync reconcile --max-deletes %d`",
		number, limit, run.ID, max(run.Phantom, breaker.Candidates))
}
