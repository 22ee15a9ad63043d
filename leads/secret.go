package leads

// Secret is a token or a password. It is formatted, logged and marshalled as [redacted];
// only Reveal returns its text.
type Secret string

const redacted = "[redacted]"

// Reveal returns the text. Call it only where the secret is sent or stored.
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
