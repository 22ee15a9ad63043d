package settings

import (
	"cmp"
	"os/user"
	"strconv"
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
	return "run the command as its owner, sudo -u " + UserName(uid) + " leadsync …"
}
