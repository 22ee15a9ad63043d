package setup

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"leadsync/settings"
)

// The settings that are asked for.
const (
	dataDir      = "LEADSYNC_DATA_DIR"
	secretKey    = "LEADSYNC_SECRET_KEY"
	databaseURL  = "LEADSYNC_DATABASE_URL"
	publicURL    = "LEADSYNC_PUBLIC_URL"
	portals      = "LEADSYNC_B24_PORTALS"
	clientID     = "LEADSYNC_B24_CLIENT_ID"
	clientSecret = "LEADSYNC_B24_CLIENT_SECRET" //nolint:gosec // the name of a setting
	webhookURL   = "LEADSYNC_B24_WEBHOOK_URL"
	webhookToken = "LEADSYNC_B24_APPLICATION_TOKEN" //nolint:gosec // the name of a setting
	memberID     = "LEADSYNC_B24_MEMBER_ID"
)

// answers are values by the names of their settings. A secret has one of two forms: its value, or under its name with
// settings.FileSuffix the name of a file that has the value.
type answers map[string]string

// put sets an answer in place of the other form of a secret.
func (a answers) put(name, value string) {
	base := strings.TrimSuffix(name, settings.FileSuffix)
	if setting, _ := settings.Find(base); setting.Secret {
		delete(a, base)
		delete(a, base+settings.FileSuffix)
	}
	a[name] = value
}

// with is a copy with another answer. An empty one leaves the file of a secret in force.
func (a answers) with(name, value string) answers {
	b := maps.Clone(a)
	if value != "" {
		b.put(name, value)
	} else {
		b[name] = ""
	}
	return b
}

// without is a copy in which a setting is empty in both forms.
func (a answers) without(name string) answers {
	b := maps.Clone(a)
	b.put(name, "")
	return b
}

// has tells whether a setting is set, in either form.
func (a answers) has(name string) bool {
	return a[name]+a[name+settings.FileSuffix] != ""
}

// same tells whether a setting has the same value in others, in the same form.
func (a answers) same(name string, others answers) bool {
	return a[name] == others[name] && a[name+settings.FileSuffix] == others[name+settings.FileSuffix]
}

// unwritable is the fault of values that a line of the file cannot have.
func (a answers) unwritable() error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if hasControl(a[name]) {
			faults = append(faults, settings.ValueError{Name: name, Wrong: "it has a line break or another control character", Want: "the value without it"})
		}
	}
	return errors.Join(faults...)
}

// values are the answers as the service reads them, with secrets from their files.
func (a answers) values() (*settings.Values, error) {
	var lines []string
	for name, value := range a {
		lines = append(lines, name+"="+value)
	}
	return settings.Read(settings.Sources{Environment: lines})
}
