// Package deployments_test checks the files of the container set-up, which no engine runs here.
package deployments_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"leadsync/service"
	"leadsync/settings"
)

// filledIn stands for what people fill into .env.
const filledIn = "A0123456789abcdef0123456789abcdef"

// composed is as much of what `docker compose config` prints as the tests read.
type composed struct {
	Services map[string]struct {
		Image       string
		Build       struct{ Dockerfile string }
		Environment map[string]string
		Profiles    []string
		DependsOn   map[string]struct{ Condition string } `json:"depends_on"`
		Ports       []struct {
			HostIP string `json:"host_ip"`
			Target int
		}
		Volumes []struct{ Type, Source, Target string }
		Secrets []struct{ Source string }
		Command []string
	}
	Secrets map[string]struct{ Environment string }
}

// environmentFile is .env.example as people fill it in.
func environmentFile(t *testing.T) map[string]string {
	t.Helper()
	data, err := os.ReadFile(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), "="); found && !strings.HasPrefix(name, "#") {
			vars[name] = value
		}
	}
	return vars
}

// compose reads compose.yaml as docker compose does, by the library that docker compose itself uses.
func compose(t *testing.T, vars map[string]string) (composed, error) {
	t.Helper()
	if os.Getenv("LEADSYNC_TEST_COMPOSE") == "" {
		t.Skip("make compose-check runs this: it fetches the library of docker compose")
	}
	run := exec.CommandContext(t.Context(), "go", "run", "-C", "composeconfig", ".", "../compose.yaml")
	run.Env = os.Environ()
	for name, value := range vars {
		run.Env = append(run.Env, name+"="+value)
	}
	var stderr strings.Builder
	run.Stderr = &stderr
	output, err := run.Output()
	if err != nil {
		return composed{}, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var model composed
	if err := json.Unmarshal(output, &model); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	return model, nil
}

// filled is what compose reads from a filled-in .env.example.
func filled(t *testing.T) composed {
	t.Helper()
	vars := environmentFile(t)
	for name, value := range vars {
		if value == "" {
			vars[name] = filledIn
		}
	}
	vars["LEADSYNC_SECRET_KEY"] = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	model, err := compose(t, vars)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// Every image is the same tomorrow, and every file that is mounted is there.
func TestComposeIsPinnedAndWhole(t *testing.T) {
	t.Parallel()
	model, pinned := filled(t), regexp.MustCompile(`^[a-z0-9./-]+:v?\d[\w.-]*@sha256:[0-9a-f]{64}$`)
	for name, s := range model.Services {
		if s.Build.Dockerfile == "" && !pinned.MatchString(s.Image) {
			t.Errorf("%s: the image %q has no version and digest", name, s.Image)
		}
		for _, volume := range s.Volumes {
			if volume.Type != "bind" {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, port := range s.Ports {
			if port.HostIP != "127.0.0.1" && (name != "leadsync" || port.Target != 8080) {
				t.Errorf("%s: port %d is open to others", name, port.Target)
			}
		}
		for _, secret := range s.Secrets {
			if model.Secrets[secret.Source].Environment == "" {
				t.Errorf("%s: the secret %s is from nowhere", name, secret.Source)
			}
		}
		if name == "prometheus" || name == "grafana" {
			if !slices.Contains(s.Profiles, "monitoring") {
				t.Errorf("%s starts for everybody", name)
			}
		}
	}
	if len(model.Services) < 6 {
		t.Errorf("only %d services", len(model.Services))
	}
	if !strings.HasPrefix(model.Services["nats"].Image, "nats:2.15.") {
		t.Errorf("NATS is %s; its accounts were tested with 2.15", model.Services["nats"].Image)
	}
}

// The service logs in as somebody of its own, after the steps that make its tables and give it its rights.
func TestComposeServiceIsNotAdministrator(t *testing.T) {
	t.Parallel()
	model := filled(t)
	serve := model.Services["leadsync"]
	address, err := url.Parse(serve.Environment["LEADSYNC_DATABASE_URL"])
	if err != nil || address.User.Username() != "leadsync" {
		t.Errorf("the service's log-in: %v %v", address, err)
	}
	for name, s := range model.Services {
		_, knows := s.Environment["MSSQL_SA_PASSWORD"]
		knows = knows || strings.Contains(s.Environment["LEADSYNC_DATABASE_URL"], "//sa:")
		if want := slices.Contains([]string{"sqlserver", "database", "tables", "rights"}, name); knows != want {
			t.Errorf("%s knows the password of sa: %v", name, knows)
		}
	}
	for service, needs := range map[string]string{"leadsync": "rights", "rights": "tables", "tables": "database"} {
		if got := model.Services[service].DependsOn[needs].Condition; got != "service_completed_successfully" {
			t.Errorf("%s waits for %s: %q", service, needs, got)
		}
	}
	script, err := os.ReadFile("sqlserver/login.sql")
	if err != nil {
		t.Fatal(err)
	}
	if rights := strings.Join(model.Services["rights"].Command, " "); !strings.Contains(rights, "/sql/grants.sql && ") || !strings.Contains(rights, "/sql/login.sql") ||
		!strings.Contains(rights, "LOGIN_PASSWORD=") || !strings.Contains(string(script), "$(LOGIN_PASSWORD)") {
		t.Errorf("the rights: %s", rights)
	}
}

// leadsync itself accepts the settings that the containers get.
func TestComposeSettingsAreRead(t *testing.T) {
	t.Parallel()
	model := filled(t)
	for _, name := range []string{"leadsync", "tables"} {
		vars := model.Services[name].Environment
		for variable, value := range vars {
			if err := settings.CheckName(variable, value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// What a person fills in has a form of its own, or stays empty.
		for variable, value := range vars {
			if value == filledIn && !strings.HasSuffix(variable, "_TOKEN") && variable != "LEADSYNC_NATS_PASSWORD" {
				vars[variable] = ""
			}
		}
		for i, token := range []string{"LEADSYNC_API_TOKEN", "LEADSYNC_OPERATOR_TOKEN", "LEADSYNC_CARD_TOKEN"} {
			vars[token] = filledIn + string(rune('a'+i))
		}
		delete(vars, "LEADSYNC_B24_APPLICATION_TOKEN")
		if _, err := service.ReadConfig(func(variable string) (string, bool) { value, ok := vars[variable]; return value, ok }); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Who forgets a value reads its name; and .env.example has every value that compose.yaml wants.
func TestComposeNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := compose(t, nil)
	if err == nil {
		t.Fatal("without a value it goes on")
	}
	text, readErr := os.ReadFile("compose.yaml")
	if readErr != nil {
		t.Fatal(readErr)
	}
	example, wanted := environmentFile(t), map[string]string{}
	for _, m := range regexp.MustCompile(`\$\{([A-Z0-9_]+):(\?|-)`).FindAllStringSubmatch(string(text), -1) {
		wanted[m[1]] = m[2]
	}
	for name, how := range wanted {
		if _, there := example[name]; !there {
			t.Errorf(".env.example lacks %s", name)
		}
		if how == "?" && !strings.Contains(err.Error(), name+" is missing a value: set it in .env") {
			t.Errorf("nobody says that %s is missing: %v", name, err)
		}
		delete(example, name)
	}
	delete(example, "GRAFANA_PASSWORD") // a secret of compose takes it
	for name := range example {
		t.Errorf("compose.yaml does not read %s of .env.example", name)
	}
}

// Prometheus finds leadsync, its token and the rules; Grafana finds Prometheus and the dashboard.
func TestComposeMonitoringFindsItsFiles(t *testing.T) {
	t.Parallel()
	model := filled(t)
	text := func(path string) string {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	mounted := func(service, source string) string {
		for _, volume := range model.Services[service].Volumes {
			if strings.HasSuffix(volume.Source, "/deployments/monitoring/"+source) {
				return volume.Target
			}
		}
		t.Errorf("%s has no %s", service, source)
		return ""
	}
	prometheus, folder := text("monitoring/prometheus.yml"), path.Dir(mounted("prometheus", "prometheus.yml"))
	for _, want := range []string{
		"job_name: leadsync ", `targets: ["leadsync:8081"]`, "credentials_file: /run/secrets/" + model.Services["prometheus"].Secrets[0].Source + "\n",
		"rule_files: [" + strings.TrimPrefix(mounted("prometheus", "rules.yml"), folder+"/") + "]",
	} {
		if !strings.Contains(prometheus, want) {
			t.Errorf("prometheus.yml lacks %q", want)
		}
	}
	if command := model.Services["prometheus"].Command[0]; command != "--config.file="+folder+"/prometheus.yml" {
		t.Errorf("Prometheus reads %s", command)
	}
	if want := "path: " + path.Dir(mounted("grafana", "dashboard.json")) + "\n"; !strings.Contains(text("monitoring/grafana/dashboards.yml"), want) {
		t.Errorf("dashboards.yml lacks %q", want)
	}
	if path.Dir(mounted("grafana", "grafana/dashboards.yml")) != "/etc/grafana/provisioning/dashboards" || path.Dir(mounted("grafana", "grafana/datasources.yml")) != "/etc/grafana/provisioning/datasources" {
		t.Error("Grafana does not read what is provisioned")
	}
	if _, there := model.Services["prometheus"]; !there || !strings.Contains(text("monitoring/grafana/datasources.yml"), "url: http://prometheus:9090\n") {
		t.Error("Grafana does not find Prometheus")
	}
	if file := model.Services["grafana"].Environment["GF_SECURITY_ADMIN_PASSWORD__FILE"]; file != "/run/secrets/"+model.Services["grafana"].Secrets[0].Source {
		t.Errorf("Grafana's password is in %s", file)
	}
}
