package service_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"leadsync/leads"
	"leadsync/service"
)

func TestListsOfHostsAndTokensAreRead(t *testing.T) {
	read := func(vars map[string]string) (service.Config, error) {
		return service.ReadConfig(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
	}
	vars := map[string]string{
		"LEADSYNC_B24_WEBHOOK_URL": "https://p.bitrix24.com/rest/1/abc/", "LEADSYNC_B24_APPLICATION_TOKEN": "t1, t2,t3",
		"LEADSYNC_B24_AUTH_HOSTS": "OAuth.bitrix24.info, other.example.com",
	}
	cfg, err := read(vars)
	if err != nil || !slices.Equal(cfg.Trust.AuthHosts, []string{"oauth.bitrix24.info", "other.example.com"}) ||
		len(strings.Fields(leads.HashTokens(cfg.WebhookToken))) != 3 {
		t.Errorf("%v, %v", cfg.Trust.AuthHosts, err)
	}
	for _, hosts := range []string{"https://a.example.com", "a.example.com/rest", "localhost", "user@a.example.com", "a b.example.com"} {
		vars["LEADSYNC_B24_AUTH_HOSTS"] = hosts
		if _, err := read(vars); err == nil || !strings.Contains(err.Error(), "LEADSYNC_B24_AUTH_HOSTS") {
			t.Errorf("%s: %v", hosts, err)
		}
	}
	delete(vars, "LEADSYNC_B24_AUTH_HOSTS")
	for n, fault := range map[int]bool{20: false, 21: true} {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = strings.Repeat("t", i+1)
		}
		vars["LEADSYNC_B24_APPLICATION_TOKEN"] = strings.Join(tokens, ",")
		if _, err := read(vars); (err != nil) != fault {
			t.Errorf("%d tokens: %v", n, err)
		}
	}
}

func TestTimeToKeepHistoryIsRead(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 400 * 24 * time.Hour, "off": 0, "30d": 30 * 24 * time.Hour, "2000h": 2000 * time.Hour, "36500d": 36500 * 24 * time.Hour,
		"29d": -1, "d": -1, "400": -1, "-400d": -1, "99999999999d": -1, "36501d": -1, "1y": -1,
	} {
		cfg, err := service.ReadConfig(func(name string) (string, bool) { return value, name == "LEADSYNC_KEEP" })
		switch {
		case want < 0 && (err == nil || !strings.Contains(err.Error(), "LEADSYNC_KEEP: not a time to keep history, want days")):
			t.Errorf("%s: %v", value, err)
		case want >= 0 && (err != nil || cfg.Keep != want):
			t.Errorf("%s: %s, %v; want %s", value, cfg.Keep, err, want)
		}
	}
}

func TestHistoryOfChangesAndJournalAreRead(t *testing.T) {
	read := func(name, value string) (service.Config, error) {
		return service.ReadConfig(func(asked string) (string, bool) { return value, asked == name })
	}
	for value, want := range map[string]string{"": "2160h0m0s", "1d": "24h0m0s", "off": "0s", "23h": "", "x": ""} {
		cfg, err := read("LEADSYNC_KEEP_CHANGES", value)
		if (err != nil) != (want == "") || err == nil && cfg.KeepChanges.String() != want {
			t.Errorf("changes %q: %s, %v; want %s", value, cfg.KeepChanges, err, want)
		}
	}
	for value, want := range map[string]string{"": "168h0m0s", "1h": "1h0m0s", "off": "0s", "59m": ""} {
		cfg, err := read("LEADSYNC_JOURNAL_KEEP", value)
		if (err != nil) != (want == "") || err == nil && cfg.JournalKeep.String() != want {
			t.Errorf("journal %q: %s, %v; want %s", value, cfg.JournalKeep, err, want)
		}
	}
	for value, want := range map[string]bool{"": false, "off": false, "on": true} {
		if cfg, err := read("LEADSYNC_HISTORY_VALUES", value); err != nil || cfg.HistoryValues != want {
			t.Errorf("values %q: %v, %v", value, cfg.HistoryValues, err)
		}
	}
	if _, err := read("LEADSYNC_HISTORY_VALUES", "yes"); err == nil {
		t.Error("values yes: no error")
	}
}

// A portal is named by its host: an address would match none, without a word.
func TestPortalsAreNamedByTheirHosts(t *testing.T) {
	read := func(vars map[string]string) (service.Config, error) {
		return service.ReadConfig(func(name string) (string, bool) { value, ok := vars[name]; return value, ok })
	}
	vars := map[string]string{"LEADSYNC_B24_PORTALS": "company.bitrix24.ru, any, a223c6b3710f85df22e9377d6c4f7553"}
	if _, err := read(vars); err != nil {
		t.Error(err)
	}
	vars["LEADSYNC_B24_PORTALS"] = "company.bitrix24.ru,https://other.bitrix24.ru/crm/"
	if _, err := read(vars); err == nil || !strings.Contains(err.Error(), "LEADSYNC_B24_PORTALS: an entry is an address") {
		t.Errorf("an address: %v", err)
	}
}
