package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Plan is what a portal's tariff lets one address do, and what we use of that: others
// may call from it too. Source: docs/bitrix24.md 4, design section 5.
type Plan struct {
	Name  string
	Leak  float64 // requests a second that the portal forgets
	Depth float64 // requests up to which we fill the bucket
}

// The plans there are: of the bucket of 50 we use 40, of Enterprise's 250 we use 200.
var (
	StandardPlan   = Plan{Name: "standard", Leak: 2, Depth: 40}
	EnterprisePlan = Plan{Name: "enterprise", Leak: 5, Depth: 200}
)

// enterpriseFamily is LICENSE_FAMILY of Enterprise portals: the documentation shows "ent"
// beside the type "ent10000" (docs/bitrix24.md 1.14). That no other plan has it is a guess.
const enterpriseFamily = "ent"

// PlanOf is the plan by app.info's LICENSE_FAMILY. What is not known to be Enterprise is
// taken for the standard plan: too low a limit costs time, too high a one a block.
func PlanOf(family string) Plan {
	if strings.EqualFold(strings.TrimSpace(family), enterpriseFamily) {
		return EnterprisePlan
	}
	return StandardPlan
}

// Plan asks the portal which plan it has. A webhook may not ask, nor is every portal
// willing to say: those are taken for the standard plan.
func (c *Client) Plan(ctx context.Context) (Plan, error) {
	if c.cfg.Tokens == nil {
		return StandardPlan, nil
	}
	answer, err := c.Read(ctx, "app.info", nil)
	e, refused := errors.AsType[*Error](err)
	switch {
	case refused && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound):
		return StandardPlan, nil
	case err != nil:
		return StandardPlan, err
	}
	var info struct {
		Family looseText `json:"LICENSE_FAMILY"`
	}
	_ = json.Unmarshal(answer.Result, &info) // of another shape it says nothing of Enterprise
	return PlanOf(string(info.Family)), nil
}
