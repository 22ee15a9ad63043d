package bitrix24_test

import (
	"context"
	"fmt"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
	"leadsync/leads"
)

// All leads of an emulated portal are read through its inbound webhook.
func ExampleClient() {
	portal, err := emulator.Start(emulator.Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer portal.Close()
	for _, id := range portal.Add(2) {
		if err := portal.Edit(id, map[string]any{"TITLE": fmt.Sprintf("Request %d", id)}); err != nil {
			fmt.Println(err)
			return
		}
	}

	client := bitrix24.NewClient(bitrix24.ClientConfig{
		Endpoint: leads.Secret(portal.Info().Webhook), Budget: bitrix24.NewBudget(true),
	}).In(bitrix24.Background)
	tickets := leads.NewTickets(1)
	for after := int64(0); ; {
		page, err := client.Leads().Scan(context.Background(), after, tickets.Draw)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, s := range page.Snapshots {
			fmt.Println(s.LeadID, s.Lead.Value("TITLE"))
		}
		if page.Last {
			break
		}
		after = page.UpTo
	}
	fmt.Println(client.Requests(), "requests")
	// Output:
	// 1 Request 1
	// 2 Request 2
	// 2 requests
}
