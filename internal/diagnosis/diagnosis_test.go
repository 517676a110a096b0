package diagnosis

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/codacy/codacy-project-tokens/internal/config"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md")

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
	want := intro + begin + "\n" + markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(want, string(b)); diff != "" {
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
	seen := map[ID]bool{}
	for _, c := range Cases() {
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
		what, do := Render(c.ID, label, examplePages.values("acme"))
		if (c.Input != "") != strings.HasPrefix(what, "LABEL: ") {
			t.Errorf("%s: %q does not begin with the input", c.ID, what)
		}
		if !regexp.MustCompile(`https://`).MatchString(do) {
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
	if doc := markdown(); regexp.MustCompile(`\{:?[a-z-]+\}`).MatchString(doc) {
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
	Lookup("no-such-case")
}

var examplePages = Pages{
	GitHub: "https://github.com", Codacy: "https://app.codacy.com",
	Installation: "https://github.com/organizations/acme/settings/installations/42",
}

// markdown returns the cases as sections for the docs.
func markdown() string {
	var b strings.Builder
	for _, c := range Cases() {
		values := examplePages.values("acme")
		maps.Copy(values, Values{
			"organization": "acme", "spelled": "Acme", "repository": "acme/infra", "first": "acme/web",
			"page": examplePages.Tokens(),
			"app":  "1234567", "permission": "Dependabot secrets", "store": "dependabot",
			"provider": "gh", "other": "ghe", "service": "GitHub", "host": "github.example.com", "address": "https://github.example.com",
			"hidden": "12", "selected": "48", "date": "2026-12-01", "left": "7 days", "interval": "92 days", "renew": "90",
			"cron": "17 4 1 */3 *", "found": "public_repo", "proxy": "proxy.example.com:3128", "fault": c.Example,
		})
		message, hint := Render(c.ID, func(input string) string { return input }, values)
		fmt.Fprintf(&b, "## %s\n\n```\n%s\n%s\n```\n\n", title(c.ID), message, hint)
		ends := map[int]string{0: "A warning; the run goes on.", 1: "The run ends with exit code 1.", 2: "The run ends with exit code 2."}[c.Exit]
		fmt.Fprintf(&b, "%s %s\n\n", c.Details, ends)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// title returns the heading whose anchor is the ID.
func title(id ID) string {
	spelled := map[string]string{
		"github": "GitHub", "codacy": "Codacy", "app": "App", "api": "API", "url": "URL", "ip": "IP", "tls": "TLS", "cant": "can't", "oauth": "OAuth",
	}
	words := strings.Split(string(id), "-")
	for i, w := range words {
		words[i] = cmp.Or(spelled[w], w)
	}
	text := strings.Join(words, " ")
	return strings.ToUpper(text[:1]) + text[1:]
}
