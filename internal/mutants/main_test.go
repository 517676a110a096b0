package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const root = "../../"

// TestLists sees that each mutant can be made, and that its test exists.
func TestLists(t *testing.T) {
	t.Parallel()

	names := map[string]bool{}
	for _, list := range []string{"protocol.txt", "protections.txt", "answers.txt"} {
		mutants, err := read(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range mutants {
			if names[m.name] {
				t.Errorf("%s stands twice in the lists", m.name)
			}
			names[m.name] = true
			source, err := os.ReadFile(root + m.file)
			if err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
			if n := strings.Count(string(source), m.search); n != 1 || m.search == m.replace {
				t.Errorf("%s: %q stands %d times in %s, want it once, and changed", m.name, m.search, n, m.file)
			}
			tests, err := filepath.Glob(root + m.dir + "/*_test.go")
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(tests, func(file string) bool {
				text, err := os.ReadFile(file)
				return err == nil && strings.Contains(string(text), "func "+m.test+"(")
			}) {
				t.Errorf("%s: there is no %s in %s", m.name, m.test, m.dir)
			}
		}
	}
}

// TestThreatModel compares the table of docs/threat-model.md with the list.
func TestThreatModel(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile(root + "docs/threat-model.md")
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := read("protections.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := "| protection | taken out of | the test that fails |\n|---|---|---|\n"
	for _, m := range mutants {
		want += m.row() + "\n"
	}
	_, got, _ := strings.Cut(string(text), "<!-- protections -->\n")
	got, _, _ = strings.Cut(got, "<!-- /protections -->\n")
	if got != want {
		t.Errorf("the table is\n%swant, as go run ./internal/mutants -list prints it,\n%s", got, want)
	}
}
