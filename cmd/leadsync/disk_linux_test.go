package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// mountDisk mounts a small disk at dir, which a test can fill. It is false if this user may not
// mount.
func mountDisk(tb testing.TB, dir string) bool {
	tb.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=0700"); err != nil {
		tb.Logf("no small disk can be mounted here (%v): full disks are left out", err)
		return false
	}
	tb.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			tb.Error(err)
		}
	})
	return true
}

// fillDisk fills a disk until free is called.
func fillDisk(tb testing.TB, dir string) (free func()) {
	tb.Helper()
	path := filepath.Join(dir, "ballast")
	file, err := os.Create(path)
	if err != nil {
		tb.Error(err)
		return func() {}
	}
	for size := 1 << 20; size >= 1; size /= 4 {
		for chunk := make([]byte, size); ; {
			if n, err := file.Write(chunk); n < size || err != nil {
				break
			}
		}
	}
	_ = file.Close() // the disk is full, as intended
	return func() {
		if err := os.Remove(path); err != nil {
			tb.Error(err)
		}
	}
}
