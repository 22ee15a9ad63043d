package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Sources are where values come from. What the environment has wins.
type Sources struct {
	Environment []string // NAME=value, as os.Environ has them
	File        string   // "" is none
	Optional    bool     // the file need not be there
}

// Values are the settings that somebody has set.
type Values struct {
	entries map[string]entry
	file    string // "" where none was read
}

// DefaultFile is the name of the file that is read where nobody names one. lookup is the environment.
func DefaultFile(lookup func(string) (string, bool)) string {
	if runtime.GOOS != "windows" {
		return "/etc/leadsync.env"
	}
	data, ok := lookup("ProgramData")
	if !ok {
		return ""
	}
	return filepath.Join(data, "leadsync", "leadsync.env")
}

// Read finds out what is set. Its error names every fault, and repeats no value.
func Read(s Sources) (*Values, error) {
	var faults []error
	environment := map[string]entry{}
	for _, variable := range s.Environment {
		name, value, _ := strings.Cut(variable, "=")
		if err := CheckName(name, value); err != nil {
			faults = append(faults, err)
			continue
		}
		environment[name] = entry{value, FromEnvironment}
	}
	v := &Values{entries: map[string]entry{}}
	inFile, more := v.open(s)
	faults = append(faults, more...)
	for _, name := range Names() {
		e, err := choose(name, environment, inFile)
		if err != nil {
			faults = append(faults, err)
		}
		if e.from != "" {
			v.entries[name] = e
		}
	}
	return v, errors.Join(faults...)
}

// What From returns for values that are in no file.
const (
	FromEnvironment = "environment"
	FromDefault     = "default"
)

// open reads the file.
func (v *Values) open(s Sources) (map[string]entry, []error) {
	if s.File == "" {
		return nil, nil
	}
	if _, err := os.Stat(s.File); s.Optional && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	v.file = s.File
	return readFile(s.File)
}

// choose takes a setting from the first source that has it; blank values are none.
func choose(name string, sources ...map[string]entry) (entry, error) {
	s, _ := Find(name)
	for _, source := range sources {
		set, path := source[name], source[name+FileSuffix]
		hasValue, hasPath := strings.TrimSpace(set.value) != "", s.Secret && strings.TrimSpace(path.value) != ""
		switch {
		case hasValue && hasPath:
			return entry{}, fmt.Errorf("%s: set beside %s (%s, %s), want one of them", name, name+FileSuffix, set.from, path.from)
		case hasValue:
			return set, nil
		case hasPath:
			e, err := readSecret(name, strings.TrimSpace(path.value))
			if err != nil && path.from != FromEnvironment {
				err = fmt.Errorf("%s: %w", path.from, err)
			}
			return e, err
		}
	}
	return entry{}, nil
}

// readSecret reads a secret from a file of its own, which may end in a line break.
func readSecret(name, path string) (entry, error) {
	data, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return entry{}, fmt.Errorf("%s%s: %w", name, FileSuffix, unreadable(path, err))
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if strings.TrimSpace(value) == "" {
		return entry{}, fmt.Errorf("%s%s: %s is empty, want the secret in it", name, FileSuffix, path)
	}
	return entry{value, path}, nil
}

// Lookup is the value of a setting that somebody has set.
func (v *Values) Lookup(name string) (string, bool) {
	e, ok := v.entries[name]
	return e.value, ok
}

// From says where a value comes from: FromEnvironment, FILE:LINE, the file of a secret, or FromDefault.
func (v *Values) From(name string) string {
	if e, ok := v.entries[name]; ok {
		return e.from
	}
	return FromDefault
}

// File is the settings file; "" where none was read.
func (v *Values) File() string { return v.file }

// Exposed is the settings file where it has secrets and others than its owner may read it; else "". On Windows
// its folder's permissions decide, which this does not know.
func (v *Values) Exposed() string {
	info, err := os.Stat(v.file)
	if v.file == "" || err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return ""
	}
	for name, e := range v.entries {
		if s, _ := Find(name); strings.HasPrefix(e.from, v.file+":") && s.Hides(e.value) {
			return v.file
		}
	}
	return ""
}
