package emulator

// dice is splitmix64: small, fast, and the same numbers for the same seed on
// every machine and Go version. Nothing secret hangs on it.
type dice struct{ state uint64 }

// newDice mixes a seed with what the numbers are for, so that two uses of one
// seed do not see the same numbers.
func newDice(seed, use uint64) *dice {
	d := &dice{state: seed*0x9e3779b97f4a7c15 + use*0xd1342543de82ef95 + 1}
	d.next()
	return d
}

func (d *dice) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (d *dice) below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(d.next()>>33) % n
}

// chance is true with that probability.
func (d *dice) chance(p float64) bool {
	return p > 0 && float64(d.next()>>11)/(1<<53) < p
}

// hex is n hexadecimal digits.
func (d *dice) hex(n int) string {
	return d.letters(n, hexDigits)
}

// letters is n characters of an alphabet.
func (d *dice) letters(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[d.below(len(alphabet))]
	}
	return string(b)
}

// pick is one of the choices.
func pick[T any](d *dice, choices []T) T {
	return choices[d.below(len(choices))]
}
