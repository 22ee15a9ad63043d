package service

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
)

// Every secret of the configuration is set to a word that must not be shown.
func TestSettingsShowNoSecret(t *testing.T) {
	cfg := Config{
		DatabaseURL: "sqlserver://sa:hunter2@h:1433?database=d&Password=hunter2&fedauthtoken=hunter2", NATSURL: "nats://user:hunter2@h:4222", SecretKey: []byte("hunter2"),
	}
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			switch field := v.Field(i); {
			case field.Type() == reflect.TypeFor[leads.Secret]():
				field.SetString("hunter2")
			case field.Kind() == reflect.Struct && v.Type().Field(i).IsExported():
				fill(field)
			}
		}
	}
	fill(reflect.ValueOf(&cfg).Elem())
	names := map[string]bool{}
	for _, setting := range settingsInForce(cfg) {
		if names[setting.Name] = true; strings.Contains(setting.Value, "hunter2") {
			t.Errorf("%s shows a secret", setting.Name)
		}
	}
	// Every variable that is read is shown, but for those that name files or subscribers.
	read := map[string]bool{}
	_, _ = ReadConfig(func(name string) (string, bool) { read[name] = true; return "", false })
	left := regexp.MustCompile(`_(CREDS|NKEY|CA|CERT|KEY|SUBSCRIBERS)$`)
	for name := range read {
		if !names[name] && !left.MatchString(name) {
			t.Errorf("%s is not shown", name)
		}
	}
}

// `leadsync serve --help` says of every setting that is read what it means, and of no other.
func TestEverySettingIsExplained(t *testing.T) {
	var explained []string
	for _, group := range SettingGroups {
		for _, setting := range group.Settings {
			if explained = append(explained, setting.Names...); setting.Means == "" {
				t.Errorf("%v: what does it mean?", setting.Names)
			}
		}
	}
	read := settingNames()
	slices.Sort(explained)
	slices.Sort(read)
	if diff := cmp.Diff(read, explained); diff != "" {
		t.Errorf("settings (-read +explained):\n%s", diff)
	}
}

// settingNames are the names of the variables that a configuration is read from.
func settingNames() (names []string) {
	_, _ = ReadConfig(func(name string) (string, bool) { // what is wrong without values does not matter
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		return "", false
	})
	return names
}
