//go:build linux || darwin

package repo

import "syscall"

// freeBytes is the room on the disk of a file; false where that is unknown.
func freeBytes(path string) (int64, bool) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(path, &disk); err != nil {
		return 0, false
	}
	return int64(disk.Bavail) * int64(disk.Bsize), true //nolint:gosec,unconvert // no disk has that many; the types differ between systems
}
