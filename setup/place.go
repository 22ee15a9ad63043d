package setup

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"leadsync/handlers/language"
	"leadsync/winservice"
)

// DataDir is where an installation with this settings file keeps its data.
func DataDir(file string) string {
	if runtime.GOOS == onWindows {
		return filepath.Join(filepath.Dir(file), "data")
	}
	return "/var/lib/leadsync"
}

// onWindows is the system where modes of files mean nothing.
const onWindows = "windows"

// makeFolder makes the folder of the settings file for its owner alone. On Windows that needs an access list, which the
// standard one gets; closed tells that it has one.
func makeFolder(path string, standard bool) (closed bool, err error) {
	if runtime.GOOS == onWindows && standard {
		return winservice.MakeFolder(path)
	}
	return false, os.MkdirAll(path, 0o700)
}

// HasUnit tells whether systemd runs and knows the service. root is that of the file system.
func HasUnit(root string) bool {
	if _, err := os.Stat(filepath.Join(root, "run/systemd/system")); err != nil { // a container may have the package alone
		return false
	}
	for _, dir := range []string{"etc/systemd/system", "lib/systemd/system", "usr/lib/systemd/system"} {
		if _, err := os.Stat(filepath.Join(root, dir, "leadsync.service")); err == nil {
			return true
		}
	}
	return false
}

// Locale is the language of the person, by the locale of the environment or of Windows.
func Locale(lookup func(string) (string, bool)) string {
	locale := systemLocale()
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if value, ok := lookup(name); ok && value != "" {
			locale = value
			break
		}
	}
	if strings.HasPrefix(strings.ToLower(locale), language.Russian) {
		return language.Russian
	}
	return language.English
}
