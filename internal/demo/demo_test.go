package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// TestMain runs the action if the demo started this program for that.
func TestMain(m *testing.M) {
	if code, is := isAction(context.Background()); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestDemo(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	d := newDemo(&out, t.TempDir(), 0)
	if code := d.run(t.Context()); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	for _, want := range []string{
		`"codacy" and its 84 public`,
		"\n1. A dry run", "✓ exit code 0 in ", ": 84 would be created\n", ", 0 writes among them\n",
		"\n2. The first run", "✓ killed after ", " of 84 secrets written, each with a valid token; ", maskCommand + "***\n", " more lines\n",
		"\n3. An hour later", " created, ", "✓ 84 of 84 secrets hold a valid token\n",
		"\n4. Two days later", "✓ 0 orphaned tokens, ", "\n5. A week later", ": 84 current\n", "✓ 0 writes: nothing changed\n",
		"\n6. A person overwrites", ": 2 renewed\n", "\n7. A year passes", " renewals in 13 runs\n", "✓ 84 secrets held a valid token at all times\n",
		"accepted for this repository and for no other\n", "✓ 84 of 84 secrets hold a valid token of their own repository\n",
		"\n9. The summary of the last renewal", indent(firstLine(terminal(d.last.summary))),
		"\nTo use the action, ", "\nOn the command line, ", "(revoke-after-hours: 24)",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown", want)
		}
	}
	if n := strings.Count(out.String(), "\n"); n > 110 {
		t.Errorf("%d lines are shown, want 110 at most", n)
	}
	if strings.Contains(out.String(), "✗") {
		t.Error("a claim is not true")
	}
	values := append(d.world.AllTokenValues(), sandbox.CodacyToken, sandbox.GitHubToken)
	if len(values) < len(d.repositories) {
		t.Errorf("only %d values to search for", len(values))
	}
	for _, value := range values {
		if strings.Contains(out.String(), value) {
			t.Errorf("a value is shown: %s", value)
		}
	}
	d.world.Check(t)
	if t.Failed() {
		t.Log(&out)
	}
}

// TestDemoFails has GitHub reject one secret: the demo must not claim success.
func TestDemoFails(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	d := newDemo(&out, t.TempDir(), 0)
	d.faults = func(r sandbox.Request) sandbox.Effect {
		if r.Kind == sandbox.KindPutSecret && r.Repository == d.repositories[3] {
			return sandbox.Effect{Skip: true, Status: http.StatusUnprocessableEntity}
		}
		return sandbox.Effect{}
	}
	if code := d.run(t.Context()); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{
		"✗ exit code 1 in ", "::error", "✗ 83 of 84 secrets hold a valid token", "\nFAILED, ",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown", want)
		}
	}
	for _, value := range d.world.AllTokenValues() {
		if strings.Contains(out.String(), value) {
			t.Errorf("a value is shown: %s", value)
		}
	}
	if t.Failed() {
		t.Log(&out)
	}
}

// TestLeakIsFound writes a token's value to a file.
func TestLeakIsFound(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	d := newDemo(&out, t.TempDir(), 0)
	d.written = d.world.AddToken(d.repositories[0], sandbox.Token{Name: "manual"}).Value
	d.openSecrets(t.Context())
	if !strings.Contains(out.String(), "✗ 1 tokens or credentials, in any encoding, in logs") {
		t.Errorf("the leak is not reported:\n%s", &out)
	}
}

// firstLine returns the first line of a text, which must not be empty.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if line == "" {
		return "no first line"
	}
	return line
}

func TestInterrupted(t *testing.T) {
	t.Parallel()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	d := newDemo(&out, t.TempDir(), 0)
	if code := d.run(ctx); code != 1 || !strings.HasSuffix(out.String(), "\nInterrupted.\n") {
		t.Errorf("exit code %d, want 1, and:\n%s", code, &out)
	}
	if n := d.world.Writes(); n != 0 {
		t.Errorf("%d writes", n)
	}
}

func TestScreen(t *testing.T) {
	t.Parallel()

	var out bytes.Buffer
	s := &screen{out: &out, max: 2}
	for _, part := range []string{
		"one\n::add-", "mask::first-value\nthr", "ee\n::add-mask::second-value\n",
		"::error::bad\nfive\n", "::add-mask::third-value",
	} {
		if n, err := s.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("Write(%q) = %d, %v", part, n, err)
		}
	}
	s.end()
	want := "   | one\n   | ::add-mask::***\n   | ::error::bad\n   | … 4 more lines\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()

	const markdown = "## All \\*is\\* fine\n\n> [!WARNING]\n> a \\| b &lt;c&gt; @\u200bname\n\n" +
		"| created | kept |\n| ---: | --- |\n| 7 | `x` |\n\n\n" +
		"```mermaid\npie\n```\n\nSecret `S` of **2**.\n\n" +
		"<details><summary>All others (7)</summary>\n\n" +
		"| repository | reason |\n| --- | --- |\n| [a\\_b](https://x/a) | p \\| q |\n" +
		"| 2 | |\n| 3 | |\n| 4 | |\n| 5 | |\n| 6 | |\n| 7 | |\n\n</details>\n"
	const want = `All *is* fine
=============

WARNING: a | b <c> @name

created  kept
      7  x

Secret S of 2.

▸ All others (7)

repository  reason
a_b         p | q
2
3
4
… 3 more
`
	if diff := cmp.Diff(want, terminal(markdown)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
