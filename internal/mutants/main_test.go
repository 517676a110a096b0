package main

import (
	"flag"
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
			for _, test := range m.tests {
				files, err := filepath.Glob(root + test.dir + "/*_test.go")
				if err != nil {
					t.Fatal(err)
				}
				if !slices.ContainsFunc(files, func(file string) bool {
					text, err := os.ReadFile(file)
					return err == nil && strings.Contains(string(text), "func "+test.function()+"(")
				}) {
					t.Errorf("%s: there is no %s in %s", m.name, test.function(), test.dir)
				}
			}
		}
	}
}

// TestOnTheProcess sees that a test of the whole program notices that a protection is
// missing, or that a comment says why none can.
func TestOnTheProcess(t *testing.T) {
	t.Parallel()

	mutants, err := read("protections.txt")
	if err != nil {
		t.Fatal(err)
	}
	without := 0
	for _, m := range mutants {
		shown := slices.ContainsFunc(m.tests, func(t test) bool { return t.dir == "internal/e2e" })
		switch {
		case !shown && m.comment == "":
			t.Errorf("%s: no test of internal/e2e notices it, and no comment says why", m.name)
		case !shown:
			without++
		}
	}
	if without > 7 {
		t.Errorf("%d protections can't be seen from outside", without)
	}
}

var update = flag.Bool("update", false, "write the table in docs/threat-model.md")

// TestThreatModel compares the table of docs/threat-model.md with the list.
func TestThreatModel(t *testing.T) {
	t.Parallel()

	const file, start, end = root + "docs/threat-model.md", "<!-- protections -->\n", "<!-- /protections -->\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	mutants, err := read("protections.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := "| protection | removed from | the tests that fail |\n|---|---|---|\n"
	for _, m := range mutants {
		want += m.row() + "\n"
	}
	head, rest, ok1 := strings.Cut(string(text), start)
	got, tail, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no table between %q and %q", file, start, end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(head+start+want+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("go test ./internal/mutants -update writes the table; it is\n%swant\n%s", got, want)
	}
}
