package secret_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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

// TestPanic: a panic ends in the runtime's own words, on stderr. This process
// starts itself and panics there, with the value in every kind of holder.
func TestPanic(t *testing.T) {
	v := secret.New(plain)
	holders := []any{v, &v, struct{ V secret.Value }{v}, []secret.Value{v}, fmt.Errorf("x: %w", failure{v}), failure{v}}
	if i, err := strconv.Atoi(os.Getenv("SECRET_TEST_PANIC")); err == nil {
		panic(holders[i])
	}
	t.Parallel()
	for i := range holders {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestPanic$")
		cmd.Env = []string{fmt.Sprint("SECRET_TEST_PANIC=", i), "GOTRACEBACK=system"}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: ") || strings.Contains(string(out), plain) {
			t.Errorf("%T: %v\n%s", holders[i], err, out)
		}
	}
}

// failure is an error with a value in it.
type failure struct{ v secret.Value }

func (f failure) Error() string { return fmt.Sprintf("failed with %v, %+v", f.v, []secret.Value{f.v}) }

// TestRevealsAreCounted: the value comes out in these functions and in no other. A
// new one needs a reason that can be written next to it.
func TestRevealsAreCounted(t *testing.T) {
	t.Parallel()

	want := map[string]struct {
		times int
		why   string
	}{
		"secret.Equal":   {2, "compared"},
		"wire.Bearer":    {1, "sent, in the header of a request"},
		"github.bearer":  {1, "the same, with an App's token"},
		"github.sign":    {1, "the App's key signs"},
		"seal.seal":      {1, "sealed"},
		"secret.OneLine": {1, "checked: can it be sent?"},
		"cli.session":    {2, "checked: which kind of token is it?"},
		"report.Mask":    {1, "the one command that holds it, on a runner"},
		"redact.Add":     {1, "what is to be replaced"},
		"redact.add":     {1, "the same, in its forms"},
		"redact.match":   {1, "the same"},
	}
	got := map[string]int{}
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel := filepath.ToSlash(strings.TrimPrefix(path, root))
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "sandbox" || d.Name() == "demo" || d.Name() == "contract" || strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			name := file.Name.Name + "."
			if f, ok := decl.(*ast.FuncDecl); ok {
				name += f.Name.Name
			}
			ast.Inspect(decl, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Reveal" {
					got[name]++
				}
				return true
			})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, times := range got {
		if times != want[name].times {
			t.Errorf("%s reveals a value %d times, %d are accounted for: why?", name, times, want[name].times)
		}
	}
	for name := range want {
		if got[name] == 0 {
			t.Errorf("%s reveals nothing any more", name)
		}
	}
}
