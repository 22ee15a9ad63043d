//go:build !windows

package winservice

import "context"

// ThisMachine has no such places.
func ThisMachine() (places Places, profiles string, err error) { return Places{}, "", ErrNotWindows }

// MakeFolder answers ErrNotWindows.
func MakeFolder(string) (closed bool, err error) { return false, ErrNotWindows }

// Installed is false.
func Installed() bool { return false }

// Run answers ErrNotWindows.
func Run(context.Context, Work) error { return ErrNotWindows }

// Install answers ErrNotWindows.
func Install(Installation) error { return ErrNotWindows }

// Uninstall answers ErrNotWindows.
func Uninstall() error { return ErrNotWindows }

// StartService answers ErrNotWindows.
func StartService() error { return ErrNotWindows }

// StopService answers ErrNotWindows.
func StopService() error { return ErrNotWindows }

// State answers ErrNotWindows.
func State() (words string, running bool, err error) { return "", false, ErrNotWindows }
