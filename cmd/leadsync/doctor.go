package main

import (
	"context"
	"encoding/json"
	"errors"

	"leadsync/doctor"
	"leadsync/handlers/language"
	"leadsync/service"
	"leadsync/setup"
)

// errFaults says that doctor found something that does not work.
var errFaults = errors.New("something does not work: see the lines marked «fault»")

type doctorCmd struct {
	JSON      bool `name:"json" help:"Print one JSON object."`
	TestAlert bool `name:"test-alert" help:"Send a test message to LEADSYNC_ALERT_URL and by e-mail, and examine nothing."`
}

// Run examines the installation. It changes nothing.
func (d doctorCmd) Run(ctx context.Context, a *app) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	lang := setup.Locale(a.lookup)
	style := a.style(lang)
	a.wait.Speak(lang)
	var found []doctor.Finding
	if d.TestAlert {
		a.wait.Begin(language.Say(lang, "Sending test messages"))
		found = service.TestAlarms(ctx, cfg)
	} else {
		found = service.Examine(ctx, cfg, service.NewLog(a.stderr, cfg), func(check string) { a.wait.Begin(language.Say(lang, "Looking at") + ": " + style.Words(check)) })
	}
	if d.JSON {
		err = json.NewEncoder(a.stdout).Encode(map[string]any{"healthy": doctor.Healthy(found), "findings": found})
	} else {
		err = doctor.Write(a.stdout, found, style)
	}
	if err == nil && !doctor.Healthy(found) {
		return setup.Spoken(errFaults, lang)
	}
	return err
}
