// Package settings is the one list of leadsync's settings, and finds out what they are set to: by the environment, a file,
// or files of secrets. It must not know what a setting does: service/environment.go reads and checks the values.
package settings

import (
	"net/url"
	"strings"
)

// Kind is what a value looks like, in words for people.
type Kind string

// The kinds.
const (
	Text     Kind = "text"
	Word     Kind = "word" // one of a few
	List     Kind = "list" // with commas between its entries
	Number   Kind = "number"
	Duration Kind = "duration"
	Clock    Kind = "time"
	Address  Kind = "address" // host:port
	URL      Kind = "URL"
	File     Kind = "file"
	Folder   Kind = "folder"
)

// Setting is a variable that leadsync reads. Another one is refused.
type Setting struct {
	Name string
	Kind Kind
	// Default is the value in force where nobody sets one; "" is none.
	Default string
	// Otherwise says in Markdown what is in force then, where no value can say it.
	Otherwise string
	// Means is what it means, in a line.
	Means string
	// More is what the documentation says instead, in Markdown; "" is Means.
	More string
	// Secret settings are not shown, and can be in a file of their own: NAME_FILE names it.
	Secret bool
}

// Group is some settings for one purpose.
type Group struct {
	Title    string
	Settings []Setting
}

// FileSuffix ends the name of a variable that names a file with the value of a secret.
const FileSuffix = "_FILE"

// Find finds a setting.
func Find(name string) (Setting, bool) {
	for _, group := range Groups {
		for _, s := range group.Settings {
			if s.Name == name {
				return s, true
			}
		}
	}
	return Setting{}, false
}

// Default is the value of a setting that nobody sets; "" where there is none.
func Default(name string) string {
	s, _ := Find(name)
	return s.Default
}

// Names are the names of all settings, in the order of the documentation.
func Names() (names []string) {
	for _, group := range Groups {
		for _, s := range group.Settings {
			names = append(names, s.Name)
		}
	}
	return names
}

// Hides tells whether a value of the setting would open something to who reads it.
func (s Setting) Hides(value string) bool {
	switch {
	case !s.Secret || value == "" || strings.HasPrefix(value, "sqlite:"):
		return false
	case s.Name == "LEADSYNC_NATS_URL":
		return strings.Contains(value, "@")
	case s.Name == "LEADSYNC_DATABASE_URL":
		u, err := url.Parse(value)
		return err != nil || u.User != nil || u.Query().Has("password")
	}
	return true
}
