package emulator_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"

	"leadsync/bitrix24"
	"leadsync/bitrix24/emulator"
)

// An application is installed on an emulated portal, binds an event, and gets a callback when
// somebody edits a lead.
func Example() {
	callbacks := make(chan bitrix24.Callback, 1)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if cb, err := bitrix24.ParseCallback(string(body)); err == nil {
			callbacks <- cb
		}
	}))
	defer app.Close()

	portal, err := emulator.Start(emulator.Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer portal.Close()
	lead := portal.Add(1)[0]

	portal.Install(app.URL, "")
	install := <-callbacks
	fmt.Println(install.Event, install.Scope)

	resp, err := http.PostForm(portal.Info().Portal+"/rest/event.bind", url.Values{
		"event": {string(bitrix24.LeadUpdate)}, "handler": {app.URL}, "auth": {install.AccessToken.Reveal()},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()

	if err := portal.Edit(lead, map[string]any{"TITLE": "Call back on Monday"}); err != nil {
		fmt.Println(err)
		return
	}
	update := <-callbacks
	fmt.Println(update.Event, update.LeadID)
	// Output:
	// ONAPPINSTALL crm,user,department
	// ONCRMLEADUPDATE 1
}
