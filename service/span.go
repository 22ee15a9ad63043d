package service

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// ParseSpan reads a time as settings and flags have it: a number of days, such as 7d, or a duration
// of Go, such as 36h or 1h30m. What is longer than a century is as long as a century and a day.
func ParseSpan(value string) (time.Duration, error) {
	digits, ok := strings.CutSuffix(value, "d")
	if !ok {
		return time.ParseDuration(value)
	}
	n, err := strconv.Atoi(digits)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, err
	}
	return time.Duration(min(max(n, 0), int(longestKeep/day)+1)) * day, nil
}
