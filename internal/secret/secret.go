// Package secret holds values that must not be printed: credentials and
// tokens. A Value prints as *** under every verb of fmt, in log/slog, JSON and
// text encodings. Only Reveal returns the string; a test counts its callers.
package secret

import (
	"fmt"
	"log/slog"
	"strings"
)

// Mask is printed in place of a Value.
const Mask = "***"

// Value is a secret string. The zero Value is empty. Compare values with Equal:
// == compares identity, not content.
type Value struct {
	// A pointer, because fmt can't call the methods of an unexported field. It
	// prints such a field by reflection, and of a pointer only the address.
	p *string
}

// New wraps s.
func New(s string) Value {
	if s == "" {
		return Value{}
	}
	return Value{p: &s}
}

// Reveal returns the string itself, for the one place that has to send it.
func (v Value) Reveal() string {
	if v.p == nil {
		return ""
	}
	return *v.p
}

// IsZero reports whether the value is empty.
func (v Value) IsZero() bool { return v.p == nil }

// Equal reports whether both hold the same string.
func (v Value) Equal(other Value) bool { return v.Reveal() == other.Reveal() }

// OneLine reports whether the value can be sent in a header and be masked as one
// line: it isn't empty, and contains only visible ASCII characters.
func (v Value) OneLine() bool {
	return !v.IsZero() && !strings.ContainsFunc(v.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' })
}

// Format prints Mask under every verb.
func (v Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Mask)) }

// String returns Mask.
func (v Value) String() string { return Mask }

// GoString returns Mask.
func (v Value) GoString() string { return Mask }

// LogValue logs Mask.
func (v Value) LogValue() slog.Value { return slog.StringValue(Mask) }

// MarshalText encodes Mask; JSON uses it too.
func (v Value) MarshalText() ([]byte, error) { return []byte(Mask), nil }
