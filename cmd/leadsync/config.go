package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"leadsync/guide"
	"leadsync/service"
	"leadsync/settings"
)

// noFile as --config means: read none.
const noFile = "none"

// read reads the settings, of the environment and a file; its faults are usage errors.
func (a *app) read() (service.Config, *settings.Values, error) {
	file := settings.Sources{Environment: a.environment, File: a.named}
	switch a.named {
	case "":
		file.File, file.Optional = a.settings, true
	case noFile:
		file.File = ""
	}
	values, faults := settings.Read(file)
	cfg, err := service.ReadConfig(values.Lookup)
	if err := errors.Join(faults, settings.Located(err, values.From)); err != nil {
		read := ""
		if values.File() != "" {
			read = " (environment and " + values.File() + ")"
		}
		return cfg, values, usageError{guide.At(guide.Settings, fmt.Errorf("the configuration is wrong%s:\n%w", read, err))}
	}
	cfg.ExposedFile, cfg.From = values.Exposed(), values.From
	if zone := cfg.Location(); a.zone != nil && zone != time.Local && values.From("TZ") != settings.FromEnvironment {
		a.zone(zone)
	}
	return cfg, values, nil
}

// config reads the settings for a command that uses the data directory.
func (a *app) config() (service.Config, error) {
	cfg, _, err := a.read()
	if err != nil {
		return cfg, err
	}
	if err := service.CheckOwner(cfg); err != nil {
		return cfg, usageError{err}
	}
	return cfg, nil
}

// configCmd deals with the settings.
type configCmd struct {
	Show configShowCmd `cmd:"" default:"withargs" help:"Show the settings in force and where each comes from; secrets are left out." example:"leadsync config show --json" more:"docs/settings.md"`
}

type configShowCmd struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// settingView is a setting as it is printed.
type settingView struct {
	Name  string `json:"name"`
	Value string `json:"value"` // "[redacted]" where it is secret
	From  string `json:"from"`  // "default", "environment", FILE:LINE, or the file of a secret
}

// Run shows what a service with these settings would do. It opens nothing.
func (c configShowCmd) Run(a *app) error {
	cfg, values, err := a.read()
	if err != nil {
		return err
	}
	var views []settingView
	for _, s := range cfg.InForce() {
		views = append(views, settingView{s.Name, s.Value, s.From})
	}
	if c.JSON {
		return json.NewEncoder(a.stdout).Encode(map[string]any{"file": values.File(), "settings": views})
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, v := range views {
		if v.Value == "" {
			v.Value = "–"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", v.Name, strings.ReplaceAll(v.Value, "\n", " "), v.From)
	}
	if err := w.Flush(); err != nil || values.File() != "" {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, "\n"+a.withoutFile())
	return err
}

// withoutFile says why no settings file was read, and how there may be one.
func (a *app) withoutFile() string {
	if a.named == noFile || a.settings == "" {
		return "No settings file is read."
	}
	return "No settings file is read: there is no " + a.settings + ". `leadsync init` writes one, --config names another."
}
