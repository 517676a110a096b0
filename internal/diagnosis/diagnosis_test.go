package diagnosis_test

import (
	"flag"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/config"
	"github.com/codacy/codacy-project-tokens/internal/diagnosis"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md anew")

// TestDocs compares docs/troubleshooting.md with the catalogue; -update writes it.
func TestDocs(t *testing.T) {
	t.Parallel()

	const file, begin = "../../docs/troubleshooting.md", "<!-- cases -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, ok := strings.Cut(string(b), begin)
	if !ok {
		t.Fatalf("there is no %q in %s", begin, file)
	}
	want := intro + begin + "\n" + diagnosis.Markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(b)); diff != "" {
		t.Errorf("go test ./internal/diagnosis -update brings it up to date (-want +got):\n%s", diff)
	}
}

// TestCases: each has all that it needs, and names inputs that there are. (That
// each of them is met by the program, internal/e2e sees to.)
func TestCases(t *testing.T) {
	t.Parallel()

	known := map[string]bool{"": true}
	for _, in := range config.Inputs() {
		known[in.Name] = true
	}
	seen := map[diagnosis.ID]bool{}
	for _, c := range diagnosis.Cases() {
		if seen[c.ID] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(string(c.ID)) {
			t.Errorf("%s: there twice, or no anchor", c.ID)
		}
		seen[c.ID] = true
		if !known[c.Input] {
			t.Errorf("%s: there is no input %q", c.ID, c.Input)
		}
		for _, in := range regexp.MustCompile(`\{:([a-z-]+)\}`).FindAllStringSubmatch(c.Message+c.Hint, -1) {
			if !known[in[1]] {
				t.Errorf("%s: there is no input %q", c.ID, in[1])
			}
		}
		if c.Message == "" || !strings.HasSuffix(c.Details, ".") || strings.ContainsAny(c.Message+c.Hint+c.Details, "\n") || c.Exit < 0 || c.Exit > 2 {
			t.Errorf("%s: something is missing, or has two lines", c.ID)
		}
		label := func(string) string { return "LABEL" }
		what, do := diagnosis.Render(c.ID, label, diagnosis.Values{"web": "https://github.com", "codacy": "https://app.codacy.com"})
		if (c.Input != "") != strings.HasPrefix(what, "LABEL: ") {
			t.Errorf("%s: %q does not begin with the input", c.ID, what)
		}
		if !regexp.MustCompile(`https://|\{(settings|installation|page)\}`).MatchString(do) {
			t.Errorf("%s: %q names no address", c.ID, do)
		}
		for _, address := range regexp.MustCompile(`https://[^\s,;)]+`).FindAllString(do, -1) {
			if u, err := url.Parse(address); err != nil || u.Host == "" || strings.HasSuffix(address, ".") {
				t.Errorf("%s: %q is no address", c.ID, address)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d cases, want 20 at least", len(seen))
	}
	if doc := diagnosis.Markdown(); regexp.MustCompile(`\{:?[a-z-]+\}`).MatchString(doc) {
		t.Errorf("a placeholder without example: %s", regexp.MustCompile(`.*\{:?[a-z-]+\}.*`).FindString(doc))
	}
}

func TestFind(t *testing.T) {
	t.Parallel()

	defer func() {
		if recover() == nil {
			t.Error("a case that there is not was found")
		}
	}()
	diagnosis.Lookup("no-such-case")
}
