package service

import "fmt"

// Noun is a regular noun as it stands behind a number: "lead" or "leads".
func Noun(n int64, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// Number is a number with its noun: "1 lead", "2 leads".
func Number(n int64, noun string) string { return fmt.Sprintf("%d %s", n, Noun(n, noun)) }
