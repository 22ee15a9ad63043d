package service

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/leads"
	"leadsync/settings"
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
	for _, setting := range cfg.InForce() {
		if strings.Contains(setting.Value, "hunter2") {
			t.Errorf("%s shows a secret", setting.Name)
		}
	}
}

// The list has every setting that is read, and no other; each is explained and can be shown.
func TestEverySettingIsInTheList(t *testing.T) {
	var read []string
	_, _ = ReadConfig(func(name string) (string, bool) { // what is wrong without values does not matter
		if !slices.Contains(read, name) {
			read = append(read, name)
		}
		return "", false
	})
	listed, show := settings.Names(), slices.Sorted(maps.Keys(shown))
	slices.Sort(listed)
	slices.Sort(read)
	if diff := cmp.Diff(read, listed); diff != "" {
		t.Errorf("settings (-read +listed):\n%s", diff)
	}
	if diff := cmp.Diff(show, listed); diff != "" {
		t.Errorf("settings (-shown +listed):\n%s", diff)
	}
	for _, name := range listed {
		if s, _ := settings.Find(name); s.Means == "" || s.Kind == "" {
			t.Errorf("%s: what does it mean, what does it look like?", name)
		}
	}
}

// What is in the list as the default is in force where nothing is set.
func TestDefaultsAreInForce(t *testing.T) {
	cfg, err := ReadConfig(func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range cfg.InForce() {
		if want := settings.Default(s.Name); want != "" && !strings.EqualFold(strings.TrimSuffix(s.Value, "0s"), want) {
			t.Errorf("%s is %q, want %q", s.Name, s.Value, want)
		}
	}
}
