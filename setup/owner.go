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
	uid, err := strconv.Atoi(u.Uid) // ServiceUser names none on Windows, where it is no number
	if err != nil {
		return fmt.Errorf("give the file to %s: %w", name, err)
	}
	return os.Chown(path, uid, -1)
}
