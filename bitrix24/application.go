package bitrix24

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
)

// Plan is what a portal's tariff allows one source address, less a fifth for others who
// call from the same address. Source: docs/bitrix24.md 4.
type Plan struct {
	Name  string
	Leak  float64 // requests a second that leak out of the bucket
	Depth float64 // requests up to which leadsync fills the bucket
}

// The two plans: leadsync uses 40 of the standard bucket of 50, and 200 of Enterprise's 250.
var (
	StandardPlan   = Plan{Name: "standard", Leak: 2, Depth: 40}
	EnterprisePlan = Plan{Name: "enterprise", Leak: 5, Depth: 200}
)

// enterpriseFamily is LICENSE_FAMILY of Enterprise portals: the documentation shows "ent"
// with the type "ent10000" (docs/bitrix24.md 1.14). That no other plan has it is a guess.
const enterpriseFamily = "ent"

// PlanOf returns the plan for LICENSE_FAMILY of app.info. Every family but Enterprise's gets
// the standard plan: a limit that is too low costs time, one that is too high gets the
// application blocked.
func PlanOf(family string) Plan {
	if strings.EqualFold(strings.TrimSpace(family), enterpriseFamily) {
		return EnterprisePlan
	}
	return StandardPlan
}

// Application asks a portal about the application that calls it; Client.Application returns
// it. A webhook is not an application.
type Application struct{ client *Client }

// Plan asks the portal which plan it has. It returns StandardPlan for a webhook, which may
// not ask, and for a portal that does not say.
func (a Application) Plan(ctx context.Context) (Plan, error) {
	if a.client.cfg.Tokens == nil {
		return StandardPlan, nil
	}
	answer, err := a.client.Read(ctx, "app.info", nil)
	e, refused := errors.AsType[*Error](err)
	switch {
	case refused && (e.Status == http.StatusForbidden || e.Status == http.StatusNotFound):
		return StandardPlan, nil
	case err != nil:
		return StandardPlan, err
	}
	var info struct {
		Family lenientText `json:"LICENSE_FAMILY"`
	}
	_ = json.Unmarshal(answer.Result, &info) // an answer of another type does not say Enterprise
	return PlanOf(string(info.Family)), nil
}
