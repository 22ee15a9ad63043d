package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"leadsync/alert"
	"leadsync/doctor"
	"leadsync/leads"
	"leadsync/service"
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
	found := []doctor.Finding(nil)
	if d.TestAlert {
		found = testAlerts(ctx, cfg)
	} else {
		found = service.Examine(ctx, cfg, service.NewLog(a.stderr, cfg))
	}
	if d.JSON {
		err = json.NewEncoder(a.stdout).Encode(map[string]any{"healthy": doctor.Healthy(found), "findings": found})
	} else {
		for _, f := range found {
			printFinding(a, f)
		}
	}
	if err == nil && !doctor.Healthy(found) {
		return errFaults
	}
	return err
}

func printFinding(a *app, f doctor.Finding) {
	fmt.Fprintf(a.stdout, "%-7s  %-14s  %s\n", f.Level, f.Check, f.Found)
	if f.Means != "" {
		fmt.Fprintf(a.stdout, "%25s  so: %s\n", "", f.Means)
	}
	if f.Do != "" {
		fmt.Fprintf(a.stdout, "%25s  -> %s\n", "", f.Do)
	}
}

func testAlerts(ctx context.Context, cfg service.Config) (found []doctor.Finding) {
	for _, c := range cfg.Alerts.Channels() {
		f := doctor.Finding{Check: c.Name(), Level: doctor.OK, Found: "the receiver has accepted a test message: look whether it arrives"}
		if err := alert.SendTest(ctx, c, service.Instance(), leads.Version(), time.Now()); err != nil {
			f = doctor.Finding{Check: c.Name(), Level: doctor.Fault, Found: err.Error(), Means: "nobody hears of problems this way", Do: "correct the setting, or ask whoever runs the receiver"}
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		return []doctor.Finding{{Check: "alarms", Level: doctor.Fault, Found: "nobody would be told", Do: "set LEADSYNC_ALERT_URL, or LEADSYNC_ALERT_SMTP_URL with sender and receivers"}}
	}
	return found
}
