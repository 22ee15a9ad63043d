//go:build !windows

package setup

// systemLocale is in the environment.
func systemLocale() string { return "" }
