package emulator

// rng is splitmix64: small, fast, and the same numbers for the same seed on
// every machine and Go version. Use it for nothing that must be secret.
type rng struct{ state uint64 }

// newRNG mixes a seed with what the numbers are for, so that two uses of one
// seed do not see the same numbers.
func newRNG(seed, use uint64) *rng {
	r := &rng{state: seed*0x9e3779b97f4a7c15 + use*0xd1342543de82ef95 + 1}
	r.next()
	return r
}

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a number from 0 to n-1.
func (r *rng) below(n int) int {
	if n <= 1 {
		return 0
	}
	return int(r.next()>>33) % n
}

// chance is true with that probability.
func (r *rng) chance(p float64) bool {
	return p > 0 && float64(r.next()>>11)/(1<<53) < p
}

// hex is n hexadecimal digits.
func (r *rng) hex(n int) string {
	return r.letters(n, hexDigits)
}

// letters is n characters of an alphabet.
func (r *rng) letters(n int, alphabet string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.below(len(alphabet))]
	}
	return string(b)
}

// pick is one of the choices.
func pick[T any](r *rng, choices []T) T {
	return choices[r.below(len(choices))]
}
