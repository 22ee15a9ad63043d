// Package helm_test checks what the chart copies from elsewhere: the alerts and the names of settings. The chart itself is
// tested in charttest, a module of its own, because that needs Helm.
package helm_test

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/settings"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Helm takes no file from outside of a chart.
func TestChartHasTheAlerts(t *testing.T) {
	if diff := cmp.Diff(string(read(t, "../monitoring/rules.yml")), string(read(t, "leadsync/files/rules.yml"))); diff != "" {
		t.Errorf("the chart's alerts are not those of deployments/monitoring, make chart copies them (-monitoring +chart):\n%s", diff)
	}
}

// ofChart are settings that the chart sets itself, or that only work on an address of this machine.
var ofChart = []string{
	"LEADSYNC_DATA_DIR", "LEADSYNC_HTTP_ADDR", "LEADSYNC_ADMIN_ADDR", "LEADSYNC_NATS_LISTEN",
	"LEADSYNC_ADMIN_LOCAL_TOKEN", "LEADSYNC_ADMIN_TRUST_HEADER", "LEADSYNC_ADMIN_OPERATORS",
}

// The schema knows each setting: those that are no secrets as values, secrets and files as keys of the Secret.
func TestSchemaHasTheSettings(t *testing.T) {
	var schema struct {
		Properties struct {
			Settings struct {
				Properties map[string]any
				Additional bool `json:"additionalProperties"`
			}
			Secrets struct {
				Properties struct {
					Keys struct {
						Items struct{ Enum []string }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(read(t, "leadsync/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	var plain, secret []string
	for _, name := range settings.Names() {
		s, _ := settings.Find(name)
		if slices.Contains(ofChart, name) {
			continue
		}
		if s.Secret || s.Kind == settings.File {
			secret = append(secret, name)
		}
		if !s.Secret && s.Kind != settings.File || name == "LEADSYNC_NATS_URL" { // may have no password in it
			plain = append(plain, name)
		}
	}
	var inSchema []string
	for name := range schema.Properties.Settings.Properties {
		inSchema = append(inSchema, name)
	}
	slices.Sort(inSchema)
	slices.Sort(plain)
	if diff := cmp.Diff(plain, inSchema); diff != "" || schema.Properties.Settings.Additional {
		t.Errorf("settings (-list +schema):\n%s", diff)
	}
	slices.Sort(secret)
	keys := slices.Sorted(slices.Values(schema.Properties.Secrets.Properties.Keys.Items.Enum))
	if diff := cmp.Diff(secret, keys); diff != "" {
		t.Errorf("secrets.keys (-list +schema):\n%s", diff)
	}
}
