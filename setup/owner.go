package setup

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
)

// ServiceUser is the user that installations have made for the service, where root sets it up; "" otherwise.
func ServiceUser() string {
	if os.Geteuid() != 0 {
		return ""
	}
	u, err := user.Lookup("leadsync")
	if err != nil {
		return ""
	}
	return u.Username
}

// give gives a file to a user; to nobody where the name is "".
func give(path, name string) error {
	if name == "" {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return fmt.Errorf("give the file to %s: %w", name, err)
	}
	uid, uidErr := strconv.Atoi(u.Uid)
	gid, gidErr := strconv.Atoi(u.Gid)
	if uidErr != nil || gidErr != nil { // Windows names users by other means
		return nil
	}
	return os.Chown(path, uid, gid)
}
