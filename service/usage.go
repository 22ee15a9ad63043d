package service

// UsageError says that what was asked for cannot be done as it was asked; whoever asked can ask otherwise.
type UsageError struct{ Err error }

// Error implements error.
func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong.
func (e UsageError) Unwrap() error { return e.Err }
