package project

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/codacy/codacy-project-tokens/internal/harness"
)

const (
	maxSentence = 25     // words
	maxColumns  = 4      // of a table
	maxReadme   = 10_000 // characters
)

var (
	fenced    = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")
	generated = regexp.MustCompile(`(?s)<!-- ([\w-]+) -->.*?<!-- /[\w-]+ -->`) // checked where they come from
	block     = regexp.MustCompile(`\n\s*\n|\n\s*(?:[-*]|\d+\.|>) |\n(?:\|)`)
	sentence  = regexp.MustCompile(`[.!?:]["*)]*\s`)
	linked    = regexp.MustCompile(`\]\([^)]*\)`)
	code      = regexp.MustCompile("`[^`]*`")
	word      = regexp.MustCompile(`[\pL\pN][\pL\pN'’/-]*`)
)

// TestReadable asserts that the docs have short sentences, tables that fit a phone,
// and diagrams that parse.
func TestReadable(t *testing.T) {
	t.Parallel()

	for _, file := range docs(t) {
		text := harness.Read(t, file)
		name := filepath.Base(file)
		for _, m := range fenced.FindAllStringSubmatch(text, -1) {
			if m[1] == "mermaid" {
				checkMermaid(t, name, m[2])
			}
		}
		for _, long := range longSentences(text) {
			t.Errorf("%s: more than %d words: %s", name, maxSentence, long)
		}
		for line := range strings.Lines(generated.ReplaceAllString(text, "")) {
			if columns := strings.Count(line, "|") - strings.Count(line, `\|`) - 1; strings.HasPrefix(line, "|") && columns > maxColumns {
				t.Errorf("%s: a table with %d columns: %s", name, columns, line)
			}
		}
	}
	if n := utf8.RuneCountInString(harness.Read(t, root+"README.md")); n >= maxReadme {
		t.Errorf("README.md has %d characters, want fewer than %d", n, maxReadme)
	}
}

// longSentences returns the sentences that are too long. Each item of a list, and
// each cell of a table, is a text of its own.
func longSentences(markdown string) []string {
	text := generated.ReplaceAllString(fenced.ReplaceAllString(markdown, "\n\n"), "\n\n")
	text = code.ReplaceAllString(linked.ReplaceAllString(text, "]"), "X")
	var long []string
	for _, b := range block.Split(text, -1) {
		for _, cell := range strings.Split(b, "|") {
			for _, s := range sentence.Split(strings.ReplaceAll(cell, "\n", " ")+" ", -1) {
				if len(word.FindAllString(s, -1)) > maxSentence {
					long = append(long, strings.TrimSpace(s))
				}
			}
		}
	}
	return long
}

func TestLongSentences(t *testing.T) {
	t.Parallel()

	short, long := strings.Repeat("word ", maxSentence), strings.Repeat("word ", maxSentence+1)
	for text, want := range map[string]int{
		short + ".\n\n" + short: 0, short + ". " + short: 0, long: 1, long + ". " + long: 2,
		"- " + short + "\n- " + short: 0, "| " + short + " | " + short + " |": 0, "- a\n- " + long: 1,
		"```\n" + long + "\n```\n": 0, "`" + long + "` is code": 0, "<!-- x -->\n" + long + "\n<!-- /x -->\n": 0,
		"one line\n" + long: 1,
	} {
		if got := len(longSentences(text)); got != want {
			t.Errorf("%.60q: %d long sentences, want %d", text, got, want)
		}
	}
}

// The lines of the diagrams that the docs use.
// https://mermaid.js.org/syntax/sequenceDiagram.html, https://mermaid.js.org/syntax/flowchart.html
var mermaid = map[string]*regexp.Regexp{
	"sequenceDiagram": regexp.MustCompile(`^(participant \w+ as [\w ]+|\w+-?->>\w+: [^;#]+|Note over \w+(,\w+)?: [^;#]+|opt [^;#]+|alt [^;#]+|else( [^;#]+)?|loop [^;#]+|end)$`),
	"flowchart TD":    regexp.MustCompile(`^(\w+(\[[^][(){};"|]+\])?)( -->(\|[^|;]+\|)? (\w+(\[[^][(){};"|]+\])?))*$`),
}

// checkMermaid parses a diagram. In a sequence diagram, a semicolon ends a statement.
func checkMermaid(t *testing.T, name, diagram string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(diagram), "\n")
	form := mermaid[strings.TrimSpace(lines[0])]
	if form == nil {
		t.Errorf("%s: an unknown diagram: %q", name, lines[0])
		return
	}
	depth := 0
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		if !form.MatchString(line) {
			t.Errorf("%s: a diagram does not parse: %q", name, line)
		}
		switch first, _, _ := strings.Cut(line, " "); first {
		case "opt", "alt", "loop":
			depth++
		case "end":
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%s: a block of a diagram has no end, or one too many", name)
	}
}
