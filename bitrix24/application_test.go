package bitrix24_test

import (
	"testing"
	"testing/synctest"
	"time"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/bitrix24/emulator/emulatortest"
)

// applicationClient uses the application's tokens.
func applicationClient(tb testing.TB, h *emulatortest.Harness, budget *bitrix24.Budget) *bitrix24.Client {
	tb.Helper()
	return bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: emulatortest.PortalURL + "/rest/", HTTP: h.HTTP(), Budget: budget, Tokens: fixedToken(h.Install(tb).AccessToken),
	})
}

func TestThePlanIsTakenFromThePortal(t *testing.T) {
	for _, test := range []struct {
		name   string
		portal emulator.Config
		change func(*emulatortest.Harness)
		want   bitrix24.Plan
	}{
		{"Enterprise", emulator.Config{Enterprise: true}, nil, bitrix24.EnterprisePlan},
		{"another plan", emulator.Config{}, nil, bitrix24.StandardPlan},
		{"one that does not say", emulator.Config{Enterprise: true, Switches: emulator.Switches{NoLicense: true}}, nil, bitrix24.StandardPlan},
		{"one that refuses", emulator.Config{Enterprise: true}, func(h *emulatortest.Harness) {
			h.Portal.SetFaults(emulator.Faults{Refuse: "ACCESS_DENIED"})
		}, bitrix24.StandardPlan},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := emulatortest.New(t, test.portal)
				client := applicationClient(t, h, nil)
				if test.change != nil {
					test.change(h)
				}
				if got, err := client.Application().Plan(t.Context()); got != test.want || err != nil {
					t.Errorf("%+v, %v", got, err)
				}
			})
		})
	}
	for family, want := range map[string]bitrix24.Plan{
		"ent": bitrix24.EnterprisePlan, " ENT ": bitrix24.EnterprisePlan, "": bitrix24.StandardPlan, "enterprise?": bitrix24.StandardPlan, "std": bitrix24.StandardPlan,
	} {
		if got := bitrix24.PlanOf(family); got != want {
			t.Errorf("family %q: %+v", family, got)
		}
	}
	t.Run("a webhook is not asked", func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Enterprise: true})
		client := h.Webhook(nil)
		if got, err := client.Application().Plan(t.Context()); got != bitrix24.StandardPlan || err != nil || client.Requests() != 0 {
			t.Errorf("%+v, %v after %d requests", got, err, client.Requests())
		}
	})
}

// Five requests a second and bursts of 200 are never refused, even when owners take over.
func TestEnterprisePortalsAreReadFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := emulatortest.New(t, emulator.Config{Enterprise: true})
		sent := 0
		begin := time.Now()
		for owner := range 4 {
			budget := bitrix24.NewBudget(owner == 0)
			client := applicationClient(t, h, budget)
			plan, err := client.Application().Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			budget.Follow(plan)
			for range 400 {
				if _, err := client.Read(t.Context(), "server.time", nil); err != nil {
					t.Fatal(err)
				}
				sent++
			}
		}
		took := time.Since(begin).Seconds() // of the portal's time
		if atMost := float64(sent)/5 + 10; took > atMost {
			t.Errorf("%d requests took %.0f s, at five a second at most %.0f", sent, took, atMost)
		}
		t.Logf("%d requests within %.0f s", sent, took)
		wantNoRefusal(t, h.Portal)
	})
}

func TestABudgetThatShrinksWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		budget := bitrix24.NewBudget(true)
		budget.Follow(bitrix24.EnterprisePlan)
		for range 190 {
			if err := budget.Wait(t.Context(), bitrix24.Live); err != nil {
				t.Fatal(err)
			}
		}
		budget.Follow(bitrix24.StandardPlan)
		begin := time.Now()
		if err := budget.Wait(t.Context(), bitrix24.Live); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(begin); waited < 70*time.Second {
			t.Errorf("waited %s until 190 requests were 39", waited)
		}
	})
}
