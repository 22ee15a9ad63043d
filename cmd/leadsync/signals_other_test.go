//go:build !unix

package main

import "syscall"

// There are no such signals here, and sending one fails.
const (
	standStill = syscall.Signal(0x13)
	goOn       = syscall.Signal(0x12)
)
