package leads

// Secret is a token or a password. It prints as [redacted] wherever it is formatted,
// logged or marshalled; Reveal is the only way to its text.
type Secret string

const redacted = "[redacted]"

// Reveal is the text itself. Call it where it is sent or stored, nowhere else.
func (s Secret) Reveal() string { return string(s) }

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return s.String() }

// MarshalText implements encoding.TextMarshaler, which JSON and slog use.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
