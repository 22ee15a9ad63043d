//go:build unix

package settings

import (
	"os"
	"syscall"
)

// FileOwner is the user to whom a file belongs; false where there is no such file.
func FileOwner(path string) (uid int, ok bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Uid), true
}
