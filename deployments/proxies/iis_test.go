package proxies_test

import (
	"encoding/xml"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// webConfig is as much of IIS's configuration as decides where a request goes.
type webConfig struct {
	Rules []iisRule `xml:"system.webServer>rewrite>rules>rule"`
	Limit struct {
		Length int `xml:"maxAllowedContentLength,attr"`
	} `xml:"system.webServer>security>requestFiltering>requestLimits"`
	Errors struct {
		Existing string `xml:"existingResponse,attr"`
	} `xml:"system.webServer>httpErrors"`
}

type iisRule struct {
	Name    string `xml:"name,attr"`
	Enabled string `xml:"enabled,attr"`
	Stop    string `xml:"stopProcessing,attr"`
	Match   struct {
		URL        string `xml:"url,attr"`
		IgnoreCase string `xml:"ignoreCase,attr"` // true where it is not there
	} `xml:"match"`
	Set []struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	} `xml:"serverVariables>set"`
	Action struct {
		Type   string `xml:"type,attr"`
		URL    string `xml:"url,attr"`
		Query  string `xml:"appendQueryString,attr"`
		Status int    `xml:"statusCode,attr"`
	} `xml:"action"`
}

func webConfigOf(t *testing.T, path string) webConfig {
	t.Helper()
	var cfg webConfig
	if err := xml.Unmarshal([]byte(read(t, path)), &cfg); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return cfg
}

// goesTo is the address to which URL Rewrite sends a path, or the status that it answers. It sees
// the path without the slash at its beginning and without the query.
func (cfg webConfig) goesTo(t *testing.T, path string, all bool) string {
	t.Helper()
	for _, rule := range cfg.Rules {
		pattern := rule.Match.URL
		if rule.Match.IgnoreCase != "false" {
			pattern = "(?i)" + pattern
		}
		found := regexp.MustCompile(pattern).FindStringSubmatch(strings.TrimPrefix(path, "/"))
		if found == nil || rule.Enabled == "false" && !all {
			continue
		}
		if rule.Stop != "true" {
			t.Errorf("rule %q goes on", rule.Name)
		}
		if rule.Action.Type == "CustomResponse" {
			return strconv.Itoa(rule.Action.Status)
		}
		if len(rule.Set) != 1 || rule.Set[0].Name != "HTTP_X_FORWARDED_PROTO" || rule.Set[0].Value != "https" || rule.Action.Query != "true" {
			t.Errorf("rule %q does not pass on that the browser came by https, or the query", rule.Name)
		}
		return strings.ReplaceAll(rule.Action.URL, "{R:1}", found[1])
	}
	return "a file"
}

// IIS is not here: the patterns are tried as what they are, regular expressions.
func TestIISPassesOnThePublicPaths(t *testing.T) {
	t.Parallel()
	cfg := webConfigOf(t, "iis/public/web.config")
	const leadsync = "http://127.0.0.1:8080/"
	for path, want := range map[string]struct{ usual, api string }{
		"/bitrix24/events":          {leadsync + "bitrix24/events", leadsync + "bitrix24/events"},
		"/bitrix24/events/":         {leadsync + "bitrix24/events/", leadsync + "bitrix24/events/"},
		"/Bitrix24/Events":          {leadsync + "Bitrix24/Events", leadsync + "Bitrix24/Events"},
		"//bitrix24/events":         {leadsync + "bitrix24/events", leadsync + "bitrix24/events"},
		"/bitrix24/oauth/callback":  {leadsync + "bitrix24/oauth/callback", leadsync + "bitrix24/oauth/callback"},
		"/healthz":                  {leadsync + "healthz", leadsync + "healthz"},
		"/card":                     {"404", leadsync + "card"},
		"/api/v1/status":            {"404", leadsync + "api/v1/status"},
		"/":                         {"404", "404"},
		"/healthz/":                 {"404", "404"},
		"/metrics":                  {"404", "404"},
		"/readyz":                   {"404", "404"},
		"/cards":                    {"404", "404"},
		"/x/bitrix24/events":        {"404", "404"},
		"/bitrix24x":                {"404", "404"},
		"/api/v2/x":                 {"404", "404"},
		"/web.config/bitrix24/down": {"404", "404"},
	} {
		if got := cfg.goesTo(t, path, false); got != want.usual {
			t.Errorf("%s goes to %s", path, got)
		}
		if got := cfg.goesTo(t, path, true); got != want.api {
			t.Errorf("with the look-ups, %s goes to %s", path, got)
		}
	}
	if cfg.Limit.Length != 128<<10 || cfg.Errors.Existing != "PassThrough" {
		t.Errorf("bodies up to %d bytes, answers %q", cfg.Limit.Length, cfg.Errors.Existing)
	}
}

func TestIISPassesOnTheOperatorsPage(t *testing.T) {
	t.Parallel()
	cfg := webConfigOf(t, "iis/operators/web.config")
	for _, path := range []string{"/", "/login", "/api/v1/status", "/live/overview"} {
		if got := cfg.goesTo(t, path, false); got != "http://127.0.0.1:8081"+path {
			t.Errorf("%s goes to %s", path, got)
		}
	}
	if cfg.Errors.Existing != "PassThrough" {
		t.Errorf("answers %q", cfg.Errors.Existing)
	}
}

// The page says of the whole server what the sites need.
func TestPageHasTheSettingsOfTheServer(t *testing.T) {
	t.Parallel()
	page := read(t, "../../docs/proxies.md")
	for _, want := range []string{
		"/enabled:True", "/preserveHostHeader:True", "/reverseRewriteHostInResponseHeaders:False", "HTTP_X_FORWARDED_PROTO",
		"LEADSYNC_ADMIN_LOCAL_TOKEN=required", "LEADSYNC_PUBLIC_API=on", "#api ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/proxies.md lacks %s", want)
		}
	}
	for _, path := range []string{"nginx.conf", "Caddyfile", "iis/public/web.config", "iis/operators/web.config"} {
		if !strings.Contains(page, "deployments/proxies/"+path) {
			t.Errorf("docs/proxies.md does not name %s", path)
		}
	}
}
