//go:build !windows

package winservice

import "context"

// Run answers ErrNotWindows.
func Run(context.Context, Places, Work) error { return ErrNotWindows }

// Install answers ErrNotWindows, after what can be checked everywhere.
func Install(i Installation) error {
	if err := i.Check(); err != nil {
		return err
	}
	return ErrNotWindows
}

// Uninstall answers ErrNotWindows.
func Uninstall() error { return ErrNotWindows }

// StartService answers ErrNotWindows.
func StartService(Places) error { return ErrNotWindows }

// StopService answers ErrNotWindows.
func StopService() error { return ErrNotWindows }

// State answers ErrNotWindows.
func State() (words string, running bool, err error) { return "", false, ErrNotWindows }
