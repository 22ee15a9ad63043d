package main

import (
	"errors"
	"time"

	"leadsync/service"
)

// length is a flag's length of time, such as 7d, 36h or 90m.
type length time.Duration

// UnmarshalText implements encoding.TextUnmarshaler, by which kong reads flags.
func (l *length) UnmarshalText(text []byte) error {
	d, err := service.ParseSpan(string(text))
	if err != nil {
		return errors.New(`not a length of time, want days, hours or minutes, such as 7d, 36h or 90m`)
	}
	*l = length(d)
	return nil
}
