package charttest

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// row is a value of the chart with its default and what the comment above it says.
type row struct{ key, value, means string }

var (
	aKey     = regexp.MustCompile(`^( *)([A-Za-z][A-Za-z0-9]*):(.*)$`)
	aComment = regexp.MustCompile(`^ *# (.*)$`)
)

// valuesTable reads values.yaml. Each value needs a comment; those that only group others need none.
func valuesTable(t *testing.T) (rows []row) {
	t.Helper()
	data, err := os.ReadFile(chartDir + "/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := yaml.UnmarshalStrict(data, &all); err != nil {
		t.Fatal(err)
	}
	comment, path := "", []string{}
	inside := "" // a value that is shown whole
	for line := range strings.Lines(string(data)) {
		line = strings.TrimRight(line, "\n")
		if m := aComment.FindStringSubmatch(line); m != nil {
			comment = m[1]
			continue
		}
		m := aKey.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		depth := len(m[1]) / 2
		path = append(path[:depth], m[2])
		key := strings.Join(path, ".")
		if inside != "" && strings.HasPrefix(key, inside+".") {
			comment = ""
			continue
		}
		inside = ""
		value := at(all, key)
		children, isMap := value.(map[string]any)
		if isMap && len(children) > 0 && comment == "" {
			continue
		}
		if comment == "" {
			t.Errorf("values.yaml does not say what %s is", key)
		}
		if key == "resources" { // its parts have comments, too
			comment = ""
			continue
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row{key, string(text), comment})
		inside, comment = key, ""
	}
	return rows
}
