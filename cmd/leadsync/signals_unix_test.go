//go:build unix

package main

import "syscall"

// Signals that stop a process in the middle of what it does, and let it go on.
const (
	standStill = syscall.SIGSTOP
	goOn       = syscall.SIGCONT
)
