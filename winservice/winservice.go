// Package winservice runs leadsync as a service of Windows: it registers the service and its account, obeys
// the service manager, keeps others out of the data, and writes the log where Windows keeps logs. It does not
// know what the service does. What needs no Windows is in files without a suffix and is tested everywhere.
//
// It uses golang.org/x/sys/windows/svc, which the Go project keeps: the wrappers around it neither report how
// far a stop is, nor know virtual accounts.
package winservice

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"
)

// Name is the service's name: of its registration, its account, its source in the event log.
const Name = "leadsync"

// VirtualAccount is the account of its own that Windows makes for a service. It has no password.
const VirtualAccount = `NT SERVICE\` + Name

// ErrNotWindows is the answer of every other system.
var ErrNotWindows = errors.New("services of this kind exist on Windows only; on Linux the packages bring a systemd unit")

// Work is what a service does. It ends when its context does.
type Work func(context.Context, Log) error

// Places are where a service keeps its things.
type Places struct {
	Root     string // everything below it is for administrators and the service alone
	Settings string // what `leadsync init` writes, and the service cannot change
	Data     string // what only the service writes
	Logs     string
}

// PlacesBelow are the places below a directory, %ProgramData%.
func PlacesBelow(programData string) Places {
	root := filepath.Join(programData, Name)
	return Places{Root: root, Settings: filepath.Join(root, Name+".env"), Data: filepath.Join(root, "data"), Logs: filepath.Join(root, "logs")}
}

// LogFile is the file that has every line of the log.
func (p Places) LogFile() string { return filepath.Join(p.Logs, Name+".log") }

// Installation is what Install registers.
type Installation struct {
	Places   Places
	Binary   string // the program that the service manager starts
	Profiles string // where users have their directories, C:\Users
	Args     []string
	Account  string // VirtualAccount, DOMAIN\user, or DOMAIN\name$ for a managed account
	Password string // of DOMAIN\user only
}

// CheckPlace refuses a program that its users could replace, or the service could not read.
func (i Installation) CheckPlace() error {
	if isBelow(i.Binary, i.Profiles) {
		return errors.New("leadsync.exe is in a user's directory, which the service's account cannot read and that user can change: " +
			`move it to a directory of its own, such as C:\Program Files\leadsync`)
	}
	return nil
}

// CheckAccount looks whether account and password belong together.
func (i Installation) CheckAccount() error {
	switch passwordless := isPasswordless(i.Account); {
	case i.Account == "":
		return errors.New(`--account: no name, want DOMAIN\user`)
	case passwordless && i.Password != "":
		return errors.New("--password-file: given for an account without a password, want it only beside --account DOMAIN\\user")
	case !passwordless && i.Password == "":
		return errors.New("--password-file: missing, want a file with the password of " + i.Account)
	default:
		return nil
	}
}

// isPasswordless tells accounts whose password Windows keeps: virtual, managed and built-in ones.
func isPasswordless(account string) bool {
	upper := strings.ToUpper(account)
	return strings.HasPrefix(upper, `NT SERVICE\`) || strings.HasPrefix(upper, `NT AUTHORITY\`) || strings.HasSuffix(account, "$")
}

// isBelow compares paths of Windows: in them, capitals and the kind of slash do not matter.
func isBelow(path, dir string) bool {
	plain := func(s string) string {
		return strings.ToLower(strings.TrimRight(strings.ReplaceAll(s, "/", `\`), `\`)) + `\`
	}
	return dir != "" && strings.HasPrefix(plain(path), plain(dir))
}

// Restarts are the pauses before the service manager starts a service again that ended by itself: the first
// time, the second, and every further time. A day without one begins anew.
var Restarts = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute}
