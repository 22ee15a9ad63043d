package settings_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadsync/settings"
)

var update = flag.Bool("update", false, "write the table of settings into the documentation")

// The documentation has the table of the list. It may stand in any page.
func TestDocumentationHasTheTable(t *testing.T) {
	found := false
	for _, folder := range []string{"..", "../docs"} {
		pages, err := filepath.Glob(filepath.Join(folder, "*.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, page := range pages {
			back := "../"
			if folder == ".." {
				back = ""
			}
			found = checkTable(t, page, settings.Table(back)) || found
		}
	}
	if !found {
		t.Errorf("no page has the lines %q and %q", settings.TableBegin, settings.TableEnd)
	}
}

// checkTable compares the table of a page, or writes it; false where the page has none.
func checkTable(t *testing.T, page, want string) bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(text), settings.TableBegin+"\n")
	got, after, ends := strings.Cut(rest, settings.TableEnd)
	if !begins || !ends {
		return false
	}
	want = "\n" + want + "\n"
	if *update {
		if err := os.WriteFile(page, []byte(before+settings.TableBegin+"\n"+want+settings.TableEnd+after), 0o600); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("%s is not up to date: go test ./settings -update\n(-page +list):\n%s", page, diff)
	}
	return true
}

// What people copy names only settings that there are.
func TestExamplesNameOnlySettings(t *testing.T) {
	compose, err := os.ReadFile("../deployments/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	ofCompose := []string{"LEADSYNC_PORT", "LEADSYNC_ADMIN_PORT"} // the ports of the host, which no container sees
	for _, name := range ofCompose {
		if !strings.Contains(string(compose), `"${`+name) && !strings.Contains(string(compose), ":${"+name) {
			t.Errorf("compose.yaml has no port %s", name)
		}
	}
	image, err := os.ReadFile("../deployments/Dockerfile")
	if err != nil || !regexp.MustCompile(`(?m)^ENV .*LEADSYNC_HTTP_ADDR=:8080( |$)`).Match(image) {
		t.Errorf("the container image listens inside the container only: %v", err)
	}
	variable := regexp.MustCompile(`LEADSYNC_[A-Z0-9_]+`)
	for _, file := range []string{"../deployments/.env.example", "../deployments/compose.yaml", "../deployments/Dockerfile", "../deployments/leadsync.service"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range variable.FindAllString(string(text), -1) {
			// "NATS_LEADSYNC_PASSWORD" is a variable of the NATS server.
			if slices.Contains(ofCompose, name) || strings.Contains(string(text), "NATS_"+name) {
				continue
			}
			if err := settings.CheckName(name, "1"); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	for name, want := range map[string]string{
		"LEADSYNC_DATABSE_URL":            "LEADSYNC_DATABSE_URL: unknown setting, want LEADSYNC_DATABASE_URL",
		"LEADSYNC_DATABASE":               "want LEADSYNC_DATABASE_URL",
		"LEADSYNC_OPERATORS_TOKEN":        "want LEADSYNC_OPERATOR_TOKEN",
		"LEADSYNC_API_TOKENS_FILE":        "want LEADSYNC_API_TOKEN_FILE",
		"LEADSYNC_HTTP_ADDR_FILE":         "want LEADSYNC_HTTP_ADDR: only secrets",
		"LEADSYNC_WHATEVER_IT_MAY_BE":     "want one of those that `leadsync serve --help` lists",
		"LEADSYNC_HTTP_PORT":              "unknown setting",
		"LEADSYNC_TESTS":                  "unknown setting",
		"LEADSYNC_DATABASE_URL":           "",
		"LEADSYNC_DATABASE_URL_FILE":      "",
		"LEADSYNC_TEST_SQLSERVER_URL":     "",
		"LEADSYNC_PORT":                   "",
		"LEADSYNC_ADMIN_PORT":             "",
		"LEADSYNC_SERVICE_HOST":           "",
		"LEADSYNC_SERVICE_PORT":           "",
		"LEADSYNC_SERVICE_PORT_HTTP":      "",
		"LEADSYNC_ADMIN_SERVICE_HOST":     "",
		"LEADSYNC_PORT_8080_TCP":          "",
		"LEADSYNC_PORT_8080_TCP_PROTO":    "",
		"LEADSYNC_ADMIN_PORT_53_UDP_ADDR": "",
		"LEADSYNC_BIN":                    "",
		"PATH":                            "",
		"NATS_LEADSYNC_PASSWORD":          "",
	} {
		err := settings.CheckName(name, "8080")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if err := settings.CheckName("LEADSYNC_NATS_PORT", "tcp://10.0.0.7:4222"); err != nil {
		t.Errorf("what Kubernetes sets for a Service called leadsync-nats: %v", err)
	}
}
