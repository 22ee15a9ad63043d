package setup

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// Program is how a person calls this program again: by its name where that finds it, else as it was called or by its path. arg0 is
// what the process has for its name.
func Program(arg0 string) string {
	path, err := os.Executable()
	if err != nil {
		return arg0
	}
	if found, err := exec.LookPath("leadsync"); err == nil && isSame(found, path) {
		return "leadsync"
	}
	if found, err := exec.LookPath(arg0); (err == nil || errors.Is(err, exec.ErrDot)) && isSame(found, path) { // ErrDot: Windows also looks in the folder
		return arg0
	}
	return path
}

func isSame(one, other string) bool {
	a, err := os.Stat(one)
	b, otherErr := os.Stat(other)
	return err == nil && otherErr == nil && os.SameFile(a, b)
}

// plain is a word that every shell leaves as it is.
var plain = regexp.MustCompile(`^[\pL\pN_./:=@%+,-]+$`)

// quoted is a word as a shell of the system takes it.
func quoted(system, word string) string {
	switch {
	case plain.MatchString(word), system == onWindows && !strings.ContainsAny(word, " &()^;,"):
		return word
	case system == onWindows:
		return `"` + word + `"`
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
