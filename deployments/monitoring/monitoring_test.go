// Package monitoring_test checks that rules and dashboard ask for metrics that exist.
package monitoring_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"

	"leadsync/docs/docstest"
)

// foreign are metrics and labels that Prometheus and Go's client make.
var (
	foreign       = []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "up"}
	foreignLabels = []string{"job", "instance", "le"}
)

// metric is a metric as the code declares it.
type metric struct {
	name, help string
	labels     []string
	histogram  bool
}

// declarations are the metrics of the code.
func declarations(t *testing.T) (list []metric) {
	t.Helper()
	lists := map[string][]string{}
	var calls []*ast.CallExpr
	for _, pattern := range []string{"../../service/*.go", "../../consumers/*.go"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec: // lists of labels that several metrics share
					for i, value := range n.Values {
						if list, ok := value.(*ast.CompositeLit); ok {
							lists[n.Names[i].Name] = texts(list)
						}
					}
				case *ast.CallExpr:
					if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "NewDesc" || f.Sel.Name == "NewHistogram") {
						calls = append(calls, n)
					}
				}
				return true
			})
		}
	}
	for _, call := range calls {
		words := texts(call)
		m := metric{name: words[0], help: words[1], histogram: len(call.Args) == 1}
		if !m.histogram {
			switch labels := call.Args[2].(type) {
			case *ast.CompositeLit:
				m.labels = texts(labels)
			case *ast.Ident:
				m.labels = lists[labels.Name]
			}
		}
		list = append(list, m)
	}
	if len(list) < 50 {
		t.Fatalf("only %d metrics were found in the code", len(list))
	}
	return list
}

// declaredMetrics are the names of the code's time series, with their labels.
func declaredMetrics(t *testing.T) map[string][]string {
	t.Helper()
	metrics := map[string][]string{}
	for _, m := range declarations(t) {
		if !m.histogram {
			metrics[m.name] = m.labels
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			metrics[m.name+suffix] = nil
		}
	}
	return metrics
}

// texts are the strings in a piece of code.
func texts(n ast.Node) (list []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil {
				list = append(list, text)
			}
		}
		return true
	})
	return list
}

// queries are the expressions of rules and dashboard, by where they stand.
func queries(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for i, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)\n +expr: (.+)$`).FindAllStringSubmatch(read(t, "rules.yml"), -1) {
		found["rule "+strconv.Itoa(i)+" "+m[1]] = m[2]
	}
	if alerts := strings.Count(read(t, "rules.yml"), "expr:"); alerts != len(found) || alerts < 15 {
		t.Fatalf("%d expressions of %d were read from the rules", len(found), alerts)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		for i, target := range panel.Targets {
			found["panel "+panel.Title+" "+strconv.Itoa(i)] = strings.ReplaceAll(target.Expr, "$portal", "p")
		}
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Rules and dashboard ask for metrics and labels that exist.
func TestRulesAndDashboardNameMetricsThatExist(t *testing.T) {
	metrics := declaredMetrics(t)
	for place, query := range queries(t) {
		expr, err := metricsql.Parse(query)
		if err != nil {
			t.Errorf("%s: %v: %s", place, err, query)
			continue
		}
		var names, labels, allowed []string
		metricsql.VisitAll(expr, func(e metricsql.Expr) {
			switch e := e.(type) {
			case *metricsql.MetricExpr:
				for _, filters := range e.LabelFilterss {
					for _, f := range filters {
						if f.Label == "__name__" {
							names = append(names, f.Value)
						} else {
							labels = append(labels, f.Label)
						}
					}
				}
			case *metricsql.AggrFuncExpr:
				labels = append(labels, e.Modifier.Args...)
			}
		})
		for _, name := range names {
			if of, ok := metrics[name]; ok {
				allowed = append(allowed, of...)
			} else if !slices.Contains(foreign, name) {
				t.Errorf("%s names %s, which does not exist: %s", place, name, query)
			}
		}
		for _, label := range labels {
			if !slices.Contains(allowed, label) && !slices.Contains(foreignLabels, label) {
				t.Errorf("%s names the label %s, which none of %v has: %s", place, label, names, query)
			}
		}
	}
}

// The page lists every metric, with its help.
func TestPageListsEveryMetric(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | labels | meaning |\n|---|---|---|\n")
	list := declarations(t)
	slices.SortFunc(list, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	for _, m := range list {
		name, labels := "`"+m.name+"`", ""
		if m.histogram {
			name += ", a histogram"
		}
		if len(m.labels) > 0 {
			labels = "`" + strings.Join(m.labels, "`, `") + "`"
		}
		table.WriteString(docstest.Row(name, labels, m.help))
	}
	docstest.Generated(t, "../../docs/monitoring.md", "metrics", "go test ./deployments/monitoring -run TestPageListsEveryMetric", table.String())
}

// The pages name no metric that does not exist.
func TestPagesNameMetricsThatExist(t *testing.T) {
	metrics := declaredMetrics(t)
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) < 10 {
		t.Fatal(pages, err)
	}
	for _, page := range append(pages, "../../README.md") {
		for _, m := range regexp.MustCompile("`(leadsync_[a-z_]+_(?:total|seconds|bytes|ratio|requests))`").FindAllStringSubmatch(read(t, page), -1) {
			_, ok := metrics[m[1]]
			if _, histogram := metrics[m[1]+"_bucket"]; !ok && !histogram {
				t.Errorf("%s names %s, which does not exist", page, m[1])
			}
		}
	}
}

// Each alert has a test that wants it to fire.
func TestEachAlertHasATest(t *testing.T) {
	tests := read(t, "rules_test.yml")
	for _, m := range regexp.MustCompile(`(?m)^ +- alert: (\w+)$`).FindAllStringSubmatch(read(t, "rules.yml"), -1) {
		if !regexp.MustCompile(`alertname: ` + m[1] + `\n +exp_alerts:`).MatchString(tests) {
			t.Errorf("no test wants %s to fire", m[1])
		}
	}
}

// The operators' face has the metrics, and wants a token of machines that are not this one.
func TestPageSaysWhereMetricsAre(t *testing.T) {
	page := read(t, "../../docs/monitoring.md")
	_, example, _ := strings.Cut(page, "```yaml\n")
	example, _, _ = strings.Cut(example, "```")
	for _, want := range []string{":8081", "credentials_file", "LEADSYNC_API_TOKEN", "LEADSYNC_ADMIN_ADDR"} {
		if !strings.Contains(example, want) {
			t.Errorf("the example of a scrape lacks %s:\n%s", want, example)
		}
	}
	for _, path := range []string{"../../docs/monitoring.md", "rules.yml", "dashboard.json"} {
		if strings.Contains(read(t, path), "8080") {
			t.Errorf("%s names the public address", path)
		}
	}
	for line := range strings.Lines(read(t, "rules.yml")) {
		if strings.Contains(line, "/readyz") && !strings.Contains(line, "LEADSYNC_ADMIN_ADDR") {
			t.Errorf("a rule does not say where /readyz is: %s", line)
		}
	}
}
