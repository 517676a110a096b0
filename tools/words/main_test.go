package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const words = `
allow: keep-alives?
docs: (want|wants) → require → It wants a name.
text: in earnest → in production → It runs in earnest.
all: (fates?|unsent) → disposition → The fate of it.
`

// TestCheck shows what is found in each kind of file, and what is not.
func TestCheck(t *testing.T) {
	t.Parallel()

	l, err := parse(words)
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("word ", maxWords) + "more."
	for name, c := range map[string]struct {
		file, content string
		want          string // the lines and their words
	}{
		"a comment":              {"a.go", "package a\n\n// It runs in earnest.\n", "3 in earnest"},
		"over two lines":         {"a.go", "package a\n\n\t// It runs in\n\t// earnest.\n", "3 in // earnest"},
		"a block comment":        {"a.go", "package a\n/* It runs in\n * earnest. */\n", "2 in * earnest"},
		"a string":               {"a.go", "package a\n\nvar s = `in\nearnest`\n", "3 in earnest"},
		"a name":                 {"a.go", "package a\n\nvar theFate, unsentOnes int\n", "3 Fate 3 unsent"},
		"a test's want":          {"a.go", "package a\n\n// It wants a name.\nvar want = \"want\"\n", ""},
		"words of code":          {"a.go", "package a\n\nvar in, earnest int\n", ""},
		"part of a word":         {"a.md", "Fatewell, an infate.\n", ""},
		"capitals":               {"a.md", "FATE\n", "1 FATE"},
		"Markdown":               {"a.md", "\nIt wants a *fate*\n> in\n> earnest.\n", "2 wants 3 in > earnest 2 fate"},
		"YAML":                   {"a.yml", "# It wants\n# in\n# earnest.\n", "1 wants 2 in # earnest"},
		"a script":               {"run", "# It wants in\n# earnest\n", "1 in # earnest"},
		"a term":                 {"a.md", "fate: keep-alive\n", "1 fate"},
		"a long sentence":        {"a.md", "# Title\n\nShort. " + long + "\n", "3 26"},
		"long enough":            {"a.md", strings.TrimPrefix(long, "word "), ""},
		"two sentences":          {"a.md", strings.Repeat("word ", 20) + "end. " + strings.Repeat("Word ", 20), ""},
		"over two lines, long":   {"a.md", strings.ReplaceAll(long, " ", "\n"), "1 26"},
		"in a list":              {"a.md", "- one\n- " + long, "2 26"},
		"in a table":             {"a.md", "| a | b |\n|---|---|\n| c | " + long + " |\n", "3 26"},
		"in a quote":             {"a.md", "> " + long, "1 26"},
		"a link is its text":     {"a.md", "[" + long + "](x)", "1 26"},
		"code is one word":       {"a.md", strings.Repeat("word ", maxWords-1) + "`" + long + "`", ""},
		"code is not read":       {"a.md", "```\n" + long + "\n```\n", ""},
		"cells are not one":      {"a.md", "| a | b |\n|---|---|\n| " + long[:100] + " | " + long[:100] + " |\n", ""},
		"a dash is not a word":   {"a.md", strings.Repeat("word ", maxWords-1) + "– word", ""},
		"sentences, not in YAML": {"a.yml", "# " + long, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range l.check(c.file, c.content) {
				word := strings.Fields(f.text)[0]
				if strings.HasPrefix(f.text, `"`) {
					word = strings.Split(f.text, `"`)[1]
				}
				got = append(got, itoa(f.line)+" "+word)
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

func itoa(n int) string { return string(rune('0' + n)) }

// TestParseRefused: a rule that can't find anything is an error.
func TestParseRefused(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ content, want string }{
		"no rule":     {"# nothing\nallow: x\n", "no rules"},
		"no scope":    {"prose: fate → disposition → The fate.", "must be SCOPE"},
		"no example":  {"all: fate → disposition", "must be SCOPE"},
		"not matched": {"all: fate → disposition → The state.", "doesn't match the example"},
		"no pattern":  {"all: (fate → disposition → The fate.", "missing closing )"},
		"no term":     {"allow: (", "missing closing )"},
	} {
		if _, err := parse(c.content); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: the error is %v, want %q", name, err, c.want)
		}
	}
}

// tree returns a Git repository with these files.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("git", "init", "--quiet")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	return folder
}

// TestRun: everything is checked, except what the list of exceptions names; and
// that list can't outlive its reason.
func TestRun(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		except, readme string
		paths          []string
		out            string // how it starts
		err            string
	}{
		"nothing":           {"", "Good.\n", nil, "3 files, 0 findings\n", ""},
		"a word":            {"", "Good.\nA fate.\n", nil, "README.md:2: \"fate\": write disposition\n3 files, 1 findings\n", "have to change"},
		"an exception":      {"never: README.md\n", "A fate.\n", nil, "2 files, 0 findings\n", ""},
		"a folder":          {"later: docs\n", "Good.\n", nil, "2 files, 0 findings\n", ""},
		"a pattern":         {"later: docs/*.md\n", "Good.\n", nil, "2 files, 0 findings\n", ""},
		"nothing left":      {"later: docs\nlater: README.md\n", "Good.\n", nil, "", "nothing is left to change in README.md"},
		"no such file":      {"never: README.txt\n", "Good.\n", nil, "", "matches no file"},
		"neither":           {"README.md\n", "Good.\n", nil, "", "neither"},
		"one path":          {"never: README.md\nlater: docs\n", "A fate.\n", []string{"README.md"}, "README.md:1: \"fate\"", "have to change"},
		"a path that lacks": {"", "A fate.\n", []string{"docs", "other"}, "", "other matches no file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			doc := "Good.\n"
			if strings.Contains(c.except, "later: docs") {
				doc = "An unsent request.\n"
			}
			root := tree(t, map[string]string{
				".ci/words.txt":        words,
				".ci/words-except.txt": "never: .ci\n" + c.except,
				"README.md":            c.readme, "docs/a.md": doc, "main.go": "package main\n", "picture.png": "\x00 fate",
			})
			var out bytes.Buffer
			err := run(append([]string{"-root", root}, c.paths...), &out)
			if !strings.HasPrefix(out.String(), c.out) {
				t.Errorf("it prints:\n%s\nwant:\n%s", out.String(), c.out)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
		})
	}
}

// TestList reads the project's own list, whose examples all have to be found.
func TestList(t *testing.T) {
	t.Parallel()

	text, err := os.ReadFile("../../.ci/words.txt")
	if err != nil {
		t.Fatal(err)
	}
	l, err := parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(l.rules) < 40 {
		t.Errorf("only %d rules", len(l.rules))
	}
	for _, fine := range []string{
		"A keep-alive connection.", "It looks like a token.", "Look it up.", "The outcome is kept.", "make(chan int)",
		"The action answers with exit code 2.", "In its place.", "The lock is held.", "A stand-in for the Go image.",
	} {
		if found := l.check("a.md", fine); len(found) > 0 {
			t.Errorf("%q: %v", fine, found)
		}
	}
}
