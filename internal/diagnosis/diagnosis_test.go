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

var update = flag.Bool("update", false, "update docs/troubleshooting.md")

// TestDocs compares docs/troubleshooting.md with the cases. -update writes it.
func TestDocs(t *testing.T) {
	t.Parallel()

	const file, start = "../../docs/troubleshooting.md", "<!-- cases -->\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	intro, _, ok := strings.Cut(string(b), start)
	if !ok {
		t.Fatalf("there is no %q in %s", start, file)
	}
	want := intro + start + "\n" + markdown()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := gocmp.Diff(want, string(b)); diff != "" {
		t.Errorf("run go test ./internal/diagnosis -update (-want +got):\n%s", diff)
	}
}

// TestCases checks that each case is complete and names known inputs. That the
// program reports each of them is tested in internal/e2e.
func TestCases(t *testing.T) {
	t.Parallel()

	known := map[string]bool{"": true}
	for _, in := range config.Inputs() {
		known[in.Name] = true
	}
	seen := map[ID]bool{}
	for _, c := range Cases() {
		if seen[c.ID] || !regexp.MustCompile(`^[a-z0-9-]+$`).MatchString(string(c.ID)) {
			t.Errorf("%s: appears twice, or is not an anchor", c.ID)
		}
		seen[c.ID] = true
		if !known[c.Input] {
			t.Errorf("%s: unknown input %q", c.ID, c.Input)
		}
		for _, in := range regexp.MustCompile(`\{:([a-z-]+)\}`).FindAllStringSubmatch(c.Message+c.Hint, -1) {
			if !known[in[1]] {
				t.Errorf("%s: unknown input %q", c.ID, in[1])
			}
		}
		if c.Message == "" || !strings.HasSuffix(c.Details, ".") || strings.ContainsAny(c.Message+c.Hint+c.Details, "\n") || c.Exit < 0 || c.Exit > 2 {
			t.Errorf("%s: a text is missing, or has two lines", c.ID)
		}
		label := func(string) string { return "LABEL" }
		message, hint := Render(c.ID, true, label, examplePages.values("acme"))
		if (c.Input != "") != strings.HasPrefix(message, "LABEL: ") {
			t.Errorf("%s: %q does not start with the input", c.ID, message)
		}
		if !regexp.MustCompile(`https://`).MatchString(hint) {
			t.Errorf("%s: %q has no address", c.ID, hint)
		}
		_, commandLine := Render(c.ID, false, label, nil)
		commandLine = regexp.MustCompile(`https://\S+|\{[a-z-]+\}`).ReplaceAllString(commandLine, "")
		if onlyOnRunner := c.ID == NoCredential; !onlyOnRunner && regexp.MustCompile(`\b(runner|workflow|step|stored?)\b`).MatchString(commandLine) {
			t.Errorf("%s: on the command line, the fix is a workflow's: %q", c.ID, commandLine)
		}
		for _, address := range regexp.MustCompile(`https://[^\s,;)]+`).FindAllString(hint, -1) {
			if u, err := url.Parse(address); err != nil || u.Host == "" || strings.HasSuffix(address, ".") {
				t.Errorf("%s: %q is not an address", c.ID, address)
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("%d cases, want at least 20", len(seen))
	}
	if doc := markdown(); regexp.MustCompile(`\{:?[a-z-]+\}`).MatchString(doc) {
		t.Errorf("a placeholder without example: %s", regexp.MustCompile(`.*\{:?[a-z-]+\}.*`).FindString(doc))
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()

	defer func() {
		if recover() == nil {
			t.Error("an unknown case was found")
		}
	}()
	Lookup("no-such-case")
}

var examplePages = Pages{
	GitHub: "https://github.com", Codacy: "https://app.codacy.com",
	Installation: "https://github.com/organizations/acme/settings/installations/42",
}

// groups are the groups of the cases in the docs: a title, and the first case.
var groups = []struct {
	title string
	first ID
}{
	{"Token for GitHub", WorkflowToken},
	{"GitHub App", AppUnknown},
	{"Codacy", AccountTokenRejected},
	{"Network", WebPage},
	{"Inputs", NoCredential},
	{"Selection of repositories", NoMatch},
	{"Single repositories", GitHubRole},
	{"Warnings of what will break", AccountTokenExpiring},
}

// markdown returns the cases as sections for the docs, after an index.
func markdown() string {
	exits := map[int]string{0: "warning", 1: "exit code 1", 2: "exit code 2"}
	var index, sections strings.Builder
	group := 0
	for _, c := range Cases() {
		if group < len(groups) && c.ID == groups[group].first {
			fmt.Fprintf(&index, "\n**%s**\n\n", groups[group].title)
			fmt.Fprintf(&sections, "## %s\n\n", groups[group].title)
			group++
		}
		exit := strings.ToUpper(exits[c.Exit][:1]) + exits[c.Exit][1:]
		itself := func(input string) string { return input }
		message, hint := Render(c.ID, true, itself, exampleValues(c))
		fmt.Fprintf(&index, "- [%s](#%s): %s\n", title(c.ID), c.ID, exits[c.Exit])
		fmt.Fprintf(&sections, "### %s\n\n> %s\n>\n> %s\n\n", title(c.ID), escape(message), escape(hint))
		if _, commandLine := Render(c.ID, false, commandLineLabel, exampleValues(c)); c.CommandLine != "" {
			fmt.Fprintf(&sections, "On the command line:\n\n> %s\n\n", escape(commandLine))
		}
		fmt.Fprintf(&sections, "%s. %s\n\n", exit, c.Details)
	}
	if group != len(groups) {
		panic("a group has no first case")
	}
	return strings.TrimPrefix(index.String(), "\n") + "\n" + strings.TrimSuffix(sections.String(), "\n")
}

// commandLineLabel returns the flag or the environment variable of an input.
func commandLineLabel(input string) string {
	for _, in := range config.Inputs() {
		if in.Name == input && in.Credential {
			return in.Env[0]
		}
	}
	return "--" + input
}

// exampleValues are the placeholders' values in the docs.
func exampleValues(c Case) Values {
	values := examplePages.values("acme")
	maps.Copy(values, Values{
		"organization": "acme", "spelled": "Acme", "repository": "acme/infra", "first": "acme/web",
		"page": examplePages.Tokens(), "app": "1234567", "permission": "Dependabot secrets", "store": "dependabot",
		"provider": "gh", "other": "ghe", "service": "GitHub", "host": "github.example.com", "address": "https://github.example.com",
		"hidden": "12", "selected": "48", "date": "2026-12-01", "left": "7 days", "interval": "92 days", "renew": "90",
		"cron": "17 4 1 */3 *", "found": "public_repo", "proxy": "proxy.example.com:3128", "fault": c.Example,
		"which": "the account API token", "hours": "864", "input": "the address",
	})
	if c.ID == TokensPileUp {
		values["cron"], values["interval"] = "17 4 * * *", "24 hours"
	}
	return values
}

// escape escapes what Markdown would format.
func escape(text string) string { return strings.ReplaceAll(text, "*", `\*`) }

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
