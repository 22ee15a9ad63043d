package settings

import (
	"cmp"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
)

// UserName is the name of a user, as sudo takes it.
func UserName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return cmp.Or(u.Username, id)
	}
	return "#" + id
}

// RunAs tells a person to run a command as the owner of a file or directory.
func RunAs(uid int) string {
	return "run the command as its owner, " + AsUser(UserName(uid), exec.LookPath) + " leadsync …"
}

// AsUser is what a command begins with to run as another user; "" where there is none. Containers have no sudo.
func AsUser(name string, lookPath func(string) (string, error)) string {
	if name == "" {
		return ""
	}
	if _, err := lookPath("sudo"); err != nil {
		if _, err := lookPath("setpriv"); err == nil {
			name = strings.TrimPrefix(name, "#") // sudo's mark of a number
			return "setpriv --reuid " + name + " --regid " + name + " --init-groups --"
		}
	}
	return "sudo -u " + name
}
