package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/secret"
)

const plain = "s3cr3t-value"

// TestValueNeverPrints prints a value in every way that the standard library
// offers, alone, in exported and in unexported fields, and behind pointers.
func TestValueNeverPrints(t *testing.T) {
	t.Parallel()

	v := secret.New(plain)
	type exported struct{ V secret.Value }
	type hidden struct{ v secret.Value }
	holders := map[string]any{
		"value":      v,
		"pointer":    &v,
		"exported":   exported{v},
		"hidden":     hidden{v},
		"hidden ptr": &hidden{v},
		"slice":      []secret.Value{v},
		"map":        map[string]secret.Value{"k": v},
		"error":      fmt.Errorf("wrapped: %v: %w", v, errors.New("x")),
	}
	for name, h := range holders {
		var out bytes.Buffer
		for _, verb := range strings.Split("v +v #v s q x X d T t p e g b o c U 10v -5s", " ") {
			fmt.Fprintf(&out, "%"+verb+"\n", h)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", h)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", h)
		if b, err := json.Marshal(h); err == nil {
			out.Write(b)
		}
		for _, form := range []string{plain, fmt.Sprintf("%x", plain), fmt.Sprintf("%X", plain)} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%s: the value is printed:\n%s", name, out.String())
			}
		}
	}
	if got := fmt.Sprint(v); got != secret.Mask {
		t.Errorf("printed as %q, want %q", got, secret.Mask)
	}
}

func TestValue(t *testing.T) {
	t.Parallel()

	if got := secret.New(plain).Reveal(); got != plain {
		t.Errorf("Reveal() = %q, want %q", got, plain)
	}
	if !secret.New("").IsZero() || secret.New(plain).IsZero() {
		t.Error("IsZero is wrong")
	}
	if !secret.New(plain).Equal(secret.New(plain)) || secret.New(plain).Equal(secret.New("other")) {
		t.Error("Equal is wrong")
	}
}
