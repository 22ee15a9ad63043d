// Package charttest renders the chart as Helm does and compares the result with the schemas of Kubernetes.
package charttest

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const chartDir = "../leadsync"

// versions of Kubernetes: the oldest that the chart takes, and the newest whose schemas are at hand.
var versions = []string{"1.25", "1.30"}

var files = []string{"testdata/single.yaml", "testdata/three.yaml", "testdata/every.yaml"}

// merged are the values of a file with others over them.
func merged(t *testing.T, file, over string) map[string]any {
	t.Helper()
	values, more := map[string]any{}, map[string]any{}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalStrict(data, &values); err != nil {
			t.Fatal(err)
		}
	}
	if err := yaml.UnmarshalStrict([]byte(over), &more); err != nil {
		t.Fatal(err)
	}
	return chartutil.CoalesceTables(more, values)
}

// template is what helm template prints.
func template(values map[string]any, version string) (string, error) {
	chart, err := loader.Load(chartDir)
	if err != nil {
		return "", err
	}
	install := action.NewInstall(&action.Configuration{Log: func(string, ...any) {}})
	install.DryRun, install.ClientOnly, install.ReleaseName, install.Namespace = true, true, "crm", "leads"
	parsed, err := chartutil.ParseKubeVersion(version + ".0")
	if err != nil {
		return "", err
	}
	install.KubeVersion = parsed
	release, err := install.Run(chart, values)
	if err != nil {
		return "", err
	}
	return release.Manifest, nil
}

// objects are what is rendered, by kind and name.
type objects map[string]string

func render(t *testing.T, file, over, version string) objects {
	t.Helper()
	manifest, err := template(merged(t, file, over), version)
	if err != nil {
		t.Fatalf("%s %s: %v", file, over, err)
	}
	found := objects{}
	for text := range strings.SplitSeq(manifest, "\n---\n") {
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.Unmarshal([]byte(text), &head); err != nil {
			t.Fatalf("%v:\n%s", err, text)
		}
		if head.Kind == "" {
			continue
		}
		key := head.Kind + " " + head.Metadata.Name
		if _, twice := found[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		found[key] = text
	}
	return found
}

// as is an object as its type; fields that it does not have are an error.
func as[T any](t *testing.T, o objects, key string) (object T) {
	t.Helper()
	text, ok := o[key]
	if !ok {
		t.Fatalf("there is no %s, but %v", key, slices.Sorted(maps.Keys(o)))
	}
	if err := yaml.UnmarshalStrict([]byte(text), &object); err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	return object
}

func TestLint(t *testing.T) {
	for _, file := range files {
		for _, message := range lint.AllWithKubeVersion(chartDir, merged(t, file, ""), "leads", &chartutil.KubeVersion{Version: "v1.30.0", Major: "1", Minor: "30"}).Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %v", file, message)
			}
		}
	}
}

func TestObjectsOfEachSetUp(t *testing.T) {
	for file, want := range map[string][]string{
		"testdata/single.yaml": {"NetworkPolicy crm-leadsync", "Service crm-leadsync", "Service crm-leadsync-operators", "Service crm-leadsync-pods", "ServiceAccount crm-leadsync", "StatefulSet crm-leadsync"},
		"testdata/three.yaml": {
			"Ingress crm-leadsync", "NetworkPolicy crm-leadsync", "PodDisruptionBudget crm-leadsync", "PrometheusRule crm-leadsync", "Service crm-leadsync", "Service crm-leadsync-operators",
			"Service crm-leadsync-pods", "ServiceAccount crm-leadsync", "ServiceMonitor crm-leadsync", "StatefulSet crm-leadsync",
		},
		"testdata/every.yaml": {
			"Ingress crm-leads", "Ingress crm-leads-operators", "NetworkPolicy crm-leads", "PrometheusRule crm-leads", "Service crm-leads", "Service crm-leads-operators", "Service crm-leads-pods",
			"ServiceMonitor crm-leads", "StatefulSet crm-leads",
		},
	} {
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(render(t, file, "", "1.30")))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// container is the one container, with its variables.
func container(t *testing.T, set appsv1.StatefulSet) (corev1.Container, map[string]string) {
	t.Helper()
	if len(set.Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("%d containers", len(set.Spec.Template.Spec.Containers))
	}
	c, vars := set.Spec.Template.Spec.Containers[0], map[string]string{}
	for _, v := range c.Env {
		if _, twice := vars[v.Name]; twice {
			t.Errorf("%s is there twice", v.Name)
		}
		vars[v.Name] = v.Value
	}
	return c, vars
}

func TestSettings(t *testing.T) {
	for file, want := range map[string]map[string]string{
		"testdata/single.yaml": {
			"LEADSYNC_DATA_DIR": "/data/leadsync", "LEADSYNC_HTTP_ADDR": ":8080", "LEADSYNC_ADMIN_ADDR": ":8081", "LEADSYNC_LOG_FORMAT": "json", "TZ": "Europe/Moscow",
			"LEADSYNC_PUBLIC_URL": "https://leads.example.com",
		},
		"testdata/three.yaml": {
			"LEADSYNC_DATA_DIR": "/data/leadsync", "LEADSYNC_HTTP_ADDR": ":8080", "LEADSYNC_ADMIN_ADDR": ":8081", "LEADSYNC_LOG_FORMAT": "json", "TZ": "Europe/Moscow",
			"LEADSYNC_PUBLIC_URL": "https://leads.example.com", "LEADSYNC_NATS_URL": "tls://nats-0.nats:4222,tls://nats-1.nats:4222,tls://nats-2.nats:4222",
			"LEADSYNC_NATS_USER": "leadsync", "LEADSYNC_NATS_REPLICAS": "3",
			"LEADSYNC_DATABASE_URL_FILE": "/etc/leadsync/LEADSYNC_DATABASE_URL", "LEADSYNC_SECRET_KEY_FILE": "/etc/leadsync/LEADSYNC_SECRET_KEY",
			"LEADSYNC_API_TOKEN_FILE": "/etc/leadsync/LEADSYNC_API_TOKEN", "LEADSYNC_OPERATOR_TOKEN_FILE": "/etc/leadsync/LEADSYNC_OPERATOR_TOKEN",
			"LEADSYNC_CARD_TOKEN_FILE": "/etc/leadsync/LEADSYNC_CARD_TOKEN", "LEADSYNC_NATS_PASSWORD_FILE": "/etc/leadsync/LEADSYNC_NATS_PASSWORD",
			"LEADSYNC_B24_CLIENT_SECRET_FILE": "/etc/leadsync/LEADSYNC_B24_CLIENT_SECRET",
			"LEADSYNC_NATS_CA":                "/etc/leadsync/LEADSYNC_NATS_CA", // is the name of a file anyway
		},
	} {
		set := as[appsv1.StatefulSet](t, render(t, file, "", "1.30"), "StatefulSet crm-leadsync")
		_, vars := container(t, set)
		if diff := cmp.Diff(want, vars); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

// Each variable that names a file of the Secret names one that is mounted.
func TestSecretsAreMounted(t *testing.T) {
	for _, file := range files[1:] {
		o := render(t, file, "", "1.30")
		var set appsv1.StatefulSet
		for key := range o {
			if strings.HasPrefix(key, "StatefulSet ") {
				set = as[appsv1.StatefulSet](t, o, key)
			}
		}
		mounted := map[string]bool{}
		for _, volume := range set.Spec.Template.Spec.Volumes {
			if volume.Secret != nil {
				for _, item := range volume.Secret.Items {
					mounted["/etc/leadsync/"+item.Path] = item.Key == item.Path
				}
				if *volume.Secret.DefaultMode != 0o440 {
					t.Errorf("others may read secrets: %o", *volume.Secret.DefaultMode)
				}
			}
		}
		c, vars := container(t, set)
		named := 0
		for name, value := range vars {
			if strings.HasPrefix(value, "/etc/leadsync/") {
				if named++; !mounted[value] {
					t.Errorf("%s: %s names %s, which is not mounted", file, name, value)
				}
			}
		}
		if named == 0 || named != len(mounted) {
			t.Errorf("%s: %d files are named, %d mounted", file, named, len(mounted))
		}
		if !slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == "/etc/leadsync" && m.ReadOnly }) {
			t.Errorf("%s: the Secret is not mounted", file)
		}
	}
}

// What a pod may do, and how it stops.
func TestPod(t *testing.T) {
	set := as[appsv1.StatefulSet](t, render(t, "testdata/three.yaml", "", "1.30"), "StatefulSet crm-leadsync")
	pod := set.Spec.Template.Spec
	c, _ := container(t, set)
	s := c.SecurityContext
	if pod.EnableServiceLinks == nil || *pod.EnableServiceLinks || *pod.AutomountServiceAccountToken {
		t.Error("Kubernetes adds variables or a token")
	}
	if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser != 65532 || *pod.SecurityContext.FSGroup != 65532 || pod.SecurityContext.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("user: %+v", pod.SecurityContext)
	}
	if *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Errorf("container: %+v", s)
	}
	if *pod.TerminationGracePeriodSeconds != 50 || c.Lifecycle.PreStop.Sleep.Seconds != 5 {
		t.Errorf("a stop may take %d s, %+v", *pod.TerminationGracePeriodSeconds, c.Lifecycle)
	}
	if set.Spec.PodManagementPolicy != "Parallel" || *set.Spec.Replicas != 3 || len(pod.TopologySpreadConstraints) != 1 {
		t.Errorf("replicas: %+v", set.Spec)
	}
	claim := set.Spec.VolumeClaimTemplates[0].Spec
	if retention := set.Spec.PersistentVolumeClaimRetentionPolicy; retention.WhenDeleted != "Retain" || retention.WhenScaled != "Retain" || claim.Resources.Requests.Storage().String() != "10Gi" {
		t.Errorf("volumes: %+v", set.Spec)
	}
	old := as[appsv1.StatefulSet](t, render(t, "testdata/three.yaml", "", "1.29"), "StatefulSet crm-leadsync")
	if c, _ := container(t, old); c.Lifecycle != nil || *old.Spec.Template.Spec.TerminationGracePeriodSeconds != 45 {
		t.Error("Kubernetes 1.29 cannot sleep")
	}
}

// No probe asks for readiness: it would take callbacks away while the database is down.
func TestProbesAskWhetherTheProcessLives(t *testing.T) {
	for _, file := range files {
		for key, text := range render(t, file, "", "1.30") {
			if strings.HasPrefix(key, "StatefulSet ") {
				c, _ := container(t, as[appsv1.StatefulSet](t, objects{key: text}, key))
				for name, probe := range map[string]*corev1.Probe{"startup": c.StartupProbe, "liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
					if probe == nil || probe.HTTPGet.Path != "/healthz" || probe.HTTPGet.Port.StrVal != "callbacks" {
						t.Errorf("%s: the %s probe: %+v", file, name, probe)
					}
				}
			}
		}
	}
}

// Every Service selects the pods and leads to a port that the container has, and selectors do not mix releases.
func TestServicesLeadToPorts(t *testing.T) {
	for _, set := range []struct{ file, over, name string }{
		{"testdata/single.yaml", "embeddedNATS: {expose: true}", "crm-leadsync"}, {"testdata/three.yaml", "", "crm-leadsync"}, {"testdata/every.yaml", "", "crm-leads"},
	} {
		o := render(t, set.file, set.over, "1.30")
		stateful := as[appsv1.StatefulSet](t, o, "StatefulSet "+set.name)
		c, _ := container(t, stateful)
		if stateful.Spec.ServiceName != set.name+"-pods" {
			t.Errorf("%s: service of the pods: %s", set.file, stateful.Spec.ServiceName)
		}
		for key := range o {
			if !strings.HasPrefix(key, "Service ") {
				continue
			}
			service := as[corev1.Service](t, o, key)
			if diff := cmp.Diff(stateful.Spec.Selector.MatchLabels, service.Spec.Selector); diff != "" {
				t.Errorf("%s %s: %s", set.file, key, diff)
			}
			for label, value := range service.Spec.Selector {
				if stateful.Spec.Template.Labels[label] != value {
					t.Errorf("%s %s does not select the pods", set.file, key)
				}
			}
			for _, port := range service.Spec.Ports {
				if !slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.StrVal }) {
					t.Errorf("%s %s leads to %s", set.file, key, port.TargetPort.StrVal)
				}
			}
		}
	}
}

// The Ingress has exactly the public paths.
func TestPublicPaths(t *testing.T) {
	for over, want := range map[string][]string{
		"": {"/bitrix24/ Prefix callbacks", "/healthz Exact callbacks"},
		"{ingress: {publicAPI: true}, settings: {LEADSYNC_PUBLIC_API: 'on'}}": {"/bitrix24/ Prefix callbacks", "/healthz Exact callbacks", "/card Exact callbacks", "/api/v1/ Prefix callbacks"},
	} {
		ingress := as[networkingv1.Ingress](t, render(t, "testdata/three.yaml", over, "1.30"), "Ingress crm-leadsync")
		var got []string
		for _, path := range ingress.Spec.Rules[0].HTTP.Paths {
			got = append(got, path.Path+" "+string(*path.PathType)+" "+path.Backend.Service.Port.Name)
			if path.Backend.Service.Name != "crm-leadsync" {
				t.Errorf("%s goes to %s", path.Path, path.Backend.Service.Name)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(ingress.Spec.Rules) != 1 || ingress.Spec.Rules[0].Host != "leads.example.com" || ingress.Spec.TLS[0].Hosts[0] != "leads.example.com" {
			t.Errorf("%s (-want +got):\n%s", over, diff)
		}
	}
	operators := as[networkingv1.Ingress](t, render(t, "testdata/every.yaml", "", "1.30"), "Ingress crm-leads-operators")
	if rule := operators.Spec.Rules[0]; rule.Host != "operators.example.com" || rule.HTTP.Paths[0].Backend.Service.Name != "crm-leads-operators" {
		t.Errorf("operators: %+v", rule)
	}
}

func TestNetworkPolicy(t *testing.T) {
	policy := as[networkingv1.NetworkPolicy](t, render(t, "testdata/single.yaml", "embeddedNATS: {expose: true}", "1.30"), "NetworkPolicy crm-leadsync")
	open := map[string]int{}
	for _, rule := range policy.Spec.Ingress {
		for _, port := range rule.Ports {
			open[port.Port.StrVal] = len(rule.From) // none is everybody
		}
	}
	if diff := cmp.Diff(map[string]int{"callbacks": 0, "operators": 1, "nats": 1}, open); diff != "" || len(policy.Spec.PolicyTypes) != 1 {
		t.Errorf("%v (-want +got):\n%s", policy.Spec.PolicyTypes, diff)
	}
	every := as[networkingv1.NetworkPolicy](t, render(t, "testdata/every.yaml", "", "1.30"), "NetworkPolicy crm-leads")
	if len(every.Spec.Egress) != 1 || len(every.Spec.PolicyTypes) != 2 || every.Spec.Ingress[1].From[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "monitoring" {
		t.Errorf("%+v", every.Spec)
	}
	if _, there := render(t, "testdata/single.yaml", "networkPolicy: {enabled: false}", "1.30")["NetworkPolicy crm-leadsync"]; there {
		t.Error("it cannot be switched off")
	}
}

func TestDisruptionBudget(t *testing.T) {
	budget := as[policyv1.PodDisruptionBudget](t, render(t, "testdata/three.yaml", "", "1.30"), "PodDisruptionBudget crm-leadsync")
	if budget.Spec.MaxUnavailable.IntVal != 1 || budget.Spec.MinAvailable != nil {
		t.Errorf("%+v", budget.Spec)
	}
}

// The monitor finds the Service for operators, with the token for reading, under the name that the alerts want.
func TestMonitoring(t *testing.T) {
	o := render(t, "testdata/three.yaml", "", "1.30")
	monitor := as[monitoringv1.ServiceMonitor](t, o, "ServiceMonitor crm-leadsync")
	service, endpoint := as[corev1.Service](t, o, "Service crm-leadsync-operators"), monitor.Spec.Endpoints[0]
	for label, value := range monitor.Spec.Selector.MatchLabels {
		if service.Labels[label] != value {
			t.Errorf("the monitor wants %s=%s", label, value)
		}
	}
	for _, other := range []string{"Service crm-leadsync", "Service crm-leadsync-pods"} {
		if as[corev1.Service](t, o, other).Labels["app.kubernetes.io/component"] == monitor.Spec.Selector.MatchLabels["app.kubernetes.io/component"] {
			t.Errorf("the monitor finds %s too", other)
		}
	}
	token := endpoint.Authorization.Credentials
	if endpoint.Port != service.Spec.Ports[0].Name || token.Name != "leadsync-secrets" || token.Key != "LEADSYNC_API_TOKEN" || endpoint.RelabelConfigs[0].TargetLabel != "job" || *endpoint.RelabelConfigs[0].Replacement != "leadsync" {
		t.Errorf("%+v", endpoint)
	}
	rules, alerts := as[monitoringv1.PrometheusRule](t, o, "PrometheusRule crm-leadsync"), 0
	for _, group := range rules.Spec.Groups {
		alerts += len(group.Rules)
	}
	source, err := os.ReadFile(chartDir + "/files/rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Count(string(source), "- alert:"); alerts != want || want < 15 || !strings.Contains(o["PrometheusRule crm-leadsync"], "{{ $labels.instance }}") {
		t.Errorf("%d alerts of %d", alerts, want)
	}
}

// What cannot work is refused, with the value to change.
func TestRefusals(t *testing.T) {
	for _, test := range []struct{ file, over, want string }{
		{"testdata/single.yaml", "replicas: 2", "replicas: more than 1 with the embedded NATS server"},
		{"testdata/three.yaml", "settings: {LEADSYNC_NATS_URL: embedded}", "replicas: more than 1 with the embedded NATS server"},
		{"testdata/three.yaml", "secrets: {keys: [LEADSYNC_DATABASE_URL, LEADSYNC_SECRET_KEY, LEADSYNC_API_TOKEN, LEADSYNC_OPERATOR_TOKEN]}", "without LEADSYNC_CARD_TOKEN"},
		{"testdata/three.yaml", "secrets: {existingSecret: ''}", "without LEADSYNC_DATABASE_URL"},
		{"testdata/every.yaml", "settings: {LEADSYNC_NATS_URL: 'nats://nats:4222'}", "settings.LEADSYNC_NATS_URL: set beside the same key"},
		{"testdata/three.yaml", "ingress: {publicAPI: true}", "LEADSYNC_PUBLIC_API"},
		{"testdata/three.yaml", "ingress: {host: ''}", "ingress.host"},
		{"testdata/three.yaml", "adminIngress: {enabled: true, host: leads.example.com}", "adminIngress.host"},
		{"testdata/single.yaml", "serviceMonitor: {enabled: true}", "LEADSYNC_API_TOKEN"},
		{"testdata/three.yaml", "embeddedNATS: {expose: true}", "embeddedNATS.expose"},
		{"", "settings: {LEADSYNC_DATABSE_SCHEMA: dbo}", "LEADSYNC_DATABSE_SCHEMA"},
		{"", "settings: {LEADSYNC_API_TOKEN: in-the-open-for-all}", "LEADSYNC_API_TOKEN"},
		{"", "settings: {LEADSYNC_NATS_URL: 'nats://me:password@nats:4222'}", "LEADSYNC_NATS_URL"},
		{"", "settings: {LEADSYNC_PUBLIC_API: true}", "LEADSYNC_PUBLIC_API"},
		{"", "secrets: {keys: [LEADSYNC_KEEP]}", "secrets"},
		{"", "replica: 3", "replica"},
		{"", "persistence: {size: big}", "size"},
		{"", "persistence: {accessModes: [ReadWriteMany]}", "accessModes"},
		{"", "terminationGracePeriodSeconds: 10", "terminationGracePeriodSeconds"},
		{"", "image: {digest: latest}", "digest"},
	} {
		if _, err := template(merged(t, test.file, test.over), "1.30"); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want %q", test.file, test.over, err, test.want)
		}
	}
	if _, err := template(merged(t, "", ""), "1.24"); err == nil || !strings.Contains(err.Error(), "1.25") {
		t.Errorf("Kubernetes 1.24: %v", err)
	}
}

// What people copy from the page is rendered.
func TestExampleOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(page), "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	values := regexp.MustCompile("(?m)^   ").ReplaceAllString(example, "")
	if o := render(t, "", values, "1.30"); o["Ingress leadsync"] == "" && o["Ingress crm-leadsync"] == "" {
		t.Errorf("there is no Ingress:\n%s", values)
	}
	for _, key := range merged(t, "", values)["secrets"].(map[string]any)["keys"].([]any) {
		if !strings.Contains(string(page), "--from-literal="+key.(string)+"=") {
			t.Errorf("the Secret of the page lacks %s", key)
		}
	}
}

func TestImage(t *testing.T) {
	for over, want := range map[string]string{
		"": "leadsync:0.1.0", "image: {tag: v9}": "leadsync:v9",
		"image: {digest: 'sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', tag: v9}": "leadsync@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	} {
		c, _ := container(t, as[appsv1.StatefulSet](t, render(t, "testdata/single.yaml", over, "1.30"), "StatefulSet crm-leadsync"))
		if c.Image != want {
			t.Errorf("%s: %s", over, c.Image)
		}
	}
}

// every.yaml changes every value, so that each switch is rendered.
func TestEveryValueIsTried(t *testing.T) {
	rows := valuesTable(t)
	every := merged(t, "testdata/every.yaml", "")
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.key == "embeddedNATS.expose" || row.key == "networkPolicy.enabled" || row.key == "networkPolicy.natsFrom" || strings.HasPrefix(row.key, "serviceAccount.annotations") || strings.HasPrefix(row.key, "resources.") {
			continue // tried elsewhere, or not beside the others
		}
		if cmp.Equal(at(chart.Values, row.key), at(every, row.key)) || at(every, row.key) == nil {
			t.Errorf("testdata/every.yaml does not change %s", row.key)
		}
	}
	if len(rows) < 50 {
		t.Errorf("only %d values were found", len(rows))
	}
}

func at(values map[string]any, path string) any {
	var found any = values
	for name := range strings.SplitSeq(path, ".") {
		m, ok := found.(map[string]any)
		if !ok {
			return nil
		}
		found = m[name]
	}
	return found
}

// The README of the chart names each value with its default and what values.yaml says of it.
func TestReadmeHasTheValues(t *testing.T) {
	var table strings.Builder
	table.WriteString("| value | default | meaning |\n|---|---|---|\n")
	for _, row := range valuesTable(t) {
		table.WriteString("| `" + row.key + "` | `" + row.value + "` | " + row.means + " |\n")
	}
	path := chartDir + "/README.md"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- values -->\n", "<!-- /values -->"
	whole := regexp.MustCompile("(?s)"+begin+".*"+end).ReplaceAllLiteralString(string(page), begin+table.String()+end)
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(whole), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(whole, string(page)); diff != "" && os.Getenv("UPDATE") == "" {
		t.Errorf("README.md is not up to date, UPDATE=1 make chart-check writes it (-want +page):\n%s", diff)
	}
}
