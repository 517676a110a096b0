package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codacy/codacy-project-tokens/internal/harness"
	"github.com/codacy/codacy-project-tokens/internal/sandbox"
)

// mistake is a wrong setup as a user makes it.
type mistake struct {
	name string
	in   harness.Inputs // on a runner
	env  []string       // on the command line, in addition to the credentials
	args []string       // on the command line
	// unset lists variables of the command line that are not set.
	unset []string
}

// mistakes returns the mistakes. Dir has a folder and a file.
func mistakes(dir string) []mistake {
	const (
		shortPEM  = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----"
		otherPEM  = "\ufeff" + shortPEM
		noSuch    = "no/such/report.json"
		accountID = "codacy-api-token"
	)
	return []mistake{
		{name: "an unknown flag", args: []string{"--org", "acme"}},
		{name: "a typing error in a flag", args: []string{"--secret-nmae=X"}},
		{name: "a flag without a value", args: []string{"--secret-name"}},
		{name: "a flag twice", args: []string{"--secret-name=A", "--secret-name=B"}},
		{name: "a word without a flag", args: []string{"acme"}},
		{name: "a credential as a flag", args: []string{"--github-token", sandbox.GitHubToken}},
		{name: "several words without a flag", args: []string{"--repositories", "api-1", "api-2"}},
		{name: "a typing error in the only flag", args: []string{"--organisation", "acme"}, unset: []string{"GITHUB_REPOSITORY_OWNER"}},
		{name: "no credentials", unset: []string{"CODACY_API_TOKEN", "GH_TOKEN"}},
		{name: "no organization", unset: []string{"GITHUB_REPOSITORY_OWNER"}},
		{name: "a typing error in a value", in: harness.Inputs{"rotate": "allways"}, args: []string{"--rotate=allways"}},
		{name: "another word for yes", in: harness.Inputs{"dry-run": "yes"}, args: []string{"--dry-run=yes"}},
		{name: "a store in the plural", in: harness.Inputs{"secret-stores": "action, agents"}, args: []string{"--secret-stores=action,agents"}},
		{name: "a lifetime of two years", in: harness.Inputs{"token-lifetime-days": "730"}, args: []string{"--token-lifetime-days=730"}},
		{name: "renewal before the creation", in: harness.Inputs{"token-lifetime-days": "30"}, args: []string{"--token-lifetime-days=30"}},
		{name: "fewer writes than stores", in: harness.Inputs{"writes-per-minute": "1", "secret-stores": "actions,dependabot"}, args: []string{"--writes-per-minute=1", "--secret-stores=actions,dependabot"}},
		{name: "a duration without unit", in: harness.Inputs{"max-duration": "90"}, args: []string{"--max-duration=90"}},
		{name: "a URL as the organization", in: harness.Inputs{"organization": "https://github.com/acme"}, args: []string{"--organization=https://github.com/acme"}},
		{name: "patterns with the owner", in: harness.Inputs{"repositories": "acme/api-*"}, args: []string{"--repositories=acme/api-*"}},
		{name: "an unknown visibility", in: harness.Inputs{"repositories": "visibility:privat"}, args: []string{"--repositories=visibility:privat"}},
		{name: "a report in a folder that doesn't exist", in: harness.Inputs{"report-file": noSuch}, args: []string{"--report-file=" + noSuch}},
		{name: "a folder as the report", in: harness.Inputs{"report-file": filepath.Join(dir, "folder.json")}, args: []string{"--report-file=" + filepath.Join(dir, "folder.json")}},
		{name: "a report of another kind", in: harness.Inputs{"report-file": "report.txt"}, args: []string{"--report-file=report.txt"}},
		{name: "http", in: harness.Inputs{"codacy-api-url": "http://codacy.example.com/api/v3"}, args: []string{"--codacy-api-url=http://codacy.example.com/api/v3"}},
		{name: "a credential in an address", in: harness.Inputs{"codacy-api-url": "https://me:s3cret-w0rd@codacy.example.com/api/v3"}, args: []string{"--codacy-api-url=https://me:s3cret-w0rd@codacy.example.com/api/v3"}},
		{name: "a token with its header", in: harness.Inputs{accountID: "api-token: " + sandbox.CodacyToken}, env: []string{"CODACY_API_TOKEN=api-token: " + sandbox.CodacyToken}, unset: []string{"CODACY_API_TOKEN"}},
		{name: "a blank secret", in: harness.Inputs{accountID: " "}},
		{name: "an expression that is not expanded", in: harness.Inputs{accountID: "${{ secrets.CODACY_API_TOKEN }}"}},
		{name: "swapped tokens", in: harness.Inputs{accountID: sandbox.GitHubToken, "github-token": sandbox.CodacyToken}, env: []string{"CODACY_API_TOKEN=" + sandbox.GitHubToken, "GH_TOKEN=" + sandbox.CodacyToken}, unset: []string{"CODACY_API_TOKEN", "GH_TOKEN"}},
		{name: "Codacy's token twice", in: harness.Inputs{"github-token": sandbox.CodacyToken}, env: []string{"GH_TOKEN=" + sandbox.CodacyToken}, unset: []string{"GH_TOKEN"}},
		{name: "a token and an App", in: harness.Inputs{"github-app-id": "1234567"}, args: []string{"--github-app-id=1234567"}},
		{name: "an App without its key", in: harness.Inputs{"github-token": "", "github-app-id": "1234567"}, args: []string{"--github-app-id=1234567"}, unset: []string{"GH_TOKEN"}},
		{name: "half a key", in: harness.Inputs{"github-token": "", "github-app-id": "1234567", "github-app-private-key": shortPEM}},
		{name: "a key with a byte order mark", in: harness.Inputs{"github-token": "", "github-app-id": "1234567", "github-app-private-key": otherPEM}},
		{name: "a reserved name", in: harness.Inputs{"secret-name": "github_codacy"}, args: []string{"--secret-name=github_codacy"}},
	}
}

// TestMistakes makes mistakes as users make them, on a runner and on the command
// line. What is printed is golden: at most two lines for each error. Nothing is sent.
func TestMistakes(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "api"})
	neutral := func(text string) string {
		text = strings.NewReplacer(dir, "DIR", f.Codacy, "https://codacy.test/api/v3", f.GitHub, "https://github.test").Replace(text)
		return regexp.MustCompile(`::add-mask::.*\n`).ReplaceAllString(text, "")
	}
	var golden strings.Builder
	for _, m := range mistakes(dir) {
		if m.in != nil {
			r := f.Run(m.in)
			shown := ""
			for _, text := range r.Log.Annotations["error"] {
				shown += indented(text)
				if strings.Count(text, "\n") > 1 {
					t.Errorf("%s: more than two lines:\n%s", m.name, text)
				}
			}
			if r.Code != 2 {
				t.Errorf("%s: exit code %d\n%s", m.name, r.Code, r.Stdout)
			}
			fmt.Fprintf(&golden, "%s, on a runner: exit code %d\n%s\n", m.name, r.Code, neutral(shown))
		}
		if m.args == nil && m.env == nil && m.unset == nil {
			continue
		}
		env := []string{"GITHUB_API_URL=" + f.GitHub}
		for _, v := range []string{"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken, "GITHUB_REPOSITORY_OWNER=acme"} {
			name, _, _ := strings.Cut(v, "=")
			if !slices.Contains(m.unset, name) {
				env = append(env, v)
			}
		}
		env = append(env, m.env...)
		code, stdout, stderr := f.CommandLine(env, m.args...)
		fmt.Fprintf(&golden, "%s, on the command line: exit code %d\n%s\n", m.name, code, neutral(indented(stdout+stderr)))
		if code != 2 || f.Total() > 0 {
			t.Errorf("%s: exit code %d, %d requests\n%s%s", m.name, code, f.Total(), stdout, stderr)
		}
	}
	for _, secret := range []string{sandbox.CodacyToken, "s3cret-w0rd"} {
		if strings.Contains(golden.String(), secret) {
			t.Errorf("a credential is repeated: %s", secret)
		}
	}
	harness.Golden(t, filepath.Join("testdata", "mistakes.txt"), golden.String())
}

// TestMistakesOfTheSetup makes mistakes on the command line that only the services show.
// What is printed is golden: one error each, whose fix applies on the command line.
func TestMistakesOfTheSetup(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "api", Topics: []string{"backend"}})
	codacyTLS, gitHubTLS, _, shut := f.ServeTLS()
	t.Cleanup(shut)
	credentials := []string{"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken}
	var golden strings.Builder
	for _, m := range []struct {
		name, codacy, github string
		args                 []string
		code                 int
	}{
		{"a typing error in the organization", f.Codacy, f.GitHub, []string{"--organization=acmee"}, 2},
		{"a topic of no repository", f.Codacy, f.GitHub, []string{"--organization=acme", "--repositories=topic:backnd"}, 2},
		{"a visibility of no repository", f.Codacy, f.GitHub, []string{"--organization=acme", "--repositories=visibility:internal"}, 2},
		{"a certificate that is not trusted", codacyTLS, f.GitHub, []string{"--organization=acme"}, 1},
		{"certificates that are not trusted", codacyTLS, gitHubTLS, []string{"--organization=acme"}, 1},
	} {
		code, stdout, stderr := f.CommandLine(append(credentials, "GITHUB_API_URL="+m.github), append(m.args, "--codacy-api-url="+m.codacy)...)
		shown := regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(stdout+stderr, "HOST")
		fmt.Fprintf(&golden, "%s: exit code %d\n%s\n", m.name, code, indented(shown))
		if code != m.code || f.Writes() > 0 {
			t.Errorf("%s: exit code %d, %d writes\n%s", m.name, code, f.Writes(), shown)
		}
	}
	harness.Golden(t, filepath.Join("testdata", "setup.txt"), golden.String())
}

// indented indents each line.
func indented(text string) string {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(text, "\n", "\n  ") + "\n"
}

// TestReportToStandardOutput: on the command line, --report-file - prints the report
// alone to standard output, and the log to standard error.
func TestReportToStandardOutput(t *testing.T) {
	t.Parallel()

	f := harness.Serve(t, sandbox.Options{}, sandbox.Repository{Name: "api"})
	code, stdout, stderr := f.CommandLine(
		[]string{"CODACY_API_TOKEN=" + sandbox.CodacyToken, "GH_TOKEN=" + sandbox.GitHubToken, "GITHUB_API_URL=" + f.GitHub},
		"--organization=acme", "--codacy-api-url="+f.Codacy, "--yes", "--report-file", "-")
	var report struct {
		Summary      struct{ Created int }
		Repositories []struct{ Repository, Outcome string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("standard output is not JSON: %v\n%s", err, stdout)
	}
	if code != 0 || report.Summary.Created != 1 || len(report.Repositories) != 1 || report.Repositories[0].Repository != "acme/api" {
		t.Errorf("exit code %d, %+v", code, report)
	}
	if !strings.Contains(stderr, "created  acme/api") || strings.Contains(stderr, "{") {
		t.Errorf("standard error has no log, or the report:\n%s", stderr)
	}
	f.Provisioned("api")
}
