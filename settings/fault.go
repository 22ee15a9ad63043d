package settings

import (
	"errors"
	"fmt"
)

// ValueError says what is wrong with the value of a setting. It does not repeat the value, which may be a secret in the wrong place.
type ValueError struct {
	Name        string
	Wrong, Want string
	Beside      []string // other settings that are part of what is wrong
}

// Error implements error.
func (e ValueError) Error() string { return fmt.Sprintf("%s: %s, want %s", e.Name, e.Wrong, e.Want) }

// Located adds to each wrong value the file, and its line, in which a person corrects it. from says where a value comes from, as
// Values.From does.
func Located(err error, from func(name string) string) error {
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		var located []error
		for _, one := range all.Unwrap() {
			located = append(located, Located(one, from))
		}
		return errors.Join(located...)
	}
	var fault ValueError
	if !errors.As(err, &fault) {
		return err
	}
	for _, name := range append([]string{fault.Name}, fault.Beside...) {
		if place := from(name); place != FromEnvironment && place != FromDefault {
			return fmt.Errorf("%s: %w", place, err)
		}
	}
	return err
}
