package setup

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"leadsync/settings"
)

// former is the settings file that is replaced: what it has stays, where no answer takes its place. The zero one is no file.
type former struct {
	answers answers // nil where there is no file
	webhook string  // its webhook, also where that is in a file of its own
	foreign []string
	from    func(name string) string // the file and line of a setting
}

// readFormer takes over what the file has that is to be replaced: its secret key is needed to read the tokens in the database.
func readFormer(path string) (former, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the file that whoever runs this wants replaced
	if errors.Is(err, os.ErrNotExist) {
		return former{}, nil
	}
	if err != nil {
		return former{}, fmt.Errorf("the former settings file: %w", err)
	}
	values, err := settings.Read(settings.Sources{File: path})
	if err != nil {
		return former{}, fmt.Errorf("the former settings file has faults, want them mended or the file moved away:\n%w", err)
	}
	f := former{answers: answers{}, foreign: foreignLines(string(text)), from: values.From}
	f.webhook, _ = values.Lookup(webhookURL)
	for _, name := range settings.Names() {
		value, set := values.Lookup(name)
		if from := values.From(name); set && !strings.HasPrefix(from, path+":") { // a secret in a file of its own stays there
			name, value = name+settings.FileSuffix, from
		}
		if set {
			f.answers[name] = value
		}
	}
	return f, nil
}

// foreignLines are settings of others, such as HTTPS_PROXY for systemd.
func foreignLines(text string) (lines []string) {
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		line = strings.TrimSpace(line)
		name, _, isSetting := strings.Cut(line, "=")
		name = strings.TrimSpace(name)
		_, ours := settings.Find(name)
		_, secret := settings.Find(strings.TrimSuffix(name, settings.FileSuffix))
		if isSetting && !strings.ContainsAny(line[:1], "#;") && !ours && !secret {
			lines = append(lines, line)
		}
	}
	return lines
}

// exists tells whether there is a file that is replaced.
func (f former) exists() bool { return f.answers != nil }

// place says where a faulty value is to be corrected: in the former file where it is still that of it.
func (f former) place(name string, now answers) string {
	if !f.answers.has(name) || !f.answers.same(name, now) {
		return settings.FromDefault
	}
	return f.from(name)
}

// saveFormer gives the former file a second name, so that rights and owner stay, and there is a settings file at any moment. No
// earlier file is replaced: it may have the last copy of a key. link is os.Link.
func saveFormer(path string, link func(from, to string) error) (old string, err error) {
	old = path + ".old"
	for n := 2; ; n++ {
		if _, err := os.Lstat(old); err != nil {
			break
		}
		old = path + ".old." + strconv.Itoa(n)
	}
	if link(path, old) == nil {
		return old, nil
	}
	return old, os.Rename(path, old) // a file system without links
}
