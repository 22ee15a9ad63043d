package charttest

import (
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
)

// carrier is a module that carries the schemas. Its code is not used: it does not compile beside the Kubernetes that Helm needs.
const carrier = "sigs.k8s.io/kubectl-validate@v0.0.4"

// schemaDir has the schemas of a version of Kubernetes.
func schemaDir(t *testing.T, version string) string {
	t.Helper()
	output, err := exec.Command("go", "mod", "download", "-json", carrier).Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", carrier, err, output)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(output, &module); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(module.Dir, "pkg", "openapiclient", "builtins", version)
}

// writeSchemas writes the schemas of a version of Kubernetes as kubeconform reads them. Its own are on the internet; these
// are what an API server publishes, as kubectl-validate carries them.
func writeSchemas(t *testing.T, version string) (location string) {
	t.Helper()
	dir := t.TempDir()
	source := schemaDir(t, version)
	written := 0
	err := filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".json" {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var document struct {
			Components struct {
				Schemas map[string]map[string]any `json:"schemas"`
			} `json:"components"`
		}
		if err := json.Unmarshal(data, &document); err != nil {
			return err
		}
		for _, schema := range document.Components.Schemas {
			strict(schema)
		}
		for name, schema := range document.Components.Schemas {
			for _, kind := range kinds(schema) {
				written++
				text, err := json.Marshal(map[string]any{"$ref": "#/components/schemas/" + name, "components": document.Components})
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, kind+".json"), text, 0o600); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if written < 100 {
		t.Fatalf("only %d schemas of Kubernetes %s", written, version)
	}
	return filepath.Join(dir, "{{.ResourceKind}}{{.KindSuffix}}.json")
}

// kinds are the names of the files for a schema.
func kinds(schema map[string]any) (names []string) {
	list, _ := schema["x-kubernetes-group-version-kind"].([]any)
	for _, item := range list {
		of, _ := item.(map[string]any)
		group, _ := of["group"].(string)
		version, _ := of["version"].(string)
		kind, _ := of["kind"].(string)
		if group != "" {
			group, _, _ = strings.Cut(group, ".")
			group += "-"
		}
		names = append(names, strings.ToLower(kind)+"-"+group+version)
	}
	return names
}

// strict refuses fields that a schema does not name.
func strict(schema map[string]any) {
	delete(schema, "default") // not a matter of validity
	if schema["format"] == "int-or-string" {
		delete(schema, "type")
		delete(schema, "format")
	}
	if _, object := schema["properties"]; object {
		if _, more := schema["additionalProperties"]; !more {
			schema["additionalProperties"] = false
		}
	}
	for key, value := range schema {
		switch value := value.(type) {
		case map[string]any:
			if key == "properties" {
				for _, property := range value {
					if property, ok := property.(map[string]any); ok {
						strict(property)
					}
				}
				continue
			}
			strict(value)
		case []any:
			for _, item := range value {
				if item, ok := item.(map[string]any); ok {
					strict(item)
				}
			}
		}
	}
}

// Kubernetes knows every object, each of its fields and their types.
func TestKubernetesAcceptsTheObjects(t *testing.T) {
	for _, version := range versions {
		v, err := validator.New([]string{writeSchemas(t, version)}, validator.Opts{Strict: true, KubernetesVersion: version + ".0"})
		if err != nil {
			t.Fatal(err)
		}
		check := func(text string) (faults []string) {
			for _, result := range v.Validate("chart", io.NopCloser(strings.NewReader(text))) {
				if result.Status != validator.Valid {
					faults = append(faults, result.Err.Error())
				}
			}
			return faults
		}
		for _, file := range files {
			checked := 0
			for key, text := range render(t, file, "", version) {
				if strings.HasPrefix(key, "ServiceMonitor ") || strings.HasPrefix(key, "PrometheusRule ") {
					continue // not Kubernetes' own; TestMonitoring reads them as their types
				}
				checked++
				for _, fault := range check(text) {
					t.Errorf("Kubernetes %s, %s, %s: %s", version, file, key, fault)
				}
			}
			if checked < 6 {
				t.Errorf("%s: only %d objects", file, checked)
			}
		}
		for _, wrong := range []string{
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{prot: 80}]}",
			"apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {ports: [{port: eighty}]}",
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: a}\nspec: {replicas: 1}",
		} {
			if len(check(wrong)) == 0 {
				t.Errorf("nothing is wrong with this:\n%s", wrong)
			}
		}
	}
}
