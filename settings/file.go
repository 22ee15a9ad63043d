package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/hashicorp/go-envparse"
)

// entry is a line of a settings file, or a variable of the environment.
type entry struct {
	value string
	from  string // "environment", or FILE:LINE
}

// readFile reads a file of lines NAME=value, as systemd's EnvironmentFile and docker's --env-file have them. What these two and
// shells understand differently is refused: a # in a value without quotes. Nothing is expanded: a $ is a $.
func readFile(path string) (map[string]entry, []error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, []error{unreadable(path, err)}
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")) // Windows' Notepad writes it
	if bytes.IndexByte(data, 0) >= 0 || bytes.HasPrefix(data, []byte("\xff\xfe")) {
		return nil, []error{fmt.Errorf("%s: not a text in UTF-8, want it saved in this encoding (PowerShell: Set-Content -Encoding utf8)", path)}
	}
	entries := map[string]entry{}
	var faults []error
	for i, line := range strings.Split(string(data), "\n") {
		at := path + ":" + strconv.Itoa(i+1)
		name, value, err := parseLine(line)
		if err == nil && name != "" {
			if earlier, twice := entries[name]; twice {
				err = fmt.Errorf("%s is set already at %s, want one line", name, earlier.from)
			} else {
				err = CheckName(name, value)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", at, err))
			continue
		}
		if name != "" {
			entries[name] = entry{value, at}
		}
	}
	return entries, faults
}

// unreadable says why a settings file is left out.
func unreadable(path string, err error) error {
	should := "a file that is there"
	if errors.Is(err, fs.ErrPermission) {
		as := "run the command as the user of the service"
		if owner, known := FileOwner(path); known && owner != os.Geteuid() {
			as = RunAs(owner)
		}
		should = "one that this user may read: " + as + ", or name another file with --config"
	}
	if reason := (*fs.PathError)(nil); errors.As(err, &reason) {
		err = reason.Err
	}
	return fmt.Errorf("%s: cannot be read (%w), want %s", path, err, should)
}

// parseLine parses a line; the name of an empty one is "". Its errors repeat no value.
func parseLine(line string) (name, value string, err error) {
	line = strings.TrimSpace(line)
	_, right, _ := strings.Cut(line, "=")
	right = strings.TrimSpace(right)
	quoted := strings.HasPrefix(right, `"`) || strings.HasPrefix(right, "'")
	switch {
	case line == "" || line[0] == '#' || line[0] == ';':
		return "", "", nil
	case !strings.Contains(line, "="):
		return "", "", errors.New("not a setting, want NAME=value")
	case !quoted && strings.ContainsAny(right, `#'"`):
		return "", "", errors.New("the value has a quotation mark or a #, want it in single quotes (a comment has a line of its own)")
	}
	parsed, err := envparse.Parse(strings.NewReader(line))
	if err != nil {
		return "", "", errors.New("not a setting, want NAME=value, the value in single quotes where it has special characters")
	}
	for name, value = range parsed {
		return name, value, nil
	}
	return "", "", errors.New("not a setting, want NAME=value")
}

// Line is a setting as a line of a file. Its quotes mean the same to systemd, to docker and to leadsync where it needs none.
func Line(name, value string) string {
	if !strings.ContainsAny(value, " \t#'\"\\$;`") {
		return name + "=" + value
	}
	if !strings.Contains(value, "'") {
		return name + "='" + value + "'"
	}
	return name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
